"""Positions, dead letters and the queue, on both databases."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from sqlalchemy import select, text, update

from database.schema import repo_events
from database.transaction import reading, transaction
from streams import checkpoint, deadletter, repoqueue
from tests.databases import open_empty
from vocabulary.errors import DatabaseError
from vocabulary.repository import RepoEvent


@pytest.fixture
def engine(database_url):
    engine = open_empty(database_url)
    yield engine
    engine.dispose()


def test_a_position_is_what_was_saved_last(engine):
    with transaction(engine) as connection:
        assert checkpoint.load(connection, "file:/a") is None
        checkpoint.save(connection, "file:/a", {"offset": 1}, 1.0)
        checkpoint.save(connection, "file:/a", {"offset": 2, "inode": 3}, 2.0)
        checkpoint.save(connection, "file:/b", {"offset": 9}, 2.0)
    with reading(engine) as connection:
        assert checkpoint.load(connection, "file:/a") == {"offset": 2, "inode": 3}


def test_a_position_is_saved_with_its_results_or_not_at_all(engine):
    def half_done():
        with transaction(engine) as connection:
            checkpoint.save(connection, "file:/a", {"offset": 1}, 1.0)
            deadletter.keep(connection, "file:/a", [({"offset": 0}, "no", b"x")], 1.0)
            raise InterruptedError

    with pytest.raises(InterruptedError):
        half_done()
    with reading(engine) as connection:
        assert checkpoint.load(connection, "file:/a") is None
        assert deadletter.count(connection) == 0


def test_of_two_workers_that_read_the_same_records_one_commits(engine):
    with transaction(engine) as connection:
        checkpoint.save(connection, "kafka:t/0", {"offset": 5, "after": None}, 1.0)
        checkpoint.save(connection, "kafka:t/0", {"offset": 9, "after": 5}, 1.0)
    for after in (None, 5):
        with (
            pytest.raises(DatabaseError, match="kafka:t/0: another worker"),
            transaction(engine) as connection,
        ):
            checkpoint.save(connection, "kafka:t/0", {"offset": 7, "after": after}, 1.0)
    with reading(engine) as connection:
        assert checkpoint.load(connection, "kafka:t/0") == {"offset": 9}


def test_dead_letters_keep_position_reason_and_the_start_of_the_line(engine):
    with transaction(engine) as connection:
        deadletter.keep(connection, "s", [], 1.0)
        deadletter.keep(
            connection,
            "s",
            [({"offset": 7}, "status: no", b"\0\xff"), ({"offset": 8}, "long", b"y" * 70_000)],
            0.0,
        )
        deadletter.keep(connection, "t", [({}, "else", b"")], 1.0)
    with reading(engine) as connection:
        long, short = deadletter.newest(connection, source="s")
        assert deadletter.count(connection) == 3
        assert deadletter.count(connection, "s") == 2
        assert len(deadletter.newest(connection, limit=1)) == 1
    assert len(long.raw) == 65_536
    assert (short.position, short.reason, short.raw) == ({"offset": 7}, "status: no", b"\0\xff")
    assert short.when == "1970-01-01T00:00:00+00:00"


def push(number=0, at=100.0):
    return RepoEvent(
        delivery=f"d{number}",
        forge="github",
        repository="https://git.example/a.git",
        ref="refs/heads/main",
        before="0" * 40,
        after="1" * 40,
        private=True,
        received_at=at,
    )


def test_a_delivery_is_queued_once(engine):
    with transaction(engine) as connection:
        assert repoqueue.put(connection, push())
        assert not repoqueue.put(connection, push(at=999.0))
        assert repoqueue.take(connection, 100.0).event == push()
        assert repoqueue.take(connection, 100.0) is None


def test_events_are_taken_in_order_and_what_failed_comes_later(engine):
    with transaction(engine) as connection:
        for number in range(3):
            repoqueue.put(connection, push(number))
        first = repoqueue.take(connection, 100.0)
        repoqueue.failed(connection, first.id, "away")
        assert repoqueue.take(connection, 100.0).event.delivery == "d1"
        assert repoqueue.take(connection, 111.0).event.delivery == "d2"
        again = repoqueue.take(connection, 111.0)
        assert (again.event.delivery, again.attempts) == ("d0", 1)
        repoqueue.done(connection, again.id)


def test_an_event_that_always_fails_is_given_up(engine):
    with transaction(engine) as connection:
        repoqueue.put(connection, push())
        now = 100.0
        for _ in repoqueue.RETRY_AFTER_S:
            taken = repoqueue.take(connection, now)
            repoqueue.failed(connection, taken.id, "away")
            now += 300_000
        assert repoqueue.take(connection, now) is None


def test_an_event_that_brings_the_process_down_is_given_up(engine):
    with transaction(engine) as connection:
        repoqueue.put(connection, push())
        now = 100.0
        for _ in repoqueue.RETRY_AFTER_S:
            assert repoqueue.take(connection, now)
            now += 300_000
        repoqueue.put(connection, push(1, at=now))
        assert repoqueue.take(connection, now).event.delivery == "d1"
        assert repoqueue.take(connection, now) is None


def test_the_oldest_letters_of_who_has_most_make_room(engine):
    with transaction(engine) as connection:
        deadletter.keep(connection, "file:/a", [({"offset": 0}, "no", b"a")] * 3, 1.0)
        for number in range(20):
            one = ({"offset": number}, "no", b"%d" % number)
            deadletter.keep(connection, "syslog:udp", [one], 1.0)
        assert deadletter.limit(connection, 23) == 0
        dropped = deadletter.limit(connection, 20)
        assert 3 <= dropped <= 5
        assert deadletter.per_source(connection) == {"file:/a": 3, "syslog:udp": 20 - dropped}
        assert deadletter.newest(connection, 1)[0].raw == b"19"


def test_events_that_were_dealt_with_are_forgotten_in_time(engine):
    with transaction(engine) as connection:
        for number in range(3):
            repoqueue.put(connection, push(number, at=100.0))
        repoqueue.done(connection, repoqueue.take(connection, 100.0).id)
        given_up = repoqueue.take(connection, 100.0).id
        connection.execute(
            update(repo_events).where(repo_events.c.id == given_up).values(state="dead")
        )
        assert repoqueue.prune(connection, 100.0) == 0
        assert repoqueue.prune(connection, 101.0) == 1
        left = connection.execute(select(repo_events.c.state)).scalars().all()
    assert left == ["waiting"]


@pytest.mark.parametrize("fenced", [True, False])
def test_of_two_workers_that_begin_a_source_at_once_the_second_is_told_or_later(engine, fenced):
    after = {"after": None} if fenced else {}

    def second():
        with transaction(engine) as connection:
            checkpoint.save(connection, "kafka:t/0", {"offset": 7, **after}, 2.0)

    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as connection:
            checkpoint.save(connection, "kafka:t/0", {"offset": 5, **after}, 1.0)
            saving = pool.submit(second)
            # SQLite lets the other one in when this is over; PostgreSQL, and then has it wait.
            waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while engine.dialect.name == "postgresql" and not connection.execute(waits).scalar():
                pass
        failed = saving.exception()
    assert isinstance(failed, DatabaseError) is fenced
    with reading(engine) as connection:
        assert checkpoint.load(connection, "kafka:t/0") == {"offset": 5 if fenced else 7}


def test_deliveries_are_known_for_a_week_and_sources_found_by_their_names(engine):
    week = 7 * 86_400.0
    with transaction(engine) as connection:
        checkpoint.save(
            connection, "http:a_b", {"lines": 1, "deliveries": {"k1": "a", "k2": "b"}}, 1.0
        )
        checkpoint.save(connection, "http:axb", {"lines": 2, "deliveries": {"k3": "c"}}, week)
        assert checkpoint.delivered(connection, ["k1", "k3", "k9"]) == {"k1": "a", "k3": "c"}
        checkpoint.save(connection, "http:axb", {"lines": 3, "deliveries": {"k4": "d"}}, week + 2)
        assert checkpoint.delivered(connection, ["k1", "k2", "k3", "k4"]) == {
            "k3": "c",
            "k4": "d",
        }
        assert checkpoint.under(connection, "http:a_") == {"http:a_b": {"lines": 1}}


def test_what_the_pipeline_notes_with_a_position_is_none_of_the_sources(engine):
    noted = {"offset": 1, "header": "#Fields:", "newest_ms": 5, "lag_ms": 1, "behind": 0}
    assert checkpoint.bare(noted) == {"offset": 1}
