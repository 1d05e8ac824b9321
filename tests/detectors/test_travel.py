"""Travel that nobody can have made is told with its distance, its time and its speed."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import travel, words
from detectors.geoip import GeoReader
from detectors.watcher import Watcher
from tests.detectors.events import DAY_MS, HOUR_MS, START_MS, cut
from tests.detectors.mmdb import write
from tests.detectors.test_story import FACTS, event, weeks

CHICAGO, MILWAUKEE, AMSTERDAM = "81.2.69.1", "109.7.7.1", "93.184.216.1"
PLACES = {
    "81.2.69.0/24": ("US", 41.88, -87.63),
    "109.7.7.0/24": ("US", 43.04, -87.91),
    "93.184.216.0/24": ("NL", 52.37, 4.9),
}


@pytest.fixture(scope="module")
def geo(tmp_path_factory):
    records = {
        network: {
            "country": {"iso_code": country},
            "location": {"latitude": lat, "longitude": lon},
        }
        for network, (country, lat, lon) in PLACES.items()
    }
    file = tmp_path_factory.mktemp("geo") / "city.mmdb"
    return GeoReader((str(write(file, "GeoLite2-City", records)),))


def observed(geo, address, minutes, edges=()):
    """Say what was seen at a use from an address, so long after the last use at home."""
    watcher = Watcher(None, geo, clock=lambda: math.inf)
    last = START_MS + 15 * DAY_MS + 15 * HOUR_MS
    more = [
        event(last, ip=CHICAGO),
        event(last + minutes * 60_000, ip=address, agent="curl/8.4.0"),
        event(last + minutes * 60_000 + 1000, ip=address, agent="curl/8.4.0"),
    ]
    for part in cut([one | {"ips": CHICAGO} for one in weeks(15, per_hour=2)], []):
        watcher.step(part, FACTS)
    alerts = [a for part in cut(more, edges) for a in watcher.step(part, FACTS).alerts]
    return [
        (one.detector, one.observed)
        for one in alerts[-1].evidence
        if one.detector in ("geography", "travel")
    ]


@pytest.mark.parametrize("edges", [(), (1,), (1, 2)])
def test_an_impossible_journey_is_told_with_distance_time_and_speed(geo, edges):
    [(detector, text)] = observed(geo, AMSTERDAM, 20, edges)
    assert detector == "travel"
    assert "in NL, 6,6" in text
    assert "km from where it was used 20 min before (19,8" in text
    assert text.endswith("km/h)")


@pytest.mark.parametrize(("address", "minutes"), [(AMSTERDAM, 600), (MILWAUKEE, 1)])
def test_a_flight_and_a_neighbouring_town_are_no_impossible_journeys(geo, address, minutes):
    [(detector, text)] = observed(geo, address, minutes)
    assert detector == "geography"
    assert "km/h" not in text


@pytest.mark.parametrize(
    ("one", "other", "km"),
    [((0, 0), (0, 180), 20015), ((48.86, 2.35), (51.51, -0.13), 344), ((5, 5), (5, 5), 0)],
)
def test_distances_are_those_of_the_great_circle(one, other, km):
    places = [np.array([float(x)]) for x in (*one, *other)]
    assert travel.distance_km(*places)[0] == pytest.approx(km, abs=1.0)


@settings(max_examples=100)
@given(number=st.integers(0, 2**32 - 1), more=st.integers(0, 2**20 - 1))
def test_two_numbers_in_one_come_back(number, more):
    value = travel.packed(np.array([number]), np.array([more]))[0]
    assert travel.unpacked(float(value)) == (number, more)


@pytest.mark.parametrize(("s", "said"), [(0, "0 s"), (59, "59 s"), (240, "4 min"), (5400, "1.5 h")])
def test_spans_are_told_as_people_say_them(s, said):
    assert words.span(s) == said
