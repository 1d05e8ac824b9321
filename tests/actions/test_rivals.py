"""Executors and pipelines that work on one database at the same time."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from threading import Event, Lock

import pytest
from sqlalchemy import select, text

from actions import judgement
from actions.background import running
from actions.executor import Executor
from actions.policy import parse
from actions.undo import undo
from database.schema import audit
from database.transaction import open_database, reading, transaction
from keystore.audit import verify
from tests.actions.desk import Desk, alert_about, until
from vocabulary.errors import DatabaseError, ServiceError

POLICY = """
[guards]
revocations_per_hour = {cap}
breaker_keys = 100000
breaker_share = 1.0
[[case]]
severity = ["critical"]
action = "revoke"
notify = ["all"]
[[case]]
action = "throttle"
rate_per_min = 5
notify = ["all"]
"""

SECRET = "s3cr3t" * 4


@pytest.fixture
def shared(database_url) -> Iterator[Desk]:
    engine = open_database(database_url)
    yield Desk(engine)
    engine.dispose()


def test_rival_executors_do_everything_once_and_in_order(shared):
    shared.policy = parse(POLICY.format(cap=1000), "p.toml")
    keys = [shared.key() for _ in range(8)]
    for severity in ("high", "critical"):
        for key in keys:
            shared.answer(alert_about(key, number=f"{key}-{severity}", severity=severity))
    told, lock = [], Lock()

    def tell(message, idempotency_key, now):
        alert = message["data"]["alert"]
        with lock:
            told.append((alert["key"], alert["action"]))

    rivals = [
        Executor(shared.engine, notifiers={"all": tell}, clock=shared.clock) for _ in range(4)
    ]
    with ThreadPoolExecutor(len(rivals)) as threads:
        while any(row.state != "done" for row in shared.rows()):
            list(threads.map(Executor.run_once, rivals))
    for key in keys:
        assert [action for about, action in told if about == key] == ["throttle", "revoke"]
    with reading(shared.engine) as connection:
        verbs = Counter(connection.execute(select(audit.c.verb)).scalars())
        assert verify(connection).broken_at == 0
    assert verbs == {"create": 8, "decide": 16, "throttle": 8, "revoke": 8, "adopt": 1}


def test_rival_pipelines_share_one_cap(shared):
    shared.policy = parse(POLICY.format(cap=3), "p.toml")
    keys = [shared.key() for _ in range(12)]

    def answer(key):
        shared.answer(alert_about(key, number=key, severity="critical"))

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(answer, keys))
    states = Counter(row.state for row in shared.rows(lane="effect"))
    assert states == {"waiting": 3, "held": 9}


def test_a_decision_is_undone_while_executors_work(shared):
    shared.policy = parse(POLICY.format(cap=1000), "p.toml")
    keys = [shared.key() for _ in range(10)]
    for key in keys:
        shared.answer(alert_about(key, number=key, severity="critical"))
    said = []
    executors = Executor(shared.engine, notifiers={"all": lambda *_: None}, clock=shared.clock)
    with running(executors, said.append, poll_s=0.001):
        for row in shared.rows(lane="effect"):
            with transaction(shared.engine) as connection:
                undo(connection, row.id, actor="bob", now=shared.now)
    assert said == []
    assert {shared.store.get(key).state for key in keys} == {"active"}


def test_who_is_told_to_stop_begins_no_further_message(shared):
    begun, go_on = Event(), Event()
    told = []

    def tell(message, idempotency_key, now):
        told.append(idempotency_key)
        begun.set()
        go_on.wait(20)

    shared.policy = parse('[[case]]\nnotify = ["all"]', "p.toml")
    for number in range(5):
        shared.answer(alert_about(shared.key(), number=number))
    executor = Executor(shared.engine, notifiers={"all": tell}, clock=shared.clock)
    with running(executor, told.append, poll_s=0.001) as background:
        assert begun.wait(20)
        background._stop.set()
        go_on.set()
    assert len(told) == 1
    assert Counter(row.state for row in shared.rows()) == {"done": 1, "waiting": 4}


def test_a_database_that_is_away_is_told_and_waited_for(desk, monkeypatch):
    away, said = [DatabaseError("locked", where="keywatch.db")], []

    class Flaky(Executor):
        def run_effects(self):
            if away:
                raise away.pop()
            return super().run_effects()

    monkeypatch.setattr("actions.background._AWAY_S", 0.01)
    desk.answer(alert_about(desk.key()))
    executor = Flaky(desk.engine, notifiers={"owner": lambda *_: None}, clock=desk.clock)
    with running(executor, said.append, poll_s=0.001):
        until(lambda: desk.rows(lane="effect")[0].state == "done")
    assert said == ["keywatch.db: locked"]


def test_a_defect_of_ours_is_told_without_its_words_and_ends_no_work(desk, monkeypatch):
    defects, said = [KeyError(SECRET)], []

    class Flawed(Executor):
        def run_effects(self):
            if defects:
                raise defects.pop()
            return super().run_effects()

    monkeypatch.setattr("actions.background._AWAY_S", 0.01)
    desk.answer(alert_about(desk.key()))
    executor = Flawed(desk.engine, notifiers={"owner": lambda *_: None}, clock=desk.clock)
    with running(executor, said.append, poll_s=0.001):
        until(lambda: said and desk.rows(lane="effect")[0].state == "done")
    (line,) = said
    assert line.startswith("effects: a fault of keywatch itself: KeyError at test_rivals.py:")
    assert SECRET not in line


def test_a_message_that_was_given_up_is_tried_again_by_a_person(desk):
    refusals = [ServiceError("away")] * 14

    def tell(message, idempotency_key, now):
        if refusals:
            raise refusals.pop()

    desk.answer(alert_about(desk.key()))
    executor = Executor(desk.engine, notifiers={"owner": tell}, clock=desk.clock)
    while refusals:
        executor.run_once()
        desk.now += 4000
    (row,) = desk.rows(state="dead")
    with transaction(desk.engine) as connection:
        assert judgement.retry(connection, [row.id], actor="bob", now=desk.now) == [row.id]
    executor.run_once()
    assert desk.rows(effect="notify")[0].state == "done"


@pytest.fixture
def held(postgresql_url) -> Iterator[Desk]:
    """A revocation that two people must approve, on a server where two may write at once."""
    engine = open_database(postgresql_url)
    desk = Desk(engine)
    desk.policy = parse(
        '[guards]\ntwo_person = ["revoke"]\n[[case]]\naction = "revoke"\n', "p.toml"
    )
    desk.answer(alert_about(desk.key()))
    yield desk
    engine.dispose()


def at_once(desk, first, second):
    """Let two people judge all that is held, the second while the first has not committed."""
    numbers = [row.id for row in desk.rows(state="held")]

    def say(connection, verb, who):
        return verb(connection, numbers, actor=who, now=desk.now)

    def later():
        with transaction(desk.engine) as connection:
            return say(connection, second, "carol")

    with ThreadPoolExecutor(1) as pool:
        with transaction(desk.engine) as connection:
            done = say(connection, first, "bob")
            other = pool.submit(later)
            waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not connection.execute(waits).scalar():
                pass
        return len(done), len(other.result(60))


@pytest.mark.service
def test_who_says_no_is_not_overruled_by_who_says_yes_at_the_same_time(held):
    numbers = [row.id for row in held.rows(state="held")]
    with transaction(held.engine) as connection:
        judgement.approve(connection, numbers, actor="dave", now=held.now)
    assert at_once(held, judgement.reject, judgement.approve) == (1, 0)
    assert [row.id for row in held.rows(state="rejected")] == numbers


@pytest.mark.service
def test_two_people_who_approve_at_the_same_time_are_two(held):
    assert at_once(held, judgement.approve, judgement.approve) == (0, 1)
    assert not held.rows(state="held")
