"""What is kept of the fleet stays small, however many keys and addresses there are."""

import numpy as np
import pytest

from detectors import fleet
from detectors.fleet import Crowd, Sources
from tests.detectors.events import START_MS, batch

MINUTES = 6


@pytest.fixture
def traffic():
    rng = np.random.default_rng(5)
    n = 6000
    ts = START_MS + np.sort(rng.integers(0, MINUTES * fleet.MINUTE_MS, n))
    return rng.integers(0, 1 << 32, 900)[rng.integers(0, 900, n)], ts


def factors(crowd, key, ts, edges):
    parts = np.split(np.arange(len(ts)), edges)
    return np.concatenate([crowd.factors(np.arange(len(p)), key[p], ts[p]) for p in parts])


def test_of_a_large_fleet_a_share_is_counted_and_stands_for_all(traffic, monkeypatch):
    whole = Crowd()
    factors(whole, *traffic, [])
    monkeypatch.setattr(fleet, "MOST_KEYS", 100)
    some = Crowd()
    factors(some, *traffic, [])
    assert len(some.state.open) < 200 < len(whole.state.open)
    assert np.allclose(some.state.recent[1:], whole.state.recent[1:], rtol=0.3)


def test_the_share_does_not_depend_on_batches(traffic, monkeypatch):
    monkeypatch.setattr(fleet, "MOST_KEYS", 100)
    one, other = Crowd(), Crowd()
    first = factors(one, *traffic, [])
    second = factors(other, *traffic, list(range(0, 6000, 137)))
    assert one.state == other.state
    assert one.state.share > 1
    assert (first == second).all()


def test_a_crowd_begins_and_ends_at_the_same_event_whatever_the_batches():
    """Six quiet days of thirty keys, then ten minutes in which all are ten times as busy."""
    rng = np.random.default_rng(8)
    quiet = rng.integers(0, 6 * 24 * 60 * fleet.MINUTE_MS, 60_000)
    busy = 6 * 24 * 60 * fleet.MINUTE_MS + rng.integers(0, 10 * fleet.MINUTE_MS, 20_000)
    after = 6 * 24 * 60 * fleet.MINUTE_MS + rng.integers(0, 20 * 60 * fleet.MINUTE_MS, 8_000)
    ts = START_MS + np.sort(np.concatenate((quiet, busy, after)))
    key = rng.integers(0, 1 << 32, 30)[rng.integers(0, 30, len(ts))]
    one, other = Crowd(), Crowd()
    first = factors(one, key, ts, [])
    second = factors(other, key, ts, np.sort(rng.integers(0, len(ts), 900)))
    assert one.state == other.state
    assert (first == second).all()
    assert (first[:60_000] == 1.0).all()
    assert first[:, 0].max() == fleet.MOST
    # The hour and the day remember what the minutes forget.
    assert (first[-1] == 1.0).tolist() == [True, True, False]


def test_an_address_that_tries_keys_for_ever_takes_little_memory():
    sources = Sources()
    n = 3000
    part = batch([f"key_{i}" for i in range(n)], [START_MS] * n, status=[401] * n)
    alerts = sources.alerts(part, part.ts_ms)
    assert [alert.severity for alert in alerts] == ["medium", "high"]
    assert max(map(len, sources.state.tried.values())) <= fleet.MOST_TRIED
