"""Workers that share a topic, killed and rebalanced: what follows is what one calm run leads to."""

import pytest

from database.transaction import open_database
from keywatch.status import status
from tests.keywatch.fleet import HEAD, attacked, calm_run, moved, prepared, truth, until, watch

kafka = pytest.importorskip("kafka")
kafka_admin = pytest.importorskip("kafka.admin")
pytestmark = [
    pytest.mark.service,
    # kafka-python leaves sockets of its own to the garbage collector
    pytest.mark.filterwarnings("ignore::ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
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
"""


def test_kills_and_rebalances_of_sharing_workers_change_nothing(
    kafka_broker, kafka_service, postgresql_url, tmp_path
):
    calm = f"sqlite:///{tmp_path}/calm.db"
    lines = attacked(*prepared(calm))
    moved(postgresql_url, calm)
    (tmp_path / "access.log").write_bytes(b"".join(one + b"\n" for _, one in lines))
    expected = calm_run(tmp_path, calm)

    admin = kafka_admin.KafkaAdminClient(bootstrap_servers=kafka_broker)
    admin.create_topics([kafka_admin.NewTopic("shared", 4, 1)])
    admin.close()
    (tmp_path / "shared.toml").write_text(
        HEAD.format(database=postgresql_url) + SHARED.format(broker=kafka_broker)
    )

    def send(some):
        producer = kafka.KafkaProducer(bootstrap_servers=kafka_broker, acks="all", retries=20)
        for key, one in some:
            producer.send("shared", one, key=key.encode())
        producer.flush()
        producer.close()

    engine = open_database(postgresql_url)
    read = lambda: status(engine)["events"]["read"]  # noqa: E731
    third = len(lines) // 3
    send(lines[:third])
    kafka_service.kill()
    first, second = (watch(tmp_path, "shared") for _ in range(2))  # and the broker is away
    try:
        kafka_service.start()
        until(lambda: read() > 500, "the first events", [first, second])
        first.kill()  # in the middle of a batch, as likely as not
        send(lines[third : 2 * third])
        until(lambda: read() >= 2 * third, "the second part", [second])
        fresh = watch(tmp_path, "shared")  # partitions move while the rest is read
        try:
            send(lines[2 * third :])
            until(lambda: read() == len(lines), "the rest", [second, fresh])
        finally:
            fresh.terminate()
            assert fresh.wait(60) == 0
    finally:
        first.kill()
        second.terminate()
        assert second.wait(60) == 0, (tmp_path / "shared.log").read_text()[-3000:]
    engine.dispose()
    assert truth(postgresql_url) == expected
