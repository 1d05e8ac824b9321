"""A batch at the turn of each month is a rhythm; the same batch on another day is none."""

import math
from datetime import UTC, datetime

import numpy as np
import pytest

from detectors.geoip import GeoReader
from detectors.levels import day_counts, learn
from detectors.profile import blank
from detectors.watcher import Watcher
from tests.detectors.events import DAY_MS, START_MS, cut
from tests.detectors.test_story import event

GEO = GeoReader()
EVERY_MS = 3_600_000


CASES = {
    "as the last time": ({"2026-10-01": 110, "2026-11-01": 110}, ["2026-10-01"]),
    "a day sooner": ({"2026-10-01": 110, "2026-10-31": 100}, ["2026-10-01"]),
    "in between": ({"2026-10-01": 110, "2026-10-21": 110}, ["2026-10-01", "2026-10-21"]),
    "much more": ({"2026-10-01": 110, "2026-11-01": 900}, ["2026-10-01", "2026-11-01"]),
    "for the first time": ({"2026-11-01": 110}, ["2026-11-01"]),
}


def cron(name, days, batches):
    """Every hour a request, and on some days a hundred within two minutes."""
    ts = list(range(START_MS, START_MS + days * DAY_MS, EVERY_MS))
    for day, size in batches.items():
        start = int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp() * 1000) + 300_000
        ts += [start + i * 1000 for i in range(size)]
    return [event(t, agent="cron/1.0") | {"keys": name} for t in ts]


@pytest.fixture(scope="module")
def alarms():
    """Each key's days with an alert of medium or more."""
    events = [one for name, (batches, _) in CASES.items() for one in cron(name, 60, batches)]
    events.sort(key=lambda one: one["ts_ms"])
    watcher = Watcher(None, GEO, clock=lambda: math.inf)
    alerts = [a for part in cut(events, [4000]) for a in watcher.step(part, {}).alerts]
    loud = [a for a in alerts if a.severity != "low"]
    return {name: sorted({a.ts[:10] for a in loud if a.key == name}) for name in CASES}


@pytest.mark.parametrize("name", CASES)
def test_only_what_was_there_at_the_last_turn_is_usual_at_the_next(alarms, name):
    assert alarms[name] == CASES[name][1]


def test_a_turn_of_three_days_is_one_and_fades_only_at_the_next():
    row = blank(1)
    for text, peak, expected in [
        ("2026-09-30", 5, 5), ("2026-10-01", 100, 100), ("2026-10-15", 500, 100),
        ("2026-10-30", 7, 90), ("2026-10-31", 8, 90), ("2026-11-01", 95, 95),
    ]:  # fmt: skip
        row["day"] = np.datetime64(text).astype("datetime64[D]").astype(int)
        row["clock"] = (row["day"].astype(np.int64) + 1) * DAY_MS - 1
        row["peaks"] = peak
        learn(row, day_counts(row), np.zeros(1, np.int64), np.ones(1))
        assert row["turn"][0].tolist() == [expected] * 5, text
