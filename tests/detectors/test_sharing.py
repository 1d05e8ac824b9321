"""Several workers: what an address tries is put together, and profiles change hands."""

import math
from contextlib import suppress

import pytest
from sqlalchemy import func, select, update

from database.schema import profile_deltas, side_inputs
from database.transaction import reading, transaction
from detectors import handover, refusals
from detectors.geoip import GeoReader
from detectors.handover import take_over
from detectors.stuffing import STUFFING, Sources
from detectors.watcher import Watcher
from tests.detectors.events import START_MS, batch, cut, life

THIEF = "203.0.113.7"
MOST, LEAST = (tries for tries, _ in STUFFING)


def tries(numbers, address=lambda _: THIEF):
    """Return what a worker sees of an address that tries one key after the other."""
    ours = list(numbers)
    return batch(
        [f"credential:{number}" for number in ours],
        [START_MS + 1000 * number for number in ours],
        ips=[address(number) for number in ours],
        status=[401] * len(ours),
    )


def told(engine, parts):
    found = []
    for one in parts:
        with transaction(engine) as connection:
            found += refusals.tell(connection, one, one.ts_ms)
    return found


def test_what_several_workers_see_of_an_address_is_told_as_one_would_tell_it(engine):
    everything = tries(range(60))
    expected = Sources().alerts(everything, everything.ts_ms)
    assert [alert.severity for alert in expected] == ["medium", "high"]
    assert told(engine, [tries([number]) for number in range(60)]) == expected


def test_who_takes_another_address_of_its_network_for_each_try_is_one_sender(engine):
    """Of IPv6 everybody has 2^64 addresses; a worker sees some of them, another the others."""
    everything = tries(range(60), lambda number: f"2001:db8:7:1:{number:x}::9")
    expected = Sources().alerts(everything, everything.ts_ms)
    assert [alert.severity for alert in expected] == ["medium", "high"]
    assert expected[0].ip == "2001:db8:7:1:9::9"
    assert "2001:db8:7:1::/64" in expected[0].summary
    parts = [tries([number], lambda number: f"2001:db8:7:1:{number:x}::9") for number in range(60)]
    assert told(engine, parts) == expected
    others = tries(range(60), lambda number: f"2001:db8:8:{number:x}::9")
    assert told(engine, [others]) == []


def test_tries_of_a_transaction_that_was_lost_count_once(engine):
    before = range(LEAST - 1)
    for _ in range(2):
        with suppress(ZeroDivisionError), transaction(engine) as connection:
            assert refusals.tell(connection, tries(before), tries(before).ts_ms) == []
            raise ZeroDivisionError
    assert told(engine, [tries(range(1))]) == []
    assert told(engine, [tries(before)]) == []
    assert len(told(engine, [tries([LEAST - 1])])) == 1


def test_accepted_requests_are_no_tries(engine):
    fine = batch([f"key_{number}" for number in range(MOST)], [START_MS] * MOST, ips=[THIEF] * MOST)
    assert told(engine, [fine]) == []
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(side_inputs)) == 0


def test_a_row_of_an_unknown_version_is_begun_anew(engine):
    told(engine, [tries(range(LEAST - 1))])
    with transaction(engine) as connection:
        connection.execute(update(side_inputs).values(version=9999, data=b"of the future"))
    assert told(engine, [tries([LEAST])]) == []
    assert len(told(engine, [tries(range(LEAST - 1))])) == 1


def work(engine, batches, shard=""):
    """Have one worker take in the batches; return its alerts and what it knows of each key."""
    one = Watcher(engine, GeoReader(), clock=lambda: math.inf, shard=shard)
    alerts = []
    for each in batches:
        step = one.step(each, {})
        if engine is not None:
            with transaction(engine) as connection:
                step.write(connection, 0.0)
        alerts += step.alerts
    names = sorted({name for each in batches for name in each.keys})
    one._arena.slots(names)
    return alerts, {n: row.tobytes() for n, row in zip(names, one.of(names), strict=True)}


@pytest.mark.parametrize("shares", [("a", ""), ("", "a")])
def test_who_takes_over_goes_on_as_if_nothing_had_changed_hands(engine, monkeypatch, shares):
    monkeypatch.setattr("detectors.store.LEAST_CHECKPOINT", 0)
    monkeypatch.setattr("detectors.store.SHARE_CHECKPOINT", 1000)
    batches = cut(life(3, keys=5), list(range(0, 400, 40)))
    expected = work(None, batches)
    first, second = shares
    alerts, _ = work(engine, batches[:5], first)
    take_over(engine, shared=second != "")
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(profile_deltas)) == 0
    later, state = work(engine, batches[5:], second)
    assert alerts + later == expected[0]
    assert state == {name: expected[1][name] for name in state}


def test_nothing_is_taken_over_from_who_still_works(engine, monkeypatch):
    monkeypatch.setattr("detectors.store.LEAST_CHECKPOINT", 0)
    monkeypatch.setattr("detectors.store.SHARE_CHECKPOINT", 1000)
    work(engine, cut(life(3), [200]), "a")
    with reading(engine) as connection:
        before = connection.scalar(select(func.count()).select_from(profile_deltas))
    take_over(engine, shared=True)
    with reading(engine) as connection:
        assert connection.scalar(select(func.count()).select_from(profile_deltas)) == before > 0


def test_who_takes_over_a_moment_after_another_changes_nothing(engine, monkeypatch):
    monkeypatch.setattr("detectors.store.LEAST_CHECKPOINT", 0)
    monkeypatch.setattr("detectors.store.SHARE_CHECKPOINT", 1000)
    _, before = work(engine, cut(life(3), [200]), "a")
    write, asked = handover.transaction, []

    def after_another(database):
        if not asked:
            asked.append(1)
            take_over(engine, shared=False)
            work(engine, cut(life(4), [200]))  # and it goes on working
        return write(database)

    monkeypatch.setattr(handover, "transaction", after_another)
    take_over(engine, shared=False)
    expected = work(None, [*cut(life(3), [200]), *cut(life(4), [200])])[1]
    assert before.keys() == expected.keys()
    assert work(engine, [])[1] == {}
    again = Watcher(engine, GeoReader(), clock=lambda: math.inf)
    names = sorted(expected)
    assert {n: r.tobytes() for n, r in zip(names, again.of(names), strict=True)} == expected
