"""Profiles that are damaged, too new or many; what is kept and what is told."""

import math
from zlib import crc32

import numpy as np
import pytest
import zstandard
from sqlalchemy import func, literal_column, select, update

from database.schema import profile_deltas, profiles, side_inputs
from database.transaction import reading, transaction
from detectors import store
from detectors.geoip import GeoReader
from detectors.profile import PROFILE, VERSION, blank
from detectors.watcher import Watcher, WatchSettings
from tests.databases import open_empty
from tests.detectors.events import HOUR_MS, START_MS, batch, cut, life
from vocabulary.lesson import REBUILT, Lesson

GEO = GeoReader()


@pytest.fixture
def engine(tmp_path):
    return open_empty(f"sqlite:///{tmp_path / 'k.db'}")


def watched(engine, part):
    watcher = Watcher(engine, GEO, clock=lambda: math.inf)
    step = watcher.step(part, {})
    with transaction(engine) as connection:
        step.write(connection, 0.0)
    return watcher, step


def test_a_row_is_at_most_four_kilobytes():
    assert PROFILE.itemsize <= 4096


def test_a_packed_row_comes_back_and_belongs_to_its_key():
    row = blank(1)
    row["events"] = 7
    data = store.pack("key_a", row[0])
    assert store.unpack("key_a", data).tobytes() == row.tobytes()
    with pytest.raises(store.CorruptError):
        store.unpack("key_b", data)
    with pytest.raises(store.CorruptError):
        store.unpack("key_a", data[:-3])


TEXT = literal_column("'text' || x'ff'")  # for SQLite that is no blob


@pytest.mark.parametrize("change", [{"data": b"rubbish"}, {"version": 99}, {"data": TEXT}])
def test_a_profile_that_cannot_be_read_is_told_and_learned_anew(engine, change):
    watched(engine, batch(["key_a", "key_b"], [START_MS, START_MS]))
    with transaction(engine) as connection:
        connection.execute(update(profiles).where(profiles.c.key_id == "key_a").values(change))
    watcher, step = watched(engine, batch(["key_a", "key_b"], [START_MS + 1, START_MS + 1]))
    assert len(step.told) == 1
    assert "key_a" in step.told[0]
    assert watcher.of(["key_a", "key_b"])["events"].tolist() == [1, 2]
    again, step = watched(engine, batch(["key_a", "key_b"], [START_MS + 2, START_MS + 2]))
    assert step.told == ()
    assert again.of(["key_a", "key_b"])["events"].tolist() == [2, 3]


def test_differences_are_deleted_once_whole_rows_have_followed(engine, monkeypatch):
    monkeypatch.setattr(store, "LEAST_CHECKPOINT", 2)
    monkeypatch.setattr(store, "SHARE_CHECKPOINT", 1000)
    names = [f"key_{i}" for i in range(6)]
    for i in range(5):
        watched(engine, batch(names if not i else names[:1], [START_MS + i] * (1 if i else 6)))
    with reading(engine) as connection:
        kept = connection.execute(select(func.min(profile_deltas.c.batch))).scalar()
        whole = connection.execute(select(func.count()).select_from(profiles)).scalar()
    assert whole == 6
    assert kept is None or kept > 2


def test_differences_that_cannot_be_read_are_told_and_whole_rows_serve(engine):
    watched(engine, batch(["key_a"], [START_MS]))
    with transaction(engine) as connection:
        connection.execute(
            profile_deltas.insert(), [{"batch": 2, "version": 99, "data": b"from the future"}]
        )
    watcher = Watcher(engine, GEO, clock=lambda: math.inf)
    step = watcher.step(batch(["key_a"], [START_MS + 1]), {})
    assert "cannot be read" in step.told[0]
    assert watcher.of(["key_a"])["events"].tolist() == [2]


def test_state_does_not_grow_with_what_a_key_does(engine):
    rng = np.random.default_rng(1)
    n = 3000
    part = batch(
        ["key_a"] * n,
        (START_MS + np.sort(rng.integers(0, 40 * 86_400_000, n))).tolist(),
        ips=[f"{a}.{b}.1.1" for a, b in rng.integers(1, 223, (n, 2)).tolist()],
        paths=[f"/v{i}/{'x' * (i % 700)}" for i in range(n)],
        agents=[f"agent-{chr(97 + i % 26) * (i % 900)}" for i in range(n)],
    )
    watcher, _ = watched(engine, part)
    assert len(watcher._arena) == 1
    with reading(engine) as connection:
        assert len(connection.execute(select(profiles.c.data)).scalar_one()) < PROFILE.itemsize


