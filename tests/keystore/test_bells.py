import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from threading import Event
from threading import enumerate as enumerate_threads
from time import monotonic

import pytest

from database.transaction import open_database, reading, transaction
from keystore import bells, feed
from keystore.filebell import hearing_file
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from vocabulary.errors import ConfigError, ServiceError

BY = {"actor": "ann", "reason": "a test"}
WRITER = Path(__file__).parent / "writer.py"
ROOT = Path(__file__).parent.parent.parent
PATIENCE_S = 120.0
"""For a bell that does not ring at all: starting a process can take long on a busy machine."""


def news(store, seen):
    with reading(store.engine) as connection:
        return feed.news(connection, seen)


def test_a_follower_is_told_of_each_key_once(store):
    start = news(store, None)
    assert start.key_ids is None
    one, two = store.create(KeyOrder(), **BY).key.id, store.create(KeyOrder(), **BY).key.id
    store.revoke(one, **BY)
    told = news(store, start.seq)
    assert told == feed.News(3, (one, two))
    assert news(store, told.seq) == feed.News(3, ())


def test_a_gap_means_everything(store, clock):
    start = news(store, None)
    store.create(KeyOrder(), **BY)
    clock.now += 100
    store.create(KeyOrder(), **BY)
    with transaction(store.engine) as connection:
        assert feed.prune(connection, clock.now) == 1
    assert news(store, start.seq) == feed.News(2, None)
    assert news(store, 1).key_ids is not None


def test_the_last_change_is_never_forgotten(store, clock):
    store.create(KeyOrder(), **BY)
    with transaction(store.engine) as connection:
        assert feed.prune(connection, clock.now + 1000) == 0
    assert store.create(KeyOrder(), **BY).key.change_seq == 2


def test_another_database_and_too_many_changes_mean_everything(store):
    store.create_many([KeyOrder()] * 5, **BY)
    assert news(store, 9).key_ids is None
    with reading(store.engine) as connection:
        assert feed.news(connection, 1, limit=3).key_ids is None


def test_a_bell_rings_in_the_same_process_when_it_is_committed(store):
    rang = []
    with bells.hearing(store.engine, lambda: rang.append(news(store, None).seq)):
        rang.clear()
        with suppress(RuntimeError), transaction(store.engine) as connection:
            feed.record(connection, ["key_x"], 1.0)
            raise RuntimeError
        before = list(rang)
        store.create(KeyOrder(), **BY)
        assert before == [] or store.engine.dialect.name == "postgresql"
        assert rang[-1] == 1


@pytest.mark.service
def test_a_bell_rings_across_processes_by_postgresql(postgresql_url):
    engine = open_database(postgresql_url)
    assert_rings(engine, postgresql_url, "")
    engine.dispose()


@pytest.mark.service
def test_a_bell_rings_across_processes_by_redis(tmp_path, redis_url):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    engine = open_database(url)
    assert_rings(engine, url, redis_url)
    engine.dispose()


def assert_rings(engine, url, redis_url):
    """Another process writes; we are woken until we have seen all of it, without looking ourselves.

    The timeout is only for a bell that does not ring at all.
    """
    rang = Event()
    with bells.hearing(engine, rang.set, redis_url):
        assert rang.wait(PATIENCE_S)  # it listens
        command = [sys.executable, str(WRITER), url, "3", *([redis_url] if redis_url else [])]
        writer = subprocess.Popen(
            command, cwd=ROOT, env={"PYTHONPATH": str(ROOT)}, stdin=subprocess.DEVNULL
        )
        seen = 0
        while seen < 6:
            assert rang.wait(PATIENCE_S)
            rang.clear()
            with reading(engine) as connection:
                seen = feed.head(connection)
        assert writer.wait(PATIENCE_S) == 0


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
def test_whoever_writes_to_a_file_is_heard_until_the_end(tmp_path):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    engine, rang = open_database(url), Event()
    with hearing_file(tmp_path / "x.db", rang.set) as is_told:
        assert is_told
        seen = 0
        writer = subprocess.Popen(
            [sys.executable, str(WRITER), url, "3"],
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
            stdin=subprocess.DEVNULL,
        )
        while seen < 6:
            assert rang.wait(PATIENCE_S)
            rang.clear()
            with reading(engine) as connection:
                seen = feed.head(connection)
        assert writer.wait(PATIENCE_S) == 0
    before = {thread.name for thread in enumerate_threads()}
    assert "file bell" not in before
    engine.dispose()


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
def test_a_file_that_is_replaced_or_deleted_is_heard_too(tmp_path):
    path, rang = tmp_path / "x.db", Event()
    path.write_bytes(b"one")
    with hearing_file(path, rang.set):
        for change in (
            lambda: (tmp_path / "y.db").replace(path),
            lambda: (tmp_path / "x.db-wal").write_bytes(b"three"),
            path.unlink,
        ):
            rang.clear()
            deadline = monotonic() + PATIENCE_S
            # What comes in the moment in which another file stands at the path may be missed.
            while not rang.wait(0.05) and monotonic() < deadline:
                path.touch()
                (tmp_path / "y.db").write_bytes(b"two")
                change()
            assert rang.is_set()


