"""What is sent to topics, to a real broker; how long outboxes hold sources."""

import json

import pytest

from database.schema import alerts, outbox
from database.transaction import open_database, transaction
from keywatch.config import Settings
from keywatch.config_streams import PublishSettings
from keywatch.publishing import Publishing
from keywatch.status import outbox_is_long
from streams import deadletter
from streams.kafka_options import security
from vocabulary.errors import ConfigError, ServiceError


@pytest.fixture
def engine(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'keywatch.db'}")
    yield engine
    engine.dispose()


def alert(engine, name, at):
    row = {
        "id": name,
        "ts": at,
        "subject": "key_a",
        "kind": "rate",
        "severity": "low",
        "body": {"id": name},
        "decision": {},
        "recorded_at": at,
    }
    with transaction(engine) as connection:
        connection.execute(alerts.insert().values(row))


def letter(engine, at):
    with transaction(engine) as connection:
        deadletter.keep(connection, "file:a", [({"offset": 1}, "why", b"x\xff")], at)


@pytest.mark.service
def test_alerts_and_dead_letters_go_to_their_topics_once(engine, kafka_broker):
    kafka = pytest.importorskip("kafka")
    admin = pytest.importorskip("kafka.admin")
    client = admin.KafkaAdminClient(bootstrap_servers=kafka_broker)
    client.create_topics([admin.NewTopic(name, 1, 1) for name in ("published", "buried")])
    client.close()
    settings = PublishSettings(brokers=(kafka_broker,), alerts="published", dead_letters="buried")
    publishing = Publishing(engine, settings, pytest.fail)
    alert(engine, "alert_1", 100.0)
    letter(engine, 100.0)
    assert (publishing.turn(), publishing.turn()) == (2, 0)
    alert(engine, "alert_2", 90.0)  # of a transaction that ended late
    again = Publishing(engine, settings, pytest.fail)
    assert (again.turn(), again.turn()) == (1, 0)
    for one in (publishing, again):
        one._sink.close()
    consumer = kafka.KafkaConsumer(
        "published",
        "buried",
        bootstrap_servers=kafka_broker,
        auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
    )
    found = [next(consumer) for _ in range(3)]
    consumer.close()
    told = {dict(one.headers)["id"]: json.loads(one.value) for one in found}
    assert told[b"alert_1"] == {"id": "alert_1"}
    assert told[b"alert_2"] == {"id": "alert_2"}
    assert told[b"1"]["raw"] == "x\\xff"
    assert {dict(one.headers)["schema"] for one in found} == {b"1"}
    assert {one.key for one in found} == {b"key_a", b"file:a"}


def test_what_no_broker_takes_is_sent_later(engine):
    pytest.importorskip("kafka")
    settings = PublishSettings(brokers=("127.0.0.1:1",), alerts="published")
    publishing = Publishing(engine, settings, pytest.fail)
    alert(engine, "alert_1", 100.0)
    for _ in range(2):
        with pytest.raises(ServiceError, match="no broker answers"):
            publishing.turn()


@pytest.mark.parametrize(
    "options",
    [
        {"ssl_check_hostname": "false"},
        {"group_id": "x"},
        {"security_protocol": "TLS"},
        {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "PLAIN"},
    ],
)
def test_options_that_would_switch_a_check_off_are_refused(options):
    with pytest.raises(ConfigError):
        security(options, "sources[0].options")


def test_options_of_tls_and_sasl_are_passed_on():
    options = {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "a",
        "ssl_cafile": "/ca.pem",
    }
    assert security(options, "x") == options


def test_an_outbox_is_long_by_what_waits_in_it(engine):
    row = {
        "alert_id": "a",
        "subject": "k",
        "lane": "effect",
        "effect": "revoke",
        "arguments": {},
        "attempts": 0,
        "not_before": 0.0,
        "created_at": 0.0,
    }
    with transaction(engine) as connection:
        for number, state in enumerate(["waiting", "leased", "done", "dead"]):
            connection.execute(
                outbox.insert().values(**row, idempotency_key=str(number), state=state)
            )
    assert [outbox_is_long(engine, most) for most in (0, 1, 2)] == [False, True, False]
    assert Settings().watch.max_outbox == 10_000
