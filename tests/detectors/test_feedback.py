"""What people say of alerts teaches the profile: what is the owner's, and what never is."""

import math
from datetime import datetime

import numpy as np
import pytest

from detectors.facts import KeyFacts
from detectors.geoip import GeoReader
from detectors.watcher import Watcher
from tests.detectors.events import DAY_MS, HOUR_MS, START_MS, batch, cut
from tests.detectors.test_story import ABROAD, FACTS, event, weeks, worst
from vocabulary.lesson import Lesson

GEO = GeoReader()


@pytest.fixture(scope="module")
def life():
    return weeks()


def stepped(watcher, events, *lessons, facts=FACTS):
    alerts, left = [], lessons
    for part in cut(events, []):
        step = watcher.step(part, facts, left)
        alerts += step.alerts
        left = [one for one in left if one not in step.taught]
    assert left == [] or not lessons
    return alerts


def grown(life, facts=FACTS):
    watcher = Watcher(None, GEO, clock=lambda: math.inf)
    stepped(watcher, life, facts=facts)
    return watcher


def foreign(day, count=150, hour=16, agent="curl/8.4.0"):
    start = START_MS + day * DAY_MS + hour * HOUR_MS
    return [
        event(start + i * 2000, ip=ABROAD, agent=agent, path=f"/v1/admin/{'abcdef'[i % 6]}")
        for i in range(count)
    ]


def lesson(alerts, verdict):
    alert = alerts[-1]
    first, last = (
        round(datetime.fromisoformat(moment).timestamp() * 1000)
        for moment in (alert.events.first, alert.events.last)
    )
    return Lesson("key_a", verdict, first, last)


def home(day):
    return event(START_MS + day * DAY_MS + 15 * HOUR_MS)


def knows(watcher, address):
    row = watcher.of(["key_a"])[0]
    place = GEO.places([address], np.zeros(1, np.int32), np.zeros(1, np.int64))
    return bool((row["prefix"] == place["prefix"][0]).any())


@pytest.mark.parametrize("verdict", ["acknowledged", "false"])
def test_what_the_owner_did_is_no_longer_news(life, verdict):
    watcher = grown(life)
    first = stepped(watcher, foreign(28))
    assert worst(first) in ("high", "critical")
    again = stepped(watcher, [home(29), *foreign(29)], lesson(first, verdict))
    assert worst(again) in ("none", "low")


def test_without_a_word_the_same_is_alerted_again(life):
    watcher = grown(life)
    stepped(watcher, foreign(28))
    assert worst(stepped(watcher, [home(29), *foreign(29)])) not in ("none", "low")


def test_a_confirmed_theft_does_not_enter_the_baseline(life):
    watcher, never = grown(life), grown(life)
    theft = stepped(watcher, foreign(28))
    stepped(watcher, [home(29)], lesson(theft, "confirmed"))
    stepped(never, [home(29)])
    row, clean = (one.of(["key_a"])[0] for one in (watcher, never))
    assert not knows(watcher, ABROAD)
    assert np.allclose(row["requests"], clean["requests"], rtol=0.05, atol=1.0)
    assert np.allclose(row["active"], clean["active"], atol=0.1)
    assert np.allclose(row["busiest"], clean["busiest"], atol=0.5)
    assert worst(stepped(watcher, foreign(30))) in ("high", "critical")


def test_a_theft_that_is_confirmed_on_its_day_is_not_learned_at_all(life):
    watcher = grown(life)
    theft = stepped(watcher, foreign(28, hour=14))
    before = watcher.of(["key_a"])[0]["requests"].copy()
    later = event(START_MS + 28 * DAY_MS + 20 * HOUR_MS)
    stepped(watcher, [later, *foreign(28, 5, hour=21)], lesson(theft, "confirmed"))
    stepped(watcher, [home(29)])
    assert not knows(watcher, ABROAD)
    assert np.array_equal(watcher.of(["key_a"])[0]["requests"], before)


def test_a_theft_that_is_confirmed_when_its_day_is_over_is_taken_out_again(life):
    watcher, never = grown(life), grown(life)
    theft = stepped(watcher, foreign(28))
    for one in (watcher, never):
        stepped(one, [home(29)])
    assert watcher.of(["key_a"])["requests"].sum() > never.of(["key_a"])["requests"].sum() + 20
    assert knows(watcher, ABROAD)
    stepped(watcher, [home(30)], lesson(theft, "confirmed"))
    stepped(never, [home(30)])
    row, clean = (one.of(["key_a"])[0] for one in (watcher, never))
    assert not knows(watcher, ABROAD)
    assert np.allclose(row["requests"], clean["requests"], rtol=0.05, atol=1.0)
    assert np.allclose(row["busiest"], clean["busiest"], rtol=0.05)
    assert worst(stepped(watcher, foreign(31))) in ("high", "critical")


@pytest.mark.parametrize("verdict", ["acknowledged", "false", "confirmed"])
def test_a_lesson_about_a_key_of_which_nothing_is_known_teaches_nothing(verdict):
    taught, never = (Watcher(None, GEO, clock=lambda: math.inf) for _ in range(2))
    stepped(taught, [home(29)], Lesson("key_a", verdict, START_MS, START_MS))
    stepped(never, [home(29)])
    assert taught.of(["key_a"]).tobytes() == never.of(["key_a"]).tobytes()


def test_a_false_alarm_raises_what_it_takes_up_to_a_bound(life):
    watcher = grown(life)
    alerts = stepped(watcher, foreign(28))
    for day in range(29, 36):
        stepped(watcher, [home(day)], lesson(alerts, "false"))
    assert watcher.of(["key_a"])[0]["tolerance"] == 1.0


def test_a_lesson_waits_until_its_key_is_seen(life):
    watcher = grown(life)
    alerts = stepped(watcher, foreign(28))
    one = lesson(alerts, "acknowledged")
    other = batch(["key_b"], [START_MS + 29 * DAY_MS])
    assert watcher.step(other, {}, [one]).taught == ()
    assert watcher.step(cut([home(29)], [])[0], FACTS, [one]).taught == (one,)


def test_a_sensitive_key_is_alerted_about_sooner(life):
    night = START_MS + 28 * DAY_MS + 8 * HOUR_MS
    little = [event(night + i * 60_000) for i in range(4)]
    calm = {"key_a": KeyFacts("service", tz="America/Chicago", sensitivity=-3.0)}
    keen = {"key_a": KeyFacts("service", tz="America/Chicago", sensitivity=3.0)}
    assert worst(stepped(grown(life), little, facts=calm)) == "none"
    assert worst(stepped(grown(life), little, facts=keen)) not in ("none", "low")


def test_a_rotated_key_inherits_what_is_known_but_no_alarm(life):
    watcher = grown(life)
    stepped(watcher, foreign(28))
    facts = {"key_b": KeyFacts("service", tz="America/Chicago", rotated_from="key_a")}
    moved = [{**home(29), "keys": "key_b"}]
    assert stepped(watcher, moved, facts=facts) == []
    row = watcher.of(["key_b"])[0]
    assert row["mature"] == 1
    assert row["alarmed"] == 0
