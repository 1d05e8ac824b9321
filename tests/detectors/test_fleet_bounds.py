"""What is kept of the fleet stays small, however many keys and addresses there are."""

import numpy as np
import pytest

from detectors import crowd as crowds
from detectors import fleet, stuffing, terms
from detectors.crowd import Crowd
from detectors.stuffing import Sources
from tests.detectors.events import START_MS, batch

MINUTES = 6


@pytest.fixture
def traffic():
    rng = np.random.default_rng(5)
    n = 6000
    ts = START_MS + np.sort(rng.integers(0, MINUTES * crowds.MINUTE_MS, n))
    return rng.integers(0, 1 << 32, 900)[rng.integers(0, 900, n)], ts


def factors(crowd, key, ts, edges):
    parts = np.split(np.arange(len(ts)), edges)
    return np.concatenate([crowd.factors(np.arange(len(p)), key[p], ts[p]) for p in parts])


def test_of_a_large_fleet_a_share_is_counted_and_stands_for_all(traffic, monkeypatch):
    whole = Crowd()
    factors(whole, *traffic, [])
    monkeypatch.setattr(crowds, "MOST_KEYS", 100)
    some = Crowd()
    factors(some, *traffic, [])
    assert len(some.state.open) < 200 < len(whole.state.open)
    assert np.allclose(some.state.recent[1:], whole.state.recent[1:], rtol=0.3)


def test_the_share_does_not_depend_on_batches(traffic, monkeypatch):
    monkeypatch.setattr(crowds, "MOST_KEYS", 100)
    one, other = Crowd(), Crowd()
    first = factors(one, *traffic, [])
    second = factors(other, *traffic, list(range(0, 6000, 137)))
    assert one.state == other.state
    assert one.state.share > 1
    assert (first == second).all()


def test_a_crowd_begins_and_ends_at_the_same_event_whatever_the_batches():
    """Six quiet days of thirty keys, then ten minutes in which all are ten times as busy."""
    rng = np.random.default_rng(8)
    quiet = rng.integers(0, 6 * 24 * 60 * crowds.MINUTE_MS, 60_000)
    busy = 6 * 24 * 60 * crowds.MINUTE_MS + rng.integers(0, 10 * crowds.MINUTE_MS, 20_000)
    after = 6 * 24 * 60 * crowds.MINUTE_MS + rng.integers(0, 20 * 60 * crowds.MINUTE_MS, 8_000)
    ts = START_MS + np.sort(np.concatenate((quiet, busy, after)))
    key = rng.integers(0, 1 << 32, 30)[rng.integers(0, 30, len(ts))]
    one, other = Crowd(), Crowd()
    first = factors(one, key, ts, [])
    second = factors(other, key, ts, np.sort(rng.integers(0, len(ts), 900)))
    assert one.state == other.state
    assert (first == second).all()
    assert (first[:60_000] == 1.0).all()
    assert first[:, 0].max() == crowds.MOST
    # The hour and the day remember what the minutes forget.
    assert (first[-1] == 1.0).tolist() == [True, True, False]


def test_an_address_that_tries_keys_for_ever_takes_little_memory():
    sources = Sources()
    n = 3000
    part = batch([f"key_{i}" for i in range(n)], [START_MS] * n, status=[401] * n)
    alerts = sources.alerts(part, part.ts_ms)
    assert [alert.severity for alert in alerts] == ["medium", "high"]
    assert max(map(len, sources.state.tried.values())) <= stuffing.MOST_TRIED


def busy(crowd, hour, keys, each):
    """Have so many keys send so much in every minute of an hour; return the last factors."""
    minute = START_MS + hour * 60 * crowds.MINUTE_MS
    for i in range(60):
        names = np.repeat(np.arange(1, keys + 1), each)
        ts = np.full(len(names), minute + i * crowds.MINUTE_MS)
        found = crowd.factors(np.arange(len(names)), names, ts)
    return found[-1]


@pytest.mark.parametrize(
    ("keys", "each", "low", "high"),
    [(40, 1, 1.0, 1.0), (40, 16, 8.0, 20.0), (120, 100, 20.0, 20.0)],
)
def test_a_fleet_that_is_busier_than_at_this_hour_of_other_days_is_a_crowd(keys, each, low, high):
    crowd = Crowd()
    for day in range(5):
        assert busy(crowd, day * 24, 40, 1)[0] == 1.0
    now, hour, day = busy(crowd, 5 * 24, keys, each)
    assert low <= now <= high
    assert now >= hour >= day >= 1.0


@pytest.mark.parametrize(("quiet", "wave"), [(30, 1.7), (70, 1.0)], ids=["soon", "much later"])
def test_a_lower_wave_soon_after_a_crowd_is_the_same_crowd(quiet, wave):
    """Thirty of forty keys twice as busy are 1.7 times the fleet: too little to begin with."""
    crowd = Crowd()
    for day in range(5):
        busy(crowd, day * 24, 40, 1)
        busy(crowd, day * 24 + 1, 40, 1)
    begin = START_MS + 5 * 24 * 60 * crowds.MINUTE_MS
    minutes = [[16] * 40] * 10 + [[1] * 40] * quiet + [[2] * 30 + [1] * 10] * 12
    for i, each in enumerate(minutes):
        names = np.repeat(np.arange(1, 41), each)
        ts = np.full(len(names), begin + i * crowds.MINUTE_MS)
        crowd.factors(np.arange(len(names)), names, ts)
    assert crowd.state.by_minute[-1] == pytest.approx(wave, abs=0.05)


def test_few_keys_are_no_fleet_and_have_no_crowd():
    crowd = Crowd()
    for day in range(5):
        busy(crowd, day * 24, 2, 1)
    assert busy(crowd, 5 * 24, 2, 100).tolist() == [1.0, 1.0, 1.0]


def test_addresses_beyond_those_that_are_told_apart_hide_none_of_these(monkeypatch):
    monkeypatch.setattr(stuffing, "MOST_SOURCES", 2)
    sources = Sources()
    asked = [f"203.0.113.{number}" for number in (1, 2, 3)] * 10
    part = batch([f"key_{i}" for i in range(30)], [START_MS] * 30, ips=asked, status=[401] * 30)
    assert [alert.ip for alert in sources.alerts(part, part.ts_ms)] == asked[:2]
    later = part.ts_ms + stuffing.WINDOW_MS
    assert [alert.ip for alert in sources.alerts(part, later)] == asked[:2]


@pytest.mark.parametrize("data", [b"", b"rubbish", b"\x92\x80"])
def test_a_fleet_whose_state_cannot_be_read_begins_anew(data):
    assert fleet.Fleet.unpacked(data) == fleet.Fleet()


def test_a_key_of_whatever_name_has_its_hash():
    assert len(set(terms.keys(["key_a", "\ud800", ""]).tolist())) == 3
