"""Input as bad as it comes: it stops nothing, and says nothing about the keys beside it."""

import math

import numpy as np
import pytest

from detectors.geoip import GeoReader
from detectors.profile import PROFILE
from detectors.watcher import Watcher
from tests.detectors.events import DAY_MS, HOUR_MS, START_MS, batch, cut
from tests.detectors.test_story import FACTS, event, weeks, worst

GEO = GeoReader()
DAYS = 9
LARGE = 100_000_000


def bad(ts_ms, **changed):
    return event(ts_ms, **changed) | {"keys": "key_bad"}


def out_of_order(start):
    return [bad(start - i * 7 * HOUR_MS) for i in range(12)]


def from_the_future(start):
    return [bad(start + i * 4000 * DAY_MS) for i in range(3)]


def duplicated(start):
    return [bad(start)] * 12


def of_unknown_keys(start):
    return [event(start + i) | {"keys": f"key_{i}" if i % 2 else ""} for i in range(12)]


def addresses(start):
    odd = (
        "fe80::1%eth0", "fe80::1%" + "z" * 5000, "::ffff:10.0.0.1", "10.0.0.7", "127.0.0.1", "::",
        "255.255.255.255", "0.0.0.0", "1.2.3", "\u2603", "\0", "1.2.3.4, 5.6.7.8", "",
    )  # fmt: skip
    return [bad(start + i, ip=one) for i, one in enumerate(odd)]


def missing_fields(start):
    return [bad(start + i, ip="", agent="", path="", status=0) for i in range(12)]


def huge_fields(start):
    agent, path = "x/1 " * (LARGE // 4), "/v1/" + "9" * 1_000_000
    return [bad(start + i, agent=agent, path=path) for i in range(3)]


def odd_text(start):
    odd = ("\ud800", "\0", "\n\n", "/" * 5000, "é" * 600, "-" * 3)
    return [bad(start + i, agent=one, path=one) for i, one in enumerate(odd)]


EVERY = (
    out_of_order, from_the_future, duplicated, of_unknown_keys, addresses, missing_fields,
    huge_fields, odd_text,
)  # fmt: skip


def ran(batches):
    now = (START_MS + 40 * DAY_MS) / 1000.0
    watcher = Watcher(None, GEO, clock=lambda: now)
    alerts = [a for part in batches for a in watcher.step(part, FACTS).alerts]
    return watcher, [a for a in alerts if a.key == "key_a"], alerts


@pytest.fixture(scope="module")
def alone():
    watcher, alerts, _ = ran(cut(weeks(DAYS, per_hour=2), [40]))
    return watcher.of(["key_a"]).tobytes(), alerts


@pytest.mark.parametrize("badness", EVERY)
def test_bad_input_stops_nothing_and_changes_nothing_for_other_keys(badness, alone):
    good, start = weeks(DAYS, per_hour=2), START_MS + 4 * DAY_MS + 15 * HOUR_MS
    among = sum(one["ts_ms"] < start for one in good)
    mixed = [*good[:among], *badness(start), *good[among:]]
    watcher, alerts, every = ran(cut(mixed, [40, among + 2]))
    assert watcher.of(["key_a"]).tobytes() == alone[0]
    assert alerts == alone[1]
    assert worst([a for a in every if a.key != "key_a"]) in ("none", "low", "medium")
    rows = watcher.of(["key_bad"])
    assert all(np.isfinite(rows[n]).all() for n in PROFILE.names if rows[n].dtype.kind == "f")
    assert all(len(one.observed) < 300 for a in every for one in a.evidence)


def test_a_huge_agent_is_known_by_its_beginning():
    watcher = Watcher(None, GEO, clock=lambda: math.inf)
    agent = "acme-cli/2.3.1 " * 100
    watcher.step(
        batch(["key_a"] * 2, [START_MS, START_MS + 1], agents=[agent, agent + "x" * 500]), {}
    )
    row = watcher.of(["key_a"])[0]
    assert row["agent_count"] == 1
