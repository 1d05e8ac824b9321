"""Workers that share a topic, killed and rebalanced: what follows is what one calm run leads to.

So is what follows when the broker is killed, when its disk is full, and when records are poisoned.
"""

import json
import resource
from pathlib import Path

import pytest
from sqlalchemy import select

from database.schema import alerts, dead_letters
from database.transaction import open_database, reading
from keywatch.status import status
from tests.keywatch.fleet import HEAD, attacked, calm_run, moved, prepared, truth, until, watch

kafka = pytest.importorskip("kafka")
kafka_admin = pytest.importorskip("kafka.admin")
pytestmark = [
    pytest.mark.service,
    pytest.mark.usefixtures("kafka_closes_sockets"),
]

SHARED = """
[watch]
shared = true
chunk_lines = 300
[[sources]]
type = "kafka"
topic = "shared"
brokers = ["{broker}"]
format = "nginx-json"
{instance}
[publish]
brokers = ["{broker}"]
alerts = "shared-alerts"
dead_letters = "shared-letters"
"""
POISON = [b"", b"\xff\0" * 40, b"[" * 100_000, b'{"a": "\\ud800"}', b"9" * 5000]


def full(service):
    """Keep the broker from writing to any file, as if its disk were full; it gives up."""
    number = int((service.folder / "pid").read_text())
    resource.prlimit(number, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
    return lambda: not Path(f"/proc/{number}/exe").exists()


class Topic:
    """What the workers share, and what they publish to."""

    def __init__(self, broker, service):
        self.broker, self.service = broker, service
        parts = {"shared": 4, "shared-alerts": 2, "shared-letters": 1}
        admin = kafka_admin.KafkaAdminClient(bootstrap_servers=broker)
        admin.create_topics([kafka_admin.NewTopic(name, n, 1) for name, n in parts.items()])
        admin.close()

    def send(self, some, *, full_disk=False):
        producer = kafka.KafkaProducer(bootstrap_servers=self.broker, acks="all", retries=200)
        given_up = None
        for key, one in some:
            sent = producer.send("shared", one, key=key.encode())
            if full_disk and given_up is None:
                sent.get(60)
                given_up = full(self.service)
        if given_up:
            until(given_up, "the broker to give up")
            self.service.start()
        producer.close()


def published(broker, topic, count):
    """Return the ids of what was published, once there are so many different ones."""
    consumer = kafka.KafkaConsumer(
        topic, bootstrap_servers=broker, auto_offset_reset="earliest", consumer_timeout_ms=60_000
    )
    found = set()
    for one in consumer:
        found.add(str(json.loads(one.value)["id"]))
        if len(found) == count:
            break
    consumer.close()
    return found


def test_kills_and_rebalances_of_sharing_workers_change_nothing(
    kafka_broker, kafka_service, postgresql_url, tmp_path
):
    calm = f"sqlite:///{tmp_path}/calm.db"
    lines = attacked(*prepared(calm))
    lines[900:900] = [("", one) for one in POISON]
    moved(postgresql_url, calm)
    (tmp_path / "access.log").write_bytes(b"".join(one + b"\n" for _, one in lines))
    expected = calm_run(tmp_path, calm)

    topic = Topic(kafka_broker, kafka_service)
    # Two that keep their names over a restart: nobody leaves the group by being killed.
    for name in ("one", "two", "fresh"):
        own = "" if name == "fresh" else f'instance = "{name}"'
        shared = SHARED.format(broker=kafka_broker, instance=own)
        (tmp_path / f"{name}.toml").write_text(HEAD.format(database=postgresql_url) + shared)

    engine = open_database(postgresql_url)
    read = lambda: status(engine)["events"]["read"]  # noqa: E731
    third = len(lines) // 3
    topic.send(lines[:third])
    kafka_service.kill()
    first, second = (watch(tmp_path, name) for name in ("one", "two"))  # and the broker is away
    try:
        kafka_service.start()
        until(lambda: read() > 500, "the first events", [first, second])
        first.kill()  # in the middle of a batch, as likely as not
        topic.send(lines[third : 2 * third], full_disk=True)
        until(lambda: read() >= 2 * third, "the second part", [second])
        fresh = watch(tmp_path, "fresh")  # partitions move while the rest is read
        try:
            topic.send(lines[2 * third :])
            until(lambda: read() == len(lines), "the rest", [second, fresh])
            with reading(engine) as connection:
                raised = set(connection.scalars(select(alerts.c.id)))
                letters = set(map(str, connection.scalars(select(dead_letters.c.id))))
            assert published(kafka_broker, "shared-alerts", len(raised)) == raised
            assert published(kafka_broker, "shared-letters", len(letters)) == letters
        finally:
            fresh.terminate()
            assert fresh.wait(60) == 0
    finally:
        first.kill()
        second.terminate()
        assert second.wait(60) == 0, (tmp_path / "two.log").read_text()[-3000:]
    engine.dispose()
    assert truth(postgresql_url) == expected
