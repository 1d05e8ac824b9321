"""`keywatch watch` on a real Kafka: access events and repository events, killed and restarted."""

import json
import subprocess
import sys
import time
from datetime import UTC, datetime

import pytest

from database.transaction import open_database
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.demo import traffic
from keywatch.demo.leak import repository_with_amended_leak
from keywatch.status import status
from tests.deploy.docpages import GUIDES, run

kafka = pytest.importorskip("kafka")
kafka_admin = pytest.importorskip("kafka.admin")
pytestmark = [
    pytest.mark.service,
    pytest.mark.usefixtures("kafka_closes_sockets"),
]

CONFIG = """
database = "sqlite:///{folder}/keywatch.db"
[watch]
chunk_lines = 500
[[sources]]
type = "kafka"
topic = "access"
brokers = ["{broker}"]
format = "nginx-json"
[[sources]]
type = "kafka"
topic = "pushes"
brokers = ["{broker}"]
events = "repository"
[repositories]
cache = "{folder}/cache"
local_roots = ["{folder}"]
[actions]
enabled = ["revoke"]
"""


def until(look, what, patience_s=600):
    end = time.monotonic() + patience_s
    while time.monotonic() < end:
        if seen := look():
            return seen
        time.sleep(0.05)
    raise AssertionError(f"waited in vain for {what}")


def watch(folder):
    command = [sys.executable, "-m", "keywatch", "--config", f"{folder}/keywatch.toml", "watch"]
    with (folder / "watch.log").open("ab") as log:
        return subprocess.Popen(command, stdout=log, stderr=log)


def test_topics_are_watched_and_a_killed_worker_goes_on_where_it_was(kafka_broker, tmp_path):
    folder = tmp_path
    (folder / "keywatch.toml").write_text(CONFIG.format(folder=folder, broker=kafka_broker))
    engine = open_database(f"sqlite:///{folder}/keywatch.db")
    store = KeyStore(engine)
    service, person, leaked = store.create_many(
        [KeyOrder(owner=owner) for owner in ("ops", "maria", "shop")], actor="test"
    )
    end = datetime(2026, 3, 18, 14, 0, tzinfo=UTC)
    lines = list(traffic.ordinary(service.key.id, person.key.id, end))[:6000]
    lines[100:100] = [b"broken", b"{}"]

    admin = kafka_admin.KafkaAdminClient(bootstrap_servers=kafka_broker)
    admin.create_topics([kafka_admin.NewTopic(name, 2, 1) for name in ("access", "pushes")])
    producer = kafka.KafkaProducer(bootstrap_servers=kafka_broker, acks="all")
    for line in lines[:3000]:
        producer.send("access", line, key=line[-20:])
    producer.flush()

    first = watch(folder)
    events = lambda: status(engine)["events"]  # noqa: E731
    until(lambda: events()["committed"] > 500, "the first events")
    first.kill()
    first.wait()
    for line in lines[3000:]:
        producer.send("access", line, key=line[-20:])
    repository = repository_with_amended_leak(folder / "shop", leaked.secret)
    (repository / "settings.py").write_text(f'PAYMENTS_KEY = "{leaked.secret}"\n')
    git = ["git", "-c", "user.name=a", "-c", "user.email=a@b.example"]
    subprocess.run([*git, "commit", "-qam", "Add"], cwd=repository, check=True)
    head = subprocess.run(
        [*git, "rev-parse", "HEAD"], cwd=repository, check=True, capture_output=True, text=True
    ).stdout.strip()
    push = {"delivery": "1", "repository": str(repository), "ref": "refs/heads/main", "after": head}
    producer.send("pushes", json.dumps(push).encode())
    producer.flush()
    producer.close()
    admin.close()

    second = watch(folder)
    try:
        until(lambda: events()["read"] == len(lines), "all events")
        until(lambda: store.get(leaked.key.id).state == "revoked", "the revocation")
    finally:
        second.terminate()
        assert second.wait(30) == 0, (folder / "watch.log").read_text()[-2000:]
    figures = events()
    assert figures["dead"] == 2
    assert figures["committed"] == len(lines) - 2
    engine.dispose()


def test_the_guide_to_kafka_works(kafka_broker, tmp_path):
    admin = kafka_admin.KafkaAdminClient(bootstrap_servers=kafka_broker)
    names = ("guide-access", "guide-alerts", "guide-dead-letters")
    admin.create_topics([kafka_admin.NewTopic(name, 2, 1) for name in names])
    admin.close()
    ran = run(GUIDES / "kafka.md", tmp_path, replaced={"127.0.0.1:9092": kafka_broker})
    assert ran.code == 0, ran.said