def test_missing_fields_are_borne(engine):
    events = [{**one, "ips": "", "agents": "", "paths": "", "status": 0} for one in life(1, n=50)]
    watcher, step = watched(engine, cut(events, [])[0])
    assert step.events == 50
    assert watcher.of(["key_0"])["events"][0] > 0


ASKED = Lesson("key_a", REBUILT, START_MS, START_MS)


def offered(engine, data):
    """Have a profile of key_a given up and another one offered; return what is taken of it."""
    watched(engine, batch(["key_a"], [START_MS]))
    with transaction(engine) as connection:
        connection.execute(update(profiles).values(data=b"rubbish"))
    watched(engine, batch(["key_a"], [START_MS + 1]))
    if data is not None:
        with transaction(engine) as connection:
            store.offer(connection, "key_a", data)
    watcher = Watcher(engine, GEO, clock=lambda: math.inf)
    step = watcher.step(batch(["key_a"], [START_MS + HOUR_MS]), {}, [ASKED])
    with transaction(engine) as connection:
        step.write(connection, 0.0)
    assert step.taught == (ASKED,)
    return watcher, step


def aside(engine):
    with reading(engine) as connection:
        names = connection.execute(select(side_inputs.c.name)).scalars().all()
    return sorted(name.partition(":")[0] for name in names if name != store.FLEET)


@pytest.mark.parametrize("events", [2, 60])
def test_a_profile_put_together_from_history_is_taken_up_and_ends_the_quarantine(engine, events):
    history = Watcher(None, GEO, clock=lambda: math.inf)
    history.step(batch(["key_a"] * events, [START_MS + i * 1000 for i in range(events)]), {})
    watcher, step = offered(engine, history.kept("key_a"))
    assert watcher.of(["key_a"])["events"].tolist() == [events + 1]
    assert (step.told, aside(engine)) == ((), [])
    again = Watcher(engine, GEO, clock=lambda: math.inf)
    assert again.of(["key_a"])["events"].tolist() == [events + 1]


@pytest.mark.parametrize(("data", "told", "left"), [(None, 0, 1), (b"rubbish", 1, 0)])
def test_where_no_good_profile_was_offered_the_key_goes_on_with_what_there_is(
    engine, data, told, left
):
    watcher, step = offered(engine, data)
    assert watcher.of(["key_a"])["events"].tolist() == [2]
    assert len(step.told) == told
    assert aside(engine) == ["quarantine"] * left


def test_a_watcher_that_keeps_nothing_forgets_and_writes_nothing(engine):
    few = WatchSettings(profiles_in_memory=2)
    watcher = Watcher(None, GEO, few, clock=lambda: math.inf)
    names = [f"key_{number}" for number in range(9)]
    for at in range(2):
        step = watcher.step(batch(names, [START_MS + at] * 9), {}, [ASKED])
        with transaction(engine) as connection:
            step.write(connection, 0.0)
    lesson = Lesson("key_0", REBUILT, START_MS, START_MS)
    assert watcher.step(batch(["key_0"], [START_MS + 2]), {}, [lesson]).taught == (lesson,)
    assert watcher.profiles == 9
    assert watcher.of(names)["events"].tolist() == [3, *[2] * 8]
    with reading(engine) as connection:
        assert connection.execute(select(func.count()).select_from(profiles)).scalar_one() == 0


def sealed(key, payload):
    return crc32(payload, crc32(key.encode())).to_bytes(4, "big") + payload


@pytest.mark.parametrize("version", [6, VERSION])
@pytest.mark.parametrize(
    "payload",
    [b"no zstandard", zstandard.compress(b"too short"), zstandard.compress(bytes(9999)), b"seed",
     b"seed" + bytes(5)],
)  # fmt: skip
def test_what_has_a_checksum_and_is_no_profile_is_refused(payload, version):
    with pytest.raises(store.CorruptError):
        store.unpack("key_a", sealed("key_a", payload), version)
