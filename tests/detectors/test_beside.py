"""Events that wait beside rows: the same alerts in the same step, and the same profiles."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from database.schema import profiles
from database.transaction import reading, transaction
from detectors import seeds
from detectors.beside import settled
from detectors.facts import KeyFacts
from detectors.geoip import GeoReader
from detectors.packing import unpack
from detectors.profile import WAITING
from detectors.watcher import Watcher, WatchSettings
from tests.databases import open_empty
from tests.detectors.events import DAY_MS, HOUR_MS, START_MS, batch, cut
from vocabulary.lesson import Lesson

GEO = GeoReader()
QUICKLY = WatchSettings(learning_days=3, learning_events=12, learning_active_days=2)
"""Known after three days: hours and records count, and lives may be short."""
AT_HOME, AWAY = "8.8.8.8", ("193.0.6.139", "1.1.1.1", "203.0.113.7", "185.228.168.9")


def watcher(engine=None, **more):
    return Watcher(engine, GEO, QUICKLY, clock=lambda: math.inf, **more)


def waiting(one, *keys):
    return one._arena.pending(one._arena.slots(keys))["count"].tolist()


def ordinary(rng, keys, days, a_day):
    """Return the lives of keys that do the same every day, at their own hours."""
    found = []
    for key in range(keys):
        begin = int(rng.integers(0, 18))
        for day in range(days):
            n = int(rng.poisson(a_day))
            ts = START_MS + day * DAY_MS + begin * HOUR_MS + rng.integers(0, 6 * HOUR_MS, n)
            found += [
                {
                    "keys": f"key_{key}",
                    "ts_ms": int(t),
                    "ips": AT_HOME,
                    "paths": f"/v1/orders/{rng.integers(1, 40)}",
                    "agents": "acme-cli/2.3.1",
                    "status": 200,
                }
                for t in np.sort(ts)
            ]
    return found


def stolen(rng, keys, days):
    """Return what a thief does with one of the keys, in one of many ways, at any time."""
    key, n = f"key_{rng.integers(0, keys)}", int(rng.integers(1, 60))
    start = START_MS + int(rng.integers(0, days * DAY_MS))
    gap = int(rng.choice([0, 200, 5_000, 60_000, 600_000]))
    away, walks, many = rng.random() < 0.4, rng.random() < 0.2, rng.random() < 0.3
    return [
        {
            "keys": key,
            "ts_ms": start + i * gap,
            "ips": str(rng.choice(AWAY)) if away else AT_HOME,
            "paths": f"/v1/orders/{1000 + i}" if walks else f"/v1/x{i if many else 0}/{i}",
            "agents": str(rng.choice(["acme-cli/2.3.1", "curl/8.4.0"])),
            "status": int(rng.choice([200, 200, 403, 500])),
        }
        for i in range(n)
    ]


@settings(
    max_examples=12,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(
    seed=st.integers(0, 10_000),
    keys=st.integers(1, 6),
    days=st.integers(2, 9),
    a_day=st.sampled_from([3, 20, 60]),
    thefts=st.integers(0, 6),
    keen=st.sampled_from([0.0, -1.0, 0.5]),
    size=st.sampled_from([1, 7, 60]),
)
def test_what_waits_changes_no_alert_no_time_of_one_and_no_profile(  # noqa: PLR0913, PLR0917
    monkeypatch, seed, keys, days, a_day, thefts, keen, size
):
    rng = np.random.default_rng(seed)
    events = ordinary(rng, keys, days, a_day)
    for _ in range(thefts):
        events += stolen(rng, keys, days)
    events.sort(key=lambda one: one["ts_ms"])
    events = events[-500:]
    batches = cut(events, range(size, len(events), size))
    facts = {f"key_{i}": KeyFacts(sensitivity=keen, tz="Asia/Tokyo") for i in range(keys)}
    kept = watcher()
    with monkeypatch.context() as patch:
        patch.setattr(seeds, "LIMIT", 0)
        judged = watcher()
    for part in batches:
        assert kept.step(part, facts).alerts == judged.step(part, facts).alerts
    names = sorted(judged._arena.names)
    assert kept.of(names, facts).tobytes() == judged.of(names, facts).tobytes()


WEEKS = (*range(5), *range(7, 12), *range(14, 18))
"""Working days; the next one is a Friday."""
FRIDAY = START_MS + 18 * DAY_MS


def known():
    """Return a watcher that knows key_a by its working days."""
    one = watcher()
    for number in WEEKS:
        one.step(day_of(number, 30), {})
    return one


def day_of(number, n, **more):
    """Return a day of one request every twenty minutes."""
    start = START_MS + number * DAY_MS + 8 * HOUR_MS
    return batch(["key_a"] * n, [start + i * 1_200_000 for i in range(n)], **more)


def test_events_of_an_ordinary_day_wait_until_there_is_no_more_room():
    one, start = known(), FRIDAY + 10 * HOUR_MS
    counts = []
    for i in range(WAITING + 3):
        one.step(batch(["key_a"], [start + i * 1_200_000]), {})
        counts += waiting(one, "key_a")
    # The first event of a day closes the one before; the last that there is no room for takes all.
    assert counts == [*range(WAITING + 1), 0, 1]
    assert one.of(["key_a"])["events"].tolist() == [len(WEEKS) * 30 + WAITING + 3]


@pytest.mark.parametrize(
    "odd",
    [
        {"ips": ["1.1.1.1"]},
        {"agents": ["curl/8.4.0"]},
        {"paths": ["/v1/never"]},
        {"status": [403]},
        {"prints": ["t13d0712h2_a"]},
        {"ts_ms": [FRIDAY + 15 * HOUR_MS]},  # late
        {"ts_ms": [FRIDAY + DAY_MS]},
        {"ts_ms": [FRIDAY + 23 * HOUR_MS]},  # by night
    ],
)  # fmt: skip
def test_an_event_that_is_unlike_the_others_is_scored_at_once_with_all_that_waits(odd):
    one, last = known(), FRIDAY + 16 * HOUR_MS
    one.step(batch(["key_a"], [last - 1]), {})
    one.step(batch(["key_a"], [last]), {})
    assert waiting(one, "key_a") == [1]
    one.step(batch(["key_a"], **({"ts_ms": [last + 1]} | odd)), {})
    assert waiting(one, "key_a") == [0]


def test_a_flood_of_the_usual_does_not_wait():
    one = known()
    one.step(day_of(18, 12), {})
    ts = [FRIDAY + 13 * HOUR_MS + i for i in range(5)]
    for at in ts[:4]:
        one.step(batch(["key_a"], [at]), {})
    assert waiting(one, "key_a") == [4]
    one.step(batch(["key_a"], [ts[4]]), {})
    assert waiting(one, "key_a") == [0]


@pytest.mark.parametrize("facts", [KeyFacts(sensitivity=0.5), KeyFacts(rate_per_h=9.0)])
def test_nothing_waits_where_an_owner_said_what_to_expect_or_wants_to_know_sooner(facts):
    one = watcher()
    one.step(day_of(0, 30), {"key_a": facts})
    one.step(batch(["key_a"], [START_MS + 18 * HOUR_MS + 1]), {"key_a": facts})
    assert waiting(one, "key_a") == [0]


def test_restarts_find_what_waits_and_lose_nothing_of_it(tmp_path, monkeypatch):
    # So few whole rows that differences carry most of what waits.
    monkeypatch.setattr("detectors.store.LEAST_CHECKPOINT", 1)
    monkeypatch.setattr("detectors.store.SHARE_CHECKPOINT", 1000)
    rng = np.random.default_rng(3)
    events = ordinary(rng, 4, 5, 20) + stolen(rng, 4, 5) + stolen(rng, 4, 5)
    events.sort(key=lambda one: one["ts_ms"])
    never, expected, alerts, waited = watcher(), [], [], 0
    engine = open_empty(f"sqlite:///{tmp_path / 'k.db'}")
    for part in cut(events, range(0, len(events), 5)):
        expected += never.step(part, {}).alerts
        one = watcher(engine)
        step = one.step(part, {})
        with transaction(engine) as connection:
            step.write(connection, 0.0)
        alerts += step.alerts
        waited += sum(waiting(one, *part.keys))
    names = sorted(never._arena.names)
    assert waited > len(events) / 4
    assert alerts == expected
    assert watcher(engine).of(names).tobytes() == never.of(names).tobytes()


def test_a_person_sees_what_waits_and_a_lesson_comes_after_it(tmp_path):
    engine = open_empty(f"sqlite:///{tmp_path / 'k.db'}")
    one = watcher(engine)
    for part in (day_of(0, 30), batch(["key_a"], [START_MS + 18 * HOUR_MS + 1])):
        with transaction(engine) as connection:
            one.step(part, {}).write(connection, 0.0)
    with reading(engine) as connection:
        kept = unpack("key_a", connection.execute(select(profiles.c.data)).scalar_one())
    assert (kept["events"][0], kept["pending"]["count"][0]) == (30, 1)
    assert settled(kept, QUICKLY)["events"].tolist() == [31]
    lesson = Lesson("key_a", "false", START_MS, START_MS + DAY_MS)
    part = batch(["key_a"], [START_MS + 18 * HOUR_MS + 2])
    assert one.step(part, {}, [lesson]).taught == (lesson,)
    assert one.of(["key_a"])["events"].tolist() == [32]
    assert one.of(["key_a"])["tolerance"].tolist() == [0.25]
