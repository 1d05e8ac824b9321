"""What owners say of young keys: believed until the keys have shown themselves."""

import math

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors.facts import KeyFacts
from detectors.geoip import GeoReader
from detectors.watcher import Watcher
from tests.detectors.events import DAY_MS, HOUR_MS, START_MS, batch, cut, life

GEO = GeoReader()
AMERICA, AUSTRALIA = "8.8.8.8", "1.1.1.1"
SAYS_US = KeyFacts(countries=("US",))
OWN = KeyFacts(networks=("8.8.8.0/24", "2001:db8::/32"))
OFFICE = KeyFacts(hours=tuple(range(8, 18)), days=(0, 1, 2, 3, 4))


def told(parts, facts):
    one = Watcher(None, GEO, clock=lambda: math.inf)
    return [alert for part in parts for alert in one.step(part, {"key_a": facts}).alerts]


def used(hours, each=20, day=0):
    """Make so many requests in each of some hours (UTC) of a day after a Monday."""
    ts = [START_MS + day * DAY_MS + h * HOUR_MS + i * 60_000 for h in hours for i in range(each)]
    return batch(["key_a"] * len(ts), ts)


@pytest.mark.parametrize(
    ("address", "facts", "severities"),
    [
        (AUSTRALIA, SAYS_US, ["medium"]),
        (AMERICA, SAYS_US, []),
        (AUSTRALIA, KeyFacts(), []),
        ("10.0.0.7", SAYS_US, []),
        (AMERICA, OWN, []),
        ("::ffff:8.8.8.8", OWN, []),
        ("2001:db8:7::1%eth0", OWN, []),
        (AUSTRALIA, OWN, ["medium"]),
        ("10.0.0.7", OWN, ["medium"]),
        ("not an address", OWN, []),
        (AMERICA, KeyFacts(countries=("US",), networks=("1.1.1.0/24",)), ["medium"]),
    ],
)
def test_a_first_use_from_elsewhere_than_was_declared_is_told(address, facts, severities):
    alerts = told([batch(["key_a"], [START_MS], ips=[address])], facts)
    assert [alert.severity for alert in alerts] == severities


def test_a_second_country_that_was_declared_is_no_news_abroad():
    ips = [AMERICA, AUSTRALIA]
    parts = [batch(["key_a"] * 2, [START_MS, START_MS + HOUR_MS], ips=ips)]
    both = KeyFacts(countries=("AU", "US"))
    assert [alert.severity for alert in told(parts, KeyFacts())] == ["medium"]
    assert [alert.severity for alert in told(parts, both) if alert.severity != "low"] == []


def test_a_known_key_is_not_held_to_the_networks_it_was_issued_for():
    home = [used([9, 10], each=4, day=day) for day in range(20)]
    ts = [START_MS + 20 * DAY_MS + 9 * HOUR_MS + i * 60_000 for i in range(4)]
    away = batch(["key_a"] * 4, ts, ips=[AUSTRALIA] * 4)
    found = [[a.severity for a in told([*home, away], facts)] for facts in (OWN, KeyFacts())]
    assert found[0] == found[1]


def test_use_at_other_hours_than_were_declared_is_told_once_it_is_no_single_hour():
    assert told([used([9, 10, 11])], OFFICE) == []
    assert [a for a in told([used([2])], OFFICE) if a.severity != "low"] == []
    assert "medium" in [alert.severity for alert in told([used([1, 2, 3, 4])], OFFICE)]
    assert told([used([1, 2, 3, 4])], KeyFacts()) == []


def test_a_weekday_that_was_not_declared_counts_on_the_owners_clock():
    saturday = used([9, 10, 11, 12], day=5)
    assert "medium" in [alert.severity for alert in told([saturday], OFFICE)]
    elsewhere = KeyFacts(hours=(1, 2, 3), tz="Asia/Tokyo")
    assert told([used([16, 17, 18])], elsewhere) == []


def test_a_flood_far_above_the_declared_rate_is_told_on_the_first_day():
    flood = [batch(["key_a"] * 900, [START_MS + i * 500 for i in range(900)])]
    assert told(flood, KeyFacts()) == []
    assert told(flood, KeyFacts(rate_per_h=5.0)) != []
    assert told(flood, KeyFacts(rate_per_h=20_000.0)) == []


def test_nothing_declared_revokes_a_young_key():
    facts = KeyFacts(countries=("US",), hours=(9,), days=(0,), rate_per_h=1.0)
    events = [
        {**one, "ips": AUSTRALIA, "ts_ms": START_MS + i * 60_000}
        for i, one in enumerate(life(2, n=400, keys=1))
    ]
    alerts = told(cut([{**one, "keys": "key_a"} for one in events], []), facts)
    assert {alert.severity for alert in alerts} <= {"low", "medium"}
    assert alerts


def test_a_known_key_is_measured_by_what_it_does():
    days = range(40)
    events = [used([1, 2, 3, 4], day=day, each=4) for day in days]
    alerts = told(events, OFFICE)
    late = [a for a in alerts if a.ts >= "2026-10-05"]
    assert late == []


@settings(max_examples=8, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    seed=st.integers(0, 1000),
    keys=st.integers(1, 60),
    edges=st.lists(st.integers(0, 800), max_size=12),
)
def test_any_batches_give_the_same_alerts_and_profiles(seed, keys, edges):
    facts = {
        f"key_{i}": KeyFacts(countries=("US",), hours=(9, 10), tz="Asia/Kolkata", rate_per_h=3.0)
        for i in range(0, keys, 2)
    } | {f"key_{i}": OWN for i in range(1, keys, 4)}
    events = life(seed, n=800, keys=keys, days=18.0)
    found = []
    for parts in (cut(events, []), cut(events, edges)):
        one = Watcher(None, GEO, clock=lambda: math.inf)
        alerts = [alert for part in parts for alert in one.step(part, facts).alerts]
        names = sorted(one._arena.names)
        rows = one.of(names, facts)
        found.append((sorted(alerts, key=lambda a: (a.ts, a.id)), rows.tobytes()))
        assert all(np.isfinite(rows[name]).all() for name in ("calibration", "busiest"))
    assert found[0] == found[1]
