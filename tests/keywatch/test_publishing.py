"""What is sent to topics, to a real broker; how long outboxes hold sources."""

import json

import pytest

from database.schema import alerts, outbox
from database.transaction import reading, transaction
from keywatch.config import Settings
from keywatch.config_streams import PublishSettings
from keywatch.publishing import Publishing
from keywatch.status import outbox_is_long
from streams import deadletter
from streams.kafka_options import security
from vocabulary.errors import ConfigError, ServiceError


def alert(engine, name, at, body=""):
    row = {
        "id": name,
        "ts": at,
        "subject": "key_a",
        "kind": "rate",
        "severity": "low",
        "body": {"id": name, **({"said": body} if body else {})},
        "decision": {},
        "recorded_at": at,
    }
    with transaction(engine) as connection:
        connection.execute(alerts.insert().values(row))


def letter(engine, at):
    with transaction(engine) as connection:
        deadletter.keep(connection, "file:a", [({"offset": 1}, "why", b"x\xff")], at)


@pytest.mark.service
@pytest.mark.usefixtures("kafka_closes_sockets")
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


@pytest.mark.service
@pytest.mark.usefixtures("kafka_closes_sockets")
def test_what_is_too_large_for_its_topic_becomes_a_dead_letter_and_holds_nothing_up(
    engine, kafka_broker
):
    kafka = pytest.importorskip("kafka")
    admin = pytest.importorskip("kafka.admin")
    client = admin.KafkaAdminClient(bootstrap_servers=kafka_broker)
    small = {"max.message.bytes": "20000"}
    topics = [admin.NewTopic(name, 1, 1, topic_configs=small) for name in ("narrow", "buried-too")]
    client.create_topics(topics)
    told = []
    settings = PublishSettings(brokers=(kafka_broker,), alerts="narrow", dead_letters="buried-too")
    publishing = Publishing(engine, settings, told.append)
    sizes = (10, 40_000, 10, 2_000_000, 10)  # of which the topic refuses one, the client another
    for number, size in enumerate(sizes):
        alert(engine, f"alert_{number}", 100.0 + number, "x" * size)
    assert publishing.turn() == 5  # three of them, and two letters
    with reading(engine) as connection:
        letters = deadletter.newest(connection)
    assert {one.position["id"] for one in letters} == {"alert_1", "alert_3"}
    assert {one.source for one in letters} == {"publish:narrow"}
    assert all("larger than the topic takes" in one.reason for one in letters)
    assert len(told) == 2
    assert publishing.turn() == 0  # it is not tried again by itself
    alert(engine, "alert_5", 105.0)
    assert publishing.turn() == 1

    resource = admin.ConfigResource(
        admin.ConfigResourceType.TOPIC, "narrow", {"max.message.bytes": "100000"}
    )
    client.alter_configs([resource])
    client.close()
    with transaction(engine) as connection:
        assert deadletter.ask_again(connection) == 2
    assert publishing.turn() == 1
    with reading(engine) as connection:
        (left,) = deadletter.newest(connection)
    assert (left.position["id"], left.state) == ("alert_3", "dead")
    publishing._sink.close()
    consumer = kafka.KafkaConsumer(
        "narrow", bootstrap_servers=kafka_broker, auto_offset_reset="earliest",
        consumer_timeout_ms=20_000,
    )  # fmt: skip
    found = [json.loads(next(consumer).value)["id"] for _ in range(5)]
    consumer.close()
    assert found == [f"alert_{number}" for number in (0, 2, 4, 5, 1)]


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
