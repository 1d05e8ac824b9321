"""Harmless lives that are unlike an office day: what is not said of them."""

import math
import string

import numpy as np
import pytest

from detectors.geoip import GeoReader
from detectors.watcher import Watcher
from tests.detectors.events import DAY_MS, HOUR_MS, START_MS, cut

MEDIUM_OR_MORE = ("medium", "high", "critical")


def event(ts_ms, **other):
    usual = {"ips": "8.8.8.8", "paths": "/v1/orders", "agents": "acme-cli/2", "status": 200}
    return {"keys": "key_a", "ts_ms": int(ts_ms), **usual, **other}


def alerts_of(events, geo=None):
    """Return the alerts of a life, fed in by days."""
    events = sorted(events, key=lambda one: one["ts_ms"])
    days = np.array([one["ts_ms"] // DAY_MS for one in events])
    watcher = Watcher(None, geo or GeoReader(), clock=lambda: math.inf)
    parts = cut(events, (np.flatnonzero(np.diff(days)) + 1).tolist())
    return [alert for part in parts for alert in watcher.step(part, {}).alerts]


def told(alerts):
    return [(one.severity, one.ts, one.summary) for one in alerts if one.severity in MEDIUM_OR_MORE]


def at(day, hour):
    return START_MS + day * DAY_MS + hour * HOUR_MS


def name(rng):
    return "".join(rng.choice(list(string.ascii_lowercase), 10))


@pytest.mark.parametrize("every", [1, 7])
def test_paths_that_hold_names_are_no_news_each_day(every):
    rng = np.random.default_rng(3)
    days = range(0, 40 * every, every)
    life = [
        event(at(day, 9 + 8 * rng.random()), paths=f"/v1/users/{name(rng)}")
        for day in days
        for _ in range(rng.poisson(25))
    ]
    assert told(alerts_of(life)) == []


def test_new_endpoints_of_a_key_that_asks_for_few_are_news_still():
    rng = np.random.default_rng(4)
    life = [
        event(at(day, 9 + 8 * rng.random()), paths=f"/v1/{rng.choice(['me', 'orders', 'carts'])}")
        for day in range(40)
        for _ in range(25)
    ]
    theft = [event(at(40, 10 + i / 60), paths=f"/v1/{name(rng)}") for i in range(12)]
    assert told(alerts_of(life)) == []
    assert told(alerts_of(life + theft))


def test_what_a_thief_asked_for_makes_no_names_usual():
    rng = np.random.default_rng(5)
    life = [event(at(day, 9 + i / 3), paths="/v1/me") for day in range(42) for i in range(20)]
    thefts = [
        event(at(day, 10 + i / 60), paths=f"/v1/{name(rng)}") for day in (40, 41) for i in range(12)
    ]
    days = {one[1][:10] for one in told(alerts_of(life + thefts))}
    assert len(days) == 2


def test_a_traveller_who_lives_by_another_clock_is_told_of_and_not_slowed_down():
    rng = np.random.default_rng(6)
    life = [
        event(at(day, hour + rng.random()))
        for day in range(50)
        for hour in (9, 11, 14, 16)
        for _ in range(8)
    ]
    trip = [
        event(at(day, hour + rng.random()), ips="193.0.6.139")
        for day in (50, 51)
        for hour in (1, 2, 3, 4)
        for _ in range(8)
    ]
    said = told(alerts_of(life + trip))
    assert {one[0] for one in said} == {"medium"}
    # With another client it is no traveller.
    thief = [{**one, "agents": "curl/8"} for one in trip]
    assert {one[0] for one in told(alerts_of(life + thief))} >= {"critical"}


def test_a_new_version_of_a_program_is_told_of_and_not_slowed_down():
    rng = np.random.default_rng(7)
    life = [event(at(day, 24 * rng.random())) for day in range(50) for _ in range(200)]
    new = [
        event(at(50, 10 + i / 60), agents="okhttp/5", paths=f"/v2/{name(rng)}") for i in range(20)
    ]
    assert {one[0] for one in told(alerts_of(life + new))} == {"medium"}
    # From another network abroad it is no new version.
    thief = [{**one, "ips": "193.0.6.139"} for one in new]
    assert {one[0] for one in told(alerts_of(life + thief))} >= {"critical"}


@pytest.mark.parametrize("silent", [True, False])
def test_what_an_outage_held_up_may_come_at_once(silent):
    every_5_min = [event(at(day, i / 12)) for day in range(50) for i in range(288)]
    day = [event(at(50, i / 12)) for i in range(216) if not (silent and 72 <= i < 144)]
    backlog = [event(at(50, 12) + 500 * i) for i in range(72)]
    said = {one[0] for one in told(alerts_of(every_5_min + day + backlog))}
    assert ("high" in said) is not silent
    assert not silent or not said


def test_a_night_of_work_with_some_more_requests_is_told_of_and_not_slowed_down():
    rng = np.random.default_rng(9)
    life = [
        event(at(day, hour + rng.random()))
        for day in range(50)
        for hour in (9, 11, 14, 16)
        for _ in range(rng.poisson(12))
    ]
    night = [event(at(50, hour + rng.random())) for hour in (1, 2, 3) for _ in range(20)]
    said = told(alerts_of(life + [event(at(49, 16 + i / 20)) for i in range(20)] + night))
    assert {one[0] for one in said} == {"medium"}
    # A flood at night is one.
    flood = [event(at(50, 1) + 1500 * i) for i in range(900)]
    assert {one[0] for one in told(alerts_of(life + flood))} >= {"high"}