def test_where_there_is_no_file_nothing_is_heard(tmp_path):
    for path in (None, tmp_path / "missing.db"):
        with hearing_file(path, lambda: None) as is_told:
            assert not is_told


@pytest.mark.service
def test_a_redis_that_is_away_holds_nobody_up(tmp_path, redis_service):
    redis_url = redis_service.start()
    store = KeyStore(open_database(f"sqlite:///{tmp_path / 'x.db'}"))
    with bells.ringing_redis(store.engine, redis_url):
        redis_service.kill()
        key = store.create(KeyOrder(), **BY).key
    assert store.get(key.id) == key
    redis_service.start()
    store.engine.dispose()


@pytest.mark.service
def test_the_command_line_rings_by_the_configured_redis(tmp_path, redis_url):
    url = f"sqlite:///{tmp_path / 'x.db'}"
    engine, rang = open_database(url), Event()
    environ = {"PYTHONPATH": str(ROOT), "KEYWATCH_DATABASE": url}
    with bells.hearing(engine, rang.set, redis_url):
        assert rang.wait(PATIENCE_S)
        rang.clear()
        for redis in ("redis://127.0.0.1:9", redis_url):
            command = [sys.executable, "-m", "keywatch", "keys", "create"]
            environ["KEYWATCH_GATEWAY_REDIS"] = redis
            subprocess.run(command, cwd=tmp_path, env=environ, check=True, capture_output=True)
            assert rang.wait(PATIENCE_S if redis == redis_url else 0) == (redis == redis_url)
    engine.dispose()


def test_without_a_redis_nothing_is_asked_of_one(local):
    with bells.ringing_redis(local.engine, ""):
        assert local.create(KeyOrder(), **BY).key.change_seq == 1


def test_what_is_no_address_of_a_redis_is_refused_without_repeating_it(local):
    listen = bells.hearing(local.engine, lambda: None, "https://:hidden@x")
    ring = bells.ringing_redis(local.engine, "https://:hidden@x")
    for opened in (listen, ring):
        with pytest.raises(ServiceError) as told, opened:
            pass
        assert "hidden" not in str(told.value)


def test_without_the_driver_it_is_said_what_to_install(local, monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    with (
        pytest.raises(ConfigError) as told,
        bells.ringing_redis(local.engine, "redis://127.0.0.1:9"),
    ):
        pass
    assert "keywatch[redis]" in told.value.remedy


def test_a_bell_that_cannot_be_heard_is_told_once_and_tried_again(local, monkeypatch, caplog):
    """What is heard in this process goes on ringing, and nobody's log is filled."""
    monkeypatch.setattr(bells, "_RETRY_S", 0.001)
    tries, rang = [], Event()

    def broken(_client, _wake, _stop):
        tries.append(1)
        if len(tries) >= 3:
            rang.set()
        raise ConnectionError("redis://:hidden@x")

    monkeypatch.setattr(bells, "_hear_redis", broken)
    with bells.hearing(local.engine, lambda: None, "redis://127.0.0.1:9"):
        assert rang.wait(PATIENCE_S)
    assert [record.getMessage() for record in caplog.records] == [
        "changes are not announced: ConnectionError"
    ]
