"""Weeks of ordinary use, then something else: what is said, and how strongly."""

import math

import numpy as np
import pytest

from detectors.facts import KeyFacts
from detectors.geoip import GeoReader
from detectors.watcher import Watcher
from tests.detectors.events import DAY_MS, HOUR_MS, START_MS, batch, cut

GEO = GeoReader()
HOME, ABROAD = "8.8.8.8", "193.0.6.139"
FACTS = {"key_a": KeyFacts("service", tz="America/Chicago")}


def weeks(days=28, per_hour=6, seed=1):
    """Office hours in Chicago, a little different each day."""
    rng = np.random.default_rng(seed)
    ts = [
        START_MS + day * DAY_MS + int((hour + rng.random()) * HOUR_MS)
        for day in range(days)
        if day % 7 < 5
        for hour in range(14, 22)
        for _ in range(rng.poisson(per_hour))
    ]
    return [event(t, path=f"/v1/orders/{rng.integers(1, 60)}") for t in sorted(ts)]


def event(ts_ms, **other):
    usual = {"ips": HOME, "paths": "/v1/orders", "agents": "acme-cli/2.3.1", "status": 200}
    renamed = {"ip": "ips", "path": "paths", "agent": "agents"}
    changed = {renamed.get(name, name): value for name, value in other.items()}
    return {"keys": "key_a", "ts_ms": int(ts_ms), **usual, **changed}


@pytest.fixture(scope="module")
def life():
    return weeks()


def after(life, more):
    """Return the alerts of the events that follow an ordinary life."""
    watcher = Watcher(None, GEO, clock=lambda: math.inf)
    before = [a for part in cut(life, [len(life) // 2]) for a in watcher.step(part, FACTS).alerts]
    return before, [a for part in cut(more, []) for a in watcher.step(part, FACTS).alerts]


def worst(alerts):
    order = ["low", "medium", "high", "critical"]
    return max((a.severity for a in alerts), key=order.index, default="none")


def test_an_ordinary_life_raises_nothing_above_low(life):
    before, more = after(life, [event(START_MS + 28 * DAY_MS + 15 * HOUR_MS)])
    assert worst(before) in ("none", "low")
    assert worst(more) == "none"


def test_a_flood_from_the_own_network_is_high_and_says_how_busy_the_key_ever_was(life):
    start = START_MS + 28 * DAY_MS + 16 * HOUR_MS
    _, alerts = after(life, [event(start + i * 2000) for i in range(400)])
    assert worst(alerts) == "high"
    assert alerts[-1].family == "volume"
    assert "requests in" in alerts[-1].summary
    assert "this key's busiest" in alerts[-1].summary
    assert not any("ip" in one.detector for one in alerts[-1].evidence)


def test_use_abroad_at_night_and_fast_by_another_client_is_critical(life):
    start = START_MS + 29 * DAY_MS + 8 * HOUR_MS
    loot = [
        event(start + i * 2000, ip=ABROAD, agent="curl/8.4.0", path=f"/v1/admin/{'abcdef'[i % 6]}")
        for i in range(300)
    ]
    _, alerts = after(life, loot)
    assert worst(alerts) == "critical"
    text = " ".join(one.observed + one.expected for one in alerts[-1].evidence)
    assert "in NL" in text
    assert "US" in text
    assert alerts[-1].events.count > 1


def test_a_young_key_is_capped_at_medium_and_is_said_to_be_learned():
    young = weeks(days=4)
    start = START_MS + 4 * DAY_MS + 8 * HOUR_MS
    loot = [event(start + i * 500, ip=ABROAD, agent="curl/8.4.0") for i in range(300)]
    _, alerts = after(young, loot)
    assert worst(alerts) == "medium"
    assert "still learning" in alerts[-1].summary


def test_events_that_were_not_accepted_leave_no_trace_on_the_key(life):
    start = START_MS + 28 * DAY_MS + 8 * HOUR_MS
    refused = [event(start + i, ip=ABROAD, agent="curl/8", status=401) for i in range(500)]
    before, alerts = after(life, refused)
    assert before == after(life, [])[0]
    assert [a for a in alerts if a.key] == []


def test_a_storm_of_retries_is_no_more_than_low(life):
    start = START_MS + 28 * DAY_MS + 16 * HOUR_MS
    storm = [event(start + i * 2000, status=503 if i < 200 else 200) for i in range(400)]
    assert worst(after(life, storm)[1]) in ("none", "low")


def test_one_address_that_tries_many_keys_is_told_by_its_address(life):
    start = START_MS + 28 * DAY_MS
    tries = [
        {**event(start + i * 500, ip=ABROAD, status=401), "keys": f"key_no{i}"} for i in range(60)
    ]
    _, alerts = after(life, tries)
    assert [(a.ip, a.kind, a.key) for a in alerts] == [(ABROAD, "stuffing", "")] * 2
    assert [a.severity for a in alerts] == ["medium", "high"]


def test_times_from_the_future_are_clamped_and_move_no_clock():
    now = START_MS / 1000 + 3600
    watcher = Watcher(None, GEO, clock=lambda: now)
    far = START_MS + 400 * DAY_MS
    watcher.step(batch(["key_a"] * 2, [START_MS, far]), {})
    row = watcher.of(["key_a"])[0]
    assert row["clock"] == (now + 300) * 1000


def test_late_events_are_counted_and_move_no_clock():
    watcher = Watcher(None, GEO, clock=lambda: math.inf)
    step = watcher.step(batch(["key_a"] * 3, [START_MS + DAY_MS, START_MS, START_MS + DAY_MS]), {})
    row = watcher.of(["key_a"])[0]
    assert (step.late, step.events) == (1, 3)
    assert (row["clock"], row["late"], row["minutes"].sum()) == (START_MS + DAY_MS, 1, 2)


def test_the_strongest_evidence_of_each_day_is_told_to_who_asks(life):
    told = []
    watcher = Watcher(None, GEO, clock=lambda: math.inf, totals=lambda *found: told.append(found))
    start = START_MS + 28 * DAY_MS + 16 * HOUR_MS
    flood = [event(start + i * 2000) for i in range(400)]
    for part in cut([*life, *flood], [len(life) // 2]):
        watcher.step(part, FACTS)
    assert {name for names, *_ in told for name in names} == {"key_a"}
    days = {}
    for _, day, most in told:
        days[day] = max(days.get(day, 0.0), float(most[0]))
    quiet, loud = list(days.values())[:-1], days[max(days)]
    assert loud >= 5.0 > max(quiet)
    assert len(days) == 21


@pytest.mark.parametrize("zone", ["Mars/Olympus", "../../etc/passwd", "\0", "x" * 5000])
def test_a_key_of_a_time_zone_that_is_not_known_here_is_judged_by_utc(zone):
    rows = []
    for tz in ("", zone):
        watcher = Watcher(None, GEO, clock=lambda: math.inf)
        for part in cut(weeks(3), []):
            watcher.step(part, {"key_a": KeyFacts("service", tz=tz)})
        rows.append(watcher.of(["key_a"]).tobytes())
    assert rows[0] == rows[1]
