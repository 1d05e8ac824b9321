"""Names of endpoints: what a key really calls, for people who decide on it."""

import math

import pytest

from database.transaction import open_database, reading, transaction
from detectors import endpoints
from detectors.geoip import GeoReader
from detectors.watcher import Watcher
from tests.detectors.events import START_MS, batch

GEO = GeoReader()


@pytest.fixture
def engine(database_url):
    engine = open_database(database_url)
    yield engine
    engine.dispose()


def watched(engine, paths, status=None):
    watcher = Watcher(engine, GEO, clock=lambda: math.inf)
    n = len(paths)
    part = batch(["key_a"] * n, [START_MS + i for i in range(n)], paths=paths, status=status)
    step = watcher.step(part, {})
    with transaction(engine) as connection:
        step.write(connection, 0.0)
    return watcher, step


def kept(engine):
    with reading(engine) as connection:
        return sorted(endpoints.load(connection).values())


def test_endpoints_are_named_once_and_without_ids(engine):
    watcher, step = watched(engine, ["/v1/orders/17", "/v1/orders/18", "/v1/me"])
    assert sorted(step.named.values()) == ["GET /v1/me", "GET /v1/orders/#"] == kept(engine)
    assert sorted(watcher.called("key_a")) == kept(engine)
    again, step = watched(engine, ["/v1/orders/19"])
    assert step.named == {}
    assert "GET /v1/me" in again.called("key_a")
    assert again.called("key_b") == ()


def test_what_was_refused_is_not_named(engine):
    watched(engine, ["/wp-login.php", "/v1/me", "/.env"], [404, 200, 401])
    assert kept(engine) == ["GET /v1/me"]


def test_nobody_fills_the_table(engine, monkeypatch):
    monkeypatch.setattr(endpoints, "MOST", 3)
    watched(engine, [f"/v1/{word}" for word in "abcdefg"])
    assert len(kept(engine)) == 3
    watched(engine, ["/v1/z"])
    assert len(kept(engine)) == 3


def test_two_workers_may_give_the_same_name(engine):
    first, second = (Watcher(engine, GEO, clock=lambda: math.inf) for _ in "ab")
    for watcher in (first, second):
        step = watcher.step(batch(["key_a"], [START_MS]), {})
        with transaction(engine) as connection:
            endpoints.keep(connection, step.named)
    assert kept(engine) == ["GET /v1/orders"]


def test_a_long_or_hostile_path_is_cut_and_stays_text(engine):
    watched(engine, ["/v1/" + "x" * 600, "/<script>\x1b[2J", "/\0\udcff"])
    assert len(kept(engine)) == 3
    assert all(len(name) <= endpoints.LONGEST for name in kept(engine))
