"""AI tokens: what a key spends, beside what it has spent and what it may."""

import math

import numpy as np
import pytest

from detectors import feedback
from detectors.facts import KeyFacts
from detectors.geoip import GeoReader
from detectors.profile import DAY_MS, PROFILE, blank
from detectors.upgrade import LAYOUTS, upgraded
from detectors.watcher import Watcher
from tests.detectors.events import HOUR_MS, START_MS, batch
from vocabulary.alert import Severity
from vocabulary.lesson import Lesson

GEO = GeoReader()
DAYS = 20
A_DAY = (9_000, 14_000, 11_000, 8_000, 16_000)


def day(number, tokens, n=20):
    """Return a day's events at ten in the morning, which together cost so many tokens."""
    at = [START_MS + number * DAY_MS + 10 * HOUR_MS + i * 60_000 for i in range(n)]
    cost = np.diff(np.linspace(0, tokens, n + 1).astype(np.int64))
    return batch(["key_a"] * n, at, tokens=cost.tolist())


@pytest.fixture
def known():
    return lived()


def lived():
    """Return a watcher that knows a key by its days with tokens."""
    watcher = Watcher(None, GEO, clock=lambda: math.inf)
    for number in range(DAYS):
        assert not watcher.step(day(number, A_DAY[number % 5]), {}).alerts
    return watcher


def told(alerts):
    return [one for alert in alerts for one in alert.evidence if one.detector == "tokens"]


def test_a_day_that_costs_far_more_than_any_before_is_told(known):
    alerts = known.step(day(DAYS, 400_000), {}).alerts
    assert max(Severity[alert.severity.upper()] for alert in alerts) >= Severity.MEDIUM
    assert {alert.family for alert in alerts} == {"behaviour"}
    one = told(alerts)[-1]
    assert one.observed.endswith(" AI tokens today")
    assert one.expected == "about 11,235 on a day with any"


@pytest.mark.parametrize("tokens", [0, 9_000, 17_000, 23_000])
def test_a_day_like_others_and_somewhat_more_say_nothing(known, tokens):
    assert not told(known.step(day(DAYS, tokens), {}).alerts)


def test_a_key_of_which_no_tokens_are_known_spends_its_first_without_a_word():
    watcher = Watcher(None, GEO, clock=lambda: math.inf)
    for number in range(DAYS):
        watcher.step(day(number, 0), {})
    assert not told(watcher.step(day(DAYS, 10**9), {}).alerts)


@pytest.mark.parametrize(
    ("spent", "times"), [(40_000, 0), (49_000, 0), (60_000, 1)],
    ids=["within", "an answer beyond", "far beyond"],
)  # fmt: skip
def test_a_budget_that_nobody_keeps_is_told_of_once_a_day(spent, times):
    facts = {"key_a": KeyFacts(key_class="ai", tokens_per_day=40_000)}
    watcher = Watcher(None, GEO, clock=lambda: math.inf)
    for number in range(3):
        watcher.step(day(number, 9_000), facts)
    found = [watcher.step(day(number, spent), facts).alerts for number in (3, 4)]
    assert [len(told(alerts)) for alerts in found] == [times, times]
    for alert in (one for alerts in found for one in alerts):
        assert alert.severity == "medium"
        assert told([alert])[0].expected == "its budget is 40,000 a day"


def test_a_confirmed_theft_does_not_become_usual(known):
    calm = lived()
    known.step(day(DAYS, 10**8), {})
    first = START_MS + DAYS * DAY_MS
    known.step(day(DAYS + 1, 11_000), {})
    assert known.of(["key_a"])["spends"][0, 1] > calm.of(["key_a"])["spends"][0, 1] + 10
    lesson = Lesson("key_a", feedback.CONFIRMED, first, first + 11 * HOUR_MS)
    known.step(day(DAYS + 2, 11_000), {}, [lesson])
    # A day that was open when its owner spoke is not believed, either.
    calm.step(day(DAYS + 2, 11_000), {})
    after, usual = known.of(["key_a"]), calm.of(["key_a"])
    np.testing.assert_allclose(after["spent_most"], usual["spent_most"], rtol=3e-2)
    np.testing.assert_allclose(after["spends"], usual["spends"], rtol=3e-2)


def test_what_the_owner_calls_a_false_alarm_is_usual_from_then_on(known):
    known.step(day(DAYS, 400_000), {})
    first = START_MS + DAYS * DAY_MS
    lesson = Lesson("key_a", feedback.FALSE, first, first + 11 * HOUR_MS)
    known.step(day(DAYS + 1, 11_000), {}, [lesson])
    assert not told(known.step(day(DAYS + 2, 400_000), {}).alerts)


def test_rows_of_the_version_before_are_read():
    old = np.zeros(1, LAYOUTS[8])
    old["events"], old["pending"]["known"] = 7, 2
    new = upgraded(old)
    assert (new.dtype, int(new["events"][0]), int(new["pending"]["known"][0])) == (PROFILE, 7, 2)
    assert new["spends"].tolist() == blank(1)["spends"].tolist()
