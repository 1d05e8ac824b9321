"""A real broker that wants TLS and a password."""

import json
import logging
import re
import secrets
import time
from dataclasses import dataclass

import pytest

from streams.kafka_client import cause_of, imported
from streams.kafka_options import security
from streams.sources.kafka import KafkaSource
from tests.certificates import certificate

kafka = pytest.importorskip("kafka")
admin = pytest.importorskip("kafka.admin")
pytestmark = [pytest.mark.service, pytest.mark.usefixtures("kafka_closes_sockets")]

TOPIC = "secured"
PATIENCE = 400


@dataclass(frozen=True)
class Secured:
    address: str
    options: dict[str, str]


@pytest.fixture(scope="module")
def secured(kafka_service, kafka_broker):
    """A listener with TLS and SCRAM, a user of it, and a topic with a line in it."""
    password = secrets.token_urlsafe(24)
    with_scram = admin.UserScramCredentialUpsertion(
        user="keywatch", mechanism="SCRAM-SHA-512", password=password
    )
    client = admin.KafkaAdminClient(bootstrap_servers=kafka_broker)
    assert client.alter_user_scram_credentials([with_scram]) == {"keywatch": None}
    client.create_topics([admin.NewTopic(TOPIC, 1, 1)])
    client.close()
    producer = kafka.KafkaProducer(bootstrap_servers=kafka_broker, acks="all")
    producer.send(TOPIC, b"a line", partition=0)
    producer.close()
    port = json.loads((kafka_service.folder / "secure.json").read_text())
    return Secured(
        f"127.0.0.1:{port}",
        {
            "security_protocol": "SASL_SSL",
            "sasl_mechanism": "SCRAM-SHA-512",
            "sasl_plain_username": "keywatch",
            "sasl_plain_password": password,
            "ssl_cafile": str(kafka_service.folder / "ca.pem"),
        },
    )


def source_of(secured, tell=lambda _: None, **options):
    return KafkaSource(
        TOPIC,
        brokers=[secured.address],
        group=secrets.token_hex(4),
        positions={}.get,
        tell=tell,
        options=security(secured.options | options, "sources[0].options"),
    )


def test_records_are_read_over_tls_by_who_has_the_password(secured):
    source = source_of(secured)
    source.open()
    try:
        chunks = (source.read(10, 0.05) for _ in range(PATIENCE))
        assert list(next(filter(None, chunks)).lines) == [b"a line"]
    finally:
        source.close()


# A broker that refuses a password, or hears no TLS, may hang up before it says so.
@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        ({"sasl_plain_password": "another"}, "SaslAuthenticationFailedError|KafkaTimeoutError"),
        ({"ssl_cafile": "of another authority"}, "certificate verify failed"),
        ({"security_protocol": "PLAINTEXT"}, "InvalidReceiveError|KafkaTimeoutError"),
    ],
)
def test_nobody_else_gets_in_and_they_are_told_why(secured, tmp_path, wrong, why):
    if "ssl_cafile" in wrong:
        certificate(tmp_path)
        wrong = {"ssl_cafile": str(tmp_path / "ca.pem")}
    told = []
    source = source_of(secured, told.append, **wrong)
    source.open()
    try:
        assert source.read(10, 0.05) is None
    finally:
        source.close()
    assert re.search(why, told[0])
    assert secured.options["sasl_plain_password"] not in told[0]


def test_the_cause_is_what_the_client_says_to_its_log_alone():
    imported()
    log = logging.getLogger("kafka.net.connection")
    away = kafka.errors.KafkaTimeoutError("Unable to bootstrap from ['127.0.0.1:1']")
    for error in (kafka.errors.SaslAuthenticationFailedError(),
                  kafka.errors.KafkaConnectionError("socket disconnected"), away,
                  kafka.errors.RequestTimedOutError("Request timed out after 270 ms")):  # fmt: skip
        log.error("%s: Connection lost: %s", "node", error)
    # an answer to the group is of a connection that stands
    logging.getLogger("kafka.coordinator").warning("%s", kafka.errors.NotCoordinatorError())
    assert cause_of(away) == "SaslAuthenticationFailedError"
    assert cause_of(away) == "KafkaTimeoutError"


def test_a_failure_of_long_ago_is_no_cause():
    imported()
    log = logging.getLogger("kafka.net.connection")
    error = kafka.errors.KafkaConnectionError("[Errno 111] ECONNREFUSED")
    record = log.makeRecord(log.name, logging.ERROR, __file__, 0, "%s", (error,), None)
    record.created = time.time() - 60
    log.handle(record)
    assert cause_of(kafka.errors.KafkaTimeoutError("in vain")) == "KafkaTimeoutError"
