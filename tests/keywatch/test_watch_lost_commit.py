"""Commits of whose success nobody hears: their records are delivered again, and count once."""

import sqlite3
import threading
from itertools import count

import pytest

from database.transaction import open_database
from keywatch.config import load
from keywatch.status import status
from keywatch.voice import Voice
from keywatch.watch import Watch
from tests.keywatch.fleet import HEAD, attacked, calm_run, moved, prepared, truth, until

kafka = pytest.importorskip("kafka")
kafka_admin = pytest.importorskip("kafka.admin")
pytestmark = [
    pytest.mark.service,
    pytest.mark.usefixtures("kafka_closes_sockets"),
]

SOURCE = """
[watch]
chunk_lines = 300
[[sources]]
type = "kafka"
topic = "unheard"
brokers = ["{broker}"]
format = "nginx-json"
"""
EVERY = 3


def unheard_commits(engine, watching, lost):
    """Have every third commit of the watch itself succeed, and the answer be lost."""
    commit, numbers = engine.dialect.do_commit, count(1)

    def do_commit(connection):
        commit(connection)
        if threading.current_thread() is watching and next(numbers) % EVERY == 0:
            lost.append(1)
            raise sqlite3.OperationalError("the connection was lost")

    engine.dialect.do_commit = do_commit


def test_what_is_delivered_again_because_nobody_heard_of_its_commit_counts_once(
    kafka_broker, tmp_path, monkeypatch
):
    calm, mine = f"sqlite:///{tmp_path}/calm.db", f"sqlite:///{tmp_path}/mine.db"
    lines = attacked(*prepared(calm))[-4000:]
    moved(mine, calm)
    (tmp_path / "access.log").write_bytes(b"".join(one + b"\n" for _, one in lines))
    expected = calm_run(tmp_path, calm)
    admin = kafka_admin.KafkaAdminClient(bootstrap_servers=kafka_broker)
    admin.create_topics([kafka_admin.NewTopic("unheard", 1, 1)])
    admin.close()
    producer = kafka.KafkaProducer(bootstrap_servers=kafka_broker, acks="all")
    for key, one in lines:
        producer.send("unheard", one, key=key.encode())
    producer.close()

    monkeypatch.setattr("keywatch.watch._RETRY_S", 0.0)
    config = tmp_path / "unheard.toml"
    config.write_text(HEAD.format(database=mine) + SOURCE.format(broker=kafka_broker))
    engine, stop, lost = open_database(mine), threading.Event(), []
    voice = Voice(tell=lambda _: None, alert=lambda _: None)
    watch = Watch(
        load(str(config), environ={}).settings, engine, once=False, stop=stop, voice=voice
    )
    watching = threading.Thread(target=watch.run)
    unheard_commits(engine, watching, lost)
    watching.start()
    try:
        until(lambda: status(engine)["events"]["read"] >= len(lines), "all events")
    finally:
        stop.set()
        watching.join()
    assert len(lost) > len(lines) // 300 // EVERY
    engine.dispose()
    assert truth(mine) == expected
