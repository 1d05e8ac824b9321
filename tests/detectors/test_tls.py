"""Fingerprints of TLS hellos: news where a key has shown others, under whatever name it comes."""

import math
from zlib import crc32

import numpy as np
import pytest

from detectors.geoip import GeoReader
from detectors.packing import pack, unpack
from detectors.seeds import SEED
from detectors.upgrade import SEED_LAYOUTS
from detectors.watcher import Watcher
from tests.detectors.events import DAY_MS, HOUR_MS, START_MS, cut
from tests.detectors.test_story import FACTS, event, weeks, worst

GEO = GeoReader()
OWN, OTHER = "t13d0712h2_own", "t13d0911h1_other"
LATER = START_MS + 28 * DAY_MS + 16 * HOUR_MS


@pytest.fixture(scope="module")
def usual():
    return weeks()


def lived(life, prints):
    """Return a watcher that knows a key by events with these fingerprints, day by day."""
    watcher = Watcher(None, GEO, clock=lambda: math.inf)
    shown = [
        one | {"prints": prints[(one["ts_ms"] - START_MS) // DAY_MS % len(prints)]} for one in life
    ]
    alerts = [a for part in cut(shown, [len(life) // 2]) for a in watcher.step(part, FACTS).alerts]
    assert worst(alerts) in ("none", "low")
    return watcher


def said(watcher, hello, n=10, **other):
    """Return the alerts of more requests within ten minutes."""
    more = [event(LATER + i * 600_000 // n, **other) | {"prints": hello} for i in range(n)]
    return [a for part in cut(more, []) for a in watcher.step(part, FACTS).alerts]


def about_tls(alerts):
    told = [one for alert in alerts for one in alert.evidence]
    return [one.detector for one in told if "TLS fingerprint" in one.observed]


def test_the_owners_client_by_another_tls_library_is_told_as_such(usual):
    alerts = said(lived(usual, [OWN]), OTHER, n=400)
    assert about_tls(alerts[-1:]) == ["client"]
    told = next(one for one in alerts[-1].evidence if one.detector == "client")
    assert told.expected == "in 20 days of use: 1 TLS fingerprint"
    assert about_tls(said(lived(usual, [OWN]), OWN, n=400)) == []


@pytest.mark.parametrize(
    ("before", "hello"),
    [([OWN], OWN), ([OWN], ""), ([""], OTHER), ([f"hello {i}" for i in range(28)], OTHER)],
    ids=["the same", "none", "the first of all", "another every day"],
)
def test_what_is_no_news_adds_nothing(usual, before, hello):
    quiet = lived(usual, [""])
    assert said(lived(usual, before), hello) == said(quiet, "")


def test_a_new_network_says_more_with_another_fingerprint(usual):
    by_hello = {}
    for hello in (OWN, OTHER):
        watcher = lived(usual, [OWN])
        said(watcher, hello, ip="193.0.6.139")
        by_hello[hello] = watcher.of(["key_a"])["evidence"][0, 0]
    assert by_hello[OTHER] > by_hello[OWN]


def test_seeds_of_older_versions_are_read():
    old = np.zeros(2, SEED_LAYOUTS[6])
    old["t"], old["agent"] = (START_MS, START_MS + 1), 7
    data = pack("key_a", np.zeros(2, SEED))
    assert unpack("key_a", data)["tls"].tolist() == [0, 0]
    # As version 6 packed it: the same mark, and the seeds as they were.
    aged = data[4:8] + old.tobytes()
    aged = crc32(aged, crc32(b"key_a")).to_bytes(4, "big") + aged
    found = unpack("key_a", aged, 6)
    assert found.dtype == SEED
    assert found["t"].tolist() == old["t"].tolist()
    assert found["tls"].tolist() == [0, 0]
