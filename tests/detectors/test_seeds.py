"""Keys with few events: kept as they came, and the same as if they had been judged one by one."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select, update

from database.schema import profile_deltas, profiles, side_inputs
from database.transaction import reading, transaction
from detectors import seeds
from detectors.facts import KeyFacts
from detectors.geoip import GeoReader
from detectors.packing import CorruptError, pack, unpack
from detectors.seeds import SEED, SeedBed
from detectors.upgrade import LAYOUTS
from detectors.watcher import Watcher, WatchSettings
from tests.databases import open_empty
from tests.detectors.events import DAY_MS, START_MS, batch, cut, life

GEO = GeoReader()


def watcher(engine=None, **more):
    return Watcher(engine, GEO, clock=lambda: math.inf, **more)


def ran(one, batches, facts=None):
    return [alert for part in batches for alert in one.step(part, facts or {}).alerts]


def state(one):
    names = sorted(one._arena.names)
    return {name: row.tobytes() for name, row in zip(names, one.of(names), strict=True)}


@settings(
    max_examples=20,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 10_000),
    keys=st.integers(1, 270),
    days=st.sampled_from([0.5, 4.0, 16.0, 400.0]),
    keen=st.sampled_from([0.0, 0.9, 2.5, -1.0]),
    edges=st.lists(st.integers(0, 600), max_size=20),
)
def test_kept_events_change_no_alert_and_no_profile(monkeypatch, seed, keys, days, keen, edges):
    # Each day is a round of its own: of long lives fewer events say as much.
    events = life(seed, n=600 if days < 30 else 200, keys=keys, days=days)
    facts = {f"key_{i}": KeyFacts(sensitivity=keen, tz="Europe/Paris") for i in range(keys)}
    kept = watcher()
    told = ran(kept, cut(events, [edge for edge in edges if edge < len(events)]), facts)
    with monkeypatch.context() as patch:
        patch.setattr(seeds, "LIMIT", 0)
        judged = watcher()
    assert sorted(told, key=lambda a: (a.ts, a.id)) == ran(judged, cut(events, []), facts)
    names = sorted(judged._arena.names)
    assert kept.of(names, facts).tobytes() == judged.of(names, facts).tobytes()


def test_a_key_used_once_has_no_row_and_one_used_often_has_one():
    one = watcher()
    ran(one, [batch(["key_a", *["key_b"] * 9], [START_MS + i for i in range(10)])])
    slots = one._arena.slots(["key_a", "key_b"])
    assert one._arena.has_row(slots).tolist() == [False, True]
    assert one.of(["key_a", "key_b"])["events"].tolist() == [1, 9]


@pytest.mark.parametrize(
    ("second", "kept"),
    [
        ({"ts_ms": [START_MS + DAY_MS]}, True),
        ({"ts_ms": [START_MS + DAY_MS], "ips": ["1.1.1.1"]}, False),
        ({"ts_ms": [START_MS + 31 * DAY_MS]}, False),
    ],
)
def test_another_network_or_a_long_silence_is_judged_at_once(second, kept):
    one = watcher()
    ran(one, [batch(["key_a"], [START_MS]), batch(["key_a"], **second)])
    assert one._arena.has_row(one._arena.slots(["key_a"])).tolist() == [not kept]


def test_restarts_and_little_memory_keep_few_events_of_many_keys(tmp_path, monkeypatch):
    monkeypatch.setattr("detectors.store.LEAST_CHECKPOINT", 3)
    monkeypatch.setattr("detectors.stored.MANY", 0)
    batches = cut(life(21, n=300, keys=80), list(range(0, 300, 11)))
    never = watcher()
    expected = ran(never, batches)
    engine = open_empty(f"sqlite:///{tmp_path / 'k.db'}")
    alerts, one = [], None
    for i, part in enumerate(batches):
        if one is None or i % 3 == 0:
            one = watcher(engine, settings=WatchSettings(profiles_in_memory=20))
        step = one.step(part, {})
        with transaction(engine) as connection:
            step.write(connection, 0.0)
        assert step.told == ()
        alerts += step.alerts
    last = watcher(engine)
    last._arena.slots(sorted(state(never)))
    assert state(last) == state(never)
    assert alerts == expected


def aged(connection, version):
    """Make what is stored what that version wrote: of its own layout, and without later fields."""
    for table in (profiles, profile_deltas, side_inputs):
        connection.execute(update(table).values(version=version))
    for key, data in connection.execute(select(profiles.c.key_id, profiles.c.data)).all():
        row = unpack(key, data)
        old = np.zeros(1, LAYOUTS[version])
        for name in set(old.dtype.names) - {"padding"}:
            old[name] = row[name]
        mine = profiles.c.key_id == key
        connection.execute(update(profiles).where(mine).values(data=pack(key, old)))


@pytest.mark.parametrize("version", [3, 4, 5, 6, 7, 8])
def test_what_older_versions_wrote_is_read(tmp_path, monkeypatch, version):
    # What came later, such as fingerprints of TLS hellos, older versions did not write.
    events = [one | {"prints": "", "tokens": 0} for one in life(8, n=200, keys=30, days=20)]
    batches = cut(events, [100])
    monkeypatch.setattr(seeds, "LIMIT", 0)  # version 3 had rows only
    monkeypatch.setattr("detectors.store.LEAST_CHECKPOINT", 10)
    engine = open_empty(f"sqlite:///{tmp_path / 'k.db'}")
    never = watcher()
    ran(never, batches)
    with transaction(engine) as connection:
        watcher(engine).step(batches[0], {}).write(connection, 0.0)
        aged(connection, version)
    monkeypatch.undo()
    step = watcher(engine).step(batches[1], {})
    with transaction(engine) as connection:
        step.write(connection, 0.0)
    assert step.told == ()
    last = watcher(engine)
    last._arena.slots(sorted(state(never)))
    assert state(last) == state(never)


def test_a_key_used_once_takes_tens_of_bytes_in_the_database(tmp_path):
    engine = open_empty(f"sqlite:///{tmp_path / 'k.db'}")
    with transaction(engine) as connection:
        watcher(engine).step(batch(["key_a"], [START_MS]), {}).write(connection, 0.0)
    with reading(engine) as connection:
        data = connection.execute(select(profiles.c.data)).scalar_one()
    assert len(data) == 8 + SEED.itemsize <= 84
    assert unpack("key_a", data)["t"].tolist() == [START_MS]


@pytest.mark.parametrize("length", [-1, -72, 5])
def test_damaged_seeds_are_refused(length):
    data = pack("key_a", np.zeros(1, SEED))
    with pytest.raises(CorruptError):
        unpack("key_a", data[:length])
    with pytest.raises(CorruptError):
        unpack("key_b", data)


@given(st.lists(st.lists(st.integers(0, 9), min_size=1, max_size=12), max_size=12))
def test_a_bed_gives_each_key_its_seeds_in_order(rounds):
    bed, last, count = SeedBed(), np.zeros(10, np.int64), np.zeros(10, np.int64)
    expected = {i: [] for i in range(10)}
    for number, keys in enumerate(rounds):
        used, row = np.unique(np.sort(keys), return_inverse=True)
        sown = np.zeros(len(row), SEED)
        sown["t"] = 100 * number + np.arange(len(row))
        last[used] = bed.sow(row.astype(np.int32), sown, last[used])
        count += np.bincount(keys, minlength=10)
        for key, t in zip(used[row].tolist(), sown["t"].tolist(), strict=True):
            expected[key].append(t)
    row, found = bed.of(last, count)
    assert row.tolist() == [key for key, ts in expected.items() for _ in ts]
    assert found["t"].tolist() == [t for ts in expected.values() for t in ts]


def test_seeds_of_nobody_are_swept_out():
    one = watcher()
    names = [f"key_{i}" for i in range(2000)]
    first, last = START_MS, START_MS + 20 * DAY_MS
    ran(one, [batch(names, [first] * 2000)])
    before = one.of(names[:5]).tobytes()
    # All but five become rows, which leaves their seeds to nobody.
    ran(one, [batch(names[5:] * 4, [last] * 4 * 1995)])
    assert one._arena._bed._used <= SeedBed.FIRST
    assert one.of(names[:5]).tobytes() == before


def test_kept_events_of_several_keys_become_rows_together_as_each_alone():
    """One was used on one day, the other on two."""
    known = watcher()
    ts = [START_MS, START_MS + 1000, START_MS + DAY_MS]
    known.step(batch(["key_a", "key_b", "key_b"], ts), {})
    together = known.of(["key_a", "key_b"])
    assert together["events"].tolist() == [1, 2]
    for i, name in enumerate(("key_a", "key_b")):
        assert known.of([name]).tobytes() == together[i : i + 1].tobytes()
