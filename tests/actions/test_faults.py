"""Executors killed while everything around them fails: the database, the receiver, the store."""

import json
import os
import signal
import sqlite3
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from random import Random
from threading import Event, Thread

import pytest
from sqlalchemy import make_url, select

from actions.policy import parse
from database.schema import audit
from database.transaction import open_database, reading
from keystore.audit import verify
from keystore.issue import KeyOrder, Origin
from tests.actions.desk import Desk, alert_about, insisting, until
from tests.actions.test_kill import LEASES_OVER_S, PATIENCE_S, POLICY, SECRET, Nest, messages_once
from tests.databases import _SCRIPT
from tests.httpd import serving
from tests.services import Service, need

KILLS, KEYS = int(os.environ.get("KEYWATCH_TEST_KILLS", "20")) // 2, 2  # half on each database


class Database:
    """A database that can be taken away for a while."""

    def __init__(self, url, take_away):
        self.url, self.take_away = url, take_away


@contextmanager
def locked_now_and_then(path: Path) -> Iterator[None]:
    """Let somebody else hold the write lock, again and again, longer than executors wait."""
    random, stop = Random(5), Event()

    def hold():
        other = sqlite3.connect(path, timeout=30, isolation_level=None)
        while not stop.is_set():
            other.execute("BEGIN IMMEDIATE")
            stop.wait(random.random() * 0.12)
            other.execute("ROLLBACK")
            stop.wait(random.random() * 0.3)
        other.close()

    thread = Thread(target=hold)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@pytest.fixture(params=["sqlite", pytest.param("postgresql", marks=pytest.mark.service)])
def database(request, tmp_path):
    if request.param == "sqlite":
        url = f"sqlite:///{tmp_path}/keywatch.db"
        open_database(url).dispose()
        with locked_now_and_then(tmp_path / "keywatch.db"):
            yield Database(url, lambda: None)
        return
    need("postgresql")
    with tempfile.TemporaryDirectory(prefix="keywatch-postgresql-", dir="/var/tmp") as folder:
        Path(folder).chmod(0o755)
        service = Service((str(_SCRIPT),), Path(folder))
        url = service.start()

        def restart():
            service.kill()
            service.start()

        try:
            yield Database(url, restart)
        finally:
            service.stop()


class Theirs:
    """A store elsewhere that answers late, not well, or not at all although it has done it."""

    def __init__(self):
        self.random, self.did = Random(8), []

    def answer(self, asked):
        chance, late_s = self.random.random(), self.random.random() * 0.01
        if chance < 0.2:
            return 503, {}, b""
        said = json.loads(asked.body)
        self.did.append((said["id"], said["type"].removeprefix("key.")))
        Event().wait(late_s)
        if chance < 0.4:
            raise ConnectionError
        return 204, {}, b""

    def of(self, key):
        return [verb for name, verb in self.did if name == key]


def hook(random):
    """Take messages late, not at all, or without an answer although they were taken."""

    def answer(_asked):
        Event().wait(random.random() * 0.01)
        if random.random() < 0.2:
            return 503, {}, b""
        if random.random() < 0.2:
            raise ConnectionError
        return 204, {}, b""

    return answer


class Taken:
    """What a receiver took, as `messages_once` reads it."""

    def __init__(self, asked):
        self.asked = asked

    def ids(self):
        return [one.headers["webhook-id"] for one in self.asked]

    def messages(self):
        return [json.loads(one.body) for one in self.asked]


def adopted(desk, number):
    order = KeyOrder(store="theirs", external_id=f"k{number}", environment="live", owner="ann")
    return insisting(
        lambda: desk.store.adopt(order, Origin(f"{number:064x}"), actor="ann", reason="").id
    )


def test_killed_among_faults_nothing_is_lost_or_done_twice(database):
    random, theirs = Random(4), Theirs()
    engine = insisting(lambda: open_database(database.url))
    desk = Desk(engine)
    desk.now, desk.policy = time.time(), parse(POLICY, "p.toml")
    with serving(hook(Random(9))) as receiver, serving(theirs.answer) as store:
        url = make_url(database.url).render_as_string(hide_password=False)
        nest = Nest(url, receiver.url, SECRET, store.url)
        keys = []
        for kill in range(KILLS):
            child = nest.hatch(kill * LEASES_OVER_S)
            mine = [adopted(desk, KEYS * kill + n) for n in range(KEYS)]
            keys += mine
            for severity in ("high", "critical"):
                for key in mine:
                    alert = alert_about(key, number=f"{key}-{severity}", severity=severity)
                    insisting(partial(desk.answer, alert))
            Event().wait(random.random() * 0.2)
            database.take_away()
            os.kill(child, signal.SIGKILL)
        try:
            finish(desk, nest, theirs, receiver)
        finally:
            nest.close()
        holds(desk, keys, theirs, Taken(receiver.asked))
    engine.dispose()


def finish(desk, nest, theirs, receiver):
    """Let executors work until nothing is left, each one later so that no retry is far off."""
    names = [f"k{number}" for number in range(KEYS * KILLS)]

    def is_left():
        states = {row.state for row in insisting(desk.rows)}
        return states != {"done"} or any(theirs.of(name)[-1:] != ["revoke"] for name in names)

    def seen():
        states = [(row.state, row.attempts) for row in insisting(desk.rows)]
        return states, len(theirs.did), len(receiver.asked)

    end, rounds = time.monotonic() + 5 * PATIENCE_S, KILLS
    while is_left():
        assert time.monotonic() < end
        rounds += 1
        child = nest.hatch(rounds * LEASES_OVER_S)
        # Who could not note that a message was sent has leased it still: the next one sends it.
        before = seen()
        until(lambda before=before: seen() != before, PATIENCE_S)
        Event().wait(0.3)
        os.kill(child, signal.SIGKILL)


def holds(desk, keys, theirs, taken):
    with reading(desk.engine) as connection:
        changes = Counter(connection.execute(select(audit.c.subject, audit.c.verb)).all())
        assert verify(connection).broken_at == 0
    verbs = {what: count for what, count in changes.items() if what[1] in ("throttle", "revoke")}
    assert verbs == {(key, verb): 1 for key in keys for verb in ("throttle", "revoke")}
    assert {row.result["was"]["state"] for row in desk.rows(effect="revoke")} == {"active"}
    assert set(taken.ids()) == {row.idempotency_key for row in desk.rows(effect="notify")}
    first = [message["data"] for message in messages_once(taken)]
    for number, key in enumerate(keys):
        mine = [one["decision"]["action"] for one in first if one["alert"]["key"] == key]
        assert mine == ["throttle", "revoke"]
        there = theirs.of(f"k{number}")
        # Done again, perhaps, but never undone: what came first does not come back.
        assert set(there[there.index("revoke") :]) == {"revoke"}
