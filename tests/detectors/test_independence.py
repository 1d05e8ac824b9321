"""The same events in any batches, with any restarts, give the same profiles and alerts."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from database.transaction import transaction
from detectors.geoip import GeoReader
from detectors.profile import PROFILE
from detectors.watcher import Watcher, WatchSettings
from tests.databases import open_empty
from tests.detectors.events import cut, life

GEO = GeoReader()


def watcher(engine=None):
    return Watcher(engine, GEO, clock=lambda: math.inf)


def state(one):
    names = sorted(one._arena.names)
    return {name: row.tobytes() for name, row in zip(names, one.of(names), strict=True)}


def ran(one, batches):
    return [alert for batch in batches for alert in one.step(batch, {}).alerts]


def differing(left, right):
    """Name the fields in which two states differ, for a failing test."""
    found = set()
    for key, raw in left.items():
        a, b = np.frombuffer(raw, PROFILE)[0], np.frombuffer(right[key], PROFILE)[0]
        found |= {name for name in PROFILE.names if a[name].tobytes() != b[name].tobytes()}
    return found


# What a batch costs does not depend on its keys: many lives at once, few examples.
@settings(max_examples=11, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(seed=st.integers(0, 10_000), edges=st.lists(st.integers(0, 1800), max_size=40))
def test_any_batches_give_the_same_profiles_and_alerts(seed, edges):
    events = life(seed, n=1800, keys=13, days=18.0)  # known after 14
    one, other = watcher(), watcher()
    first = ran(one, cut(events, []))
    second = ran(other, cut(events, edges))
    assert differing(state(one), state(other)) == set()
    assert state(one) == state(other)
    assert sorted(first, key=lambda a: (a.ts, a.id)) == sorted(second, key=lambda a: (a.ts, a.id))


def test_one_event_a_batch_gives_the_same_profiles_and_alerts():
    events = life(7, n=150, keys=2, days=18.0)
    one, other = watcher(), watcher()
    first = ran(one, cut(events, []))
    second = ran(other, cut(events, list(range(150))))
    assert differing(state(one), state(other)) == set()
    assert sorted(first, key=lambda a: (a.ts, a.id)) == sorted(second, key=lambda a: (a.ts, a.id))


def test_a_restart_after_every_batch_gives_the_same_profiles_and_alerts(tmp_path, monkeypatch):
    # So few whole rows a batch that the differences must carry some profiles across restarts.
    monkeypatch.setattr("detectors.store.LEAST_CHECKPOINT", 1)
    monkeypatch.setattr("detectors.store.SHARE_CHECKPOINT", 1000)
    batches = cut(life(3, keys=9, days=18.0), list(range(0, 400, 16)))
    never = watcher()
    expected = ran(never, batches)
    engine = open_empty(f"sqlite:///{tmp_path / 'k.db'}")
    alerts = []
    for batch in batches:
        restarted = watcher(engine)
        step = restarted.step(batch, {})
        with transaction(engine) as connection:
            step.write(connection, 0.0)
        assert step.told == ()
        alerts += step.alerts
    last = watcher(engine)
    last._arena.slots(sorted(state(never)))
    assert differing(state(never), state(last)) == set()
    assert alerts == expected


def test_a_lost_transaction_is_repeated_with_the_same_result(tmp_path):
    batches = cut(life(5), [100, 200, 300])
    engine = open_empty(f"sqlite:///{tmp_path / 'k.db'}")
    never = watcher()
    expected = ran(never, batches)
    alerts = []
    for batch in batches:
        watcher(engine).step(batch, {})  # killed before the commit
        again = watcher(engine)
        step = again.step(batch, {})
        with transaction(engine) as connection:
            step.write(connection, 0.0)
        alerts += step.alerts
    assert alerts == expected
    assert state(again) == state(never)


@pytest.mark.parametrize("behind", [False, True])
def test_profiles_that_wait_in_the_database_give_the_same_profiles_and_alerts(
    tmp_path, monkeypatch, behind
):
    """Whether they stand there whole, or before differences that no whole row holds yet."""
    monkeypatch.setattr("detectors.stored.MANY", 0)
    batches = cut(life(11, keys=9, days=18.0), list(range(0, 400, 14)))
    never = watcher()
    expected = ran(never, batches)
    engine = open_empty(f"sqlite:///{tmp_path / 'k.db'}")
    if behind:
        monkeypatch.setattr("detectors.store.LEAST_CHECKPOINT", 1)
        monkeypatch.setattr("detectors.store.SHARE_CHECKPOINT", 1000)
        monkeypatch.setattr("detectors.store.SHARE_SOWN", 1000)
    few = WatchSettings(profiles_in_memory=2)
    crowded = Watcher(engine, GEO, few, clock=lambda: math.inf)
    alerts, most = [], 0
    for number, batch in enumerate(batches):
        if behind and number == 3:
            crowded = Watcher(engine, GEO, few, clock=lambda: math.inf)
        step = crowded.step(batch, {})
        with transaction(engine) as connection:
            step.write(connection, 0.0)
        assert step.told == ()
        alerts += step.alerts
        most = max(most, len(crowded._arena))
    assert most < 9
    crowded._arena.slots(sorted(state(never)))
    assert differing(state(never), state(crowded)) == set()
    assert alerts == expected
