"""Two profiles into one: what either key knew is known, nothing grows, no alarm changes hands."""

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from detectors import merging, scoring
from detectors.chance import CAP
from detectors.facts import KeyFacts
from detectors.geoip import GeoReader
from detectors.network import KNOWN
from detectors.profile import PROFILE, blank
from detectors.watcher import Watcher
from detectors.words import REASONS_KNOWN
from tests.detectors.events import DAY_MS, HOUR_MS, START_MS, cut, life, shifted
from tests.detectors.test_contract import DETECTORS
from tests.detectors.test_story import ABROAD, event, weeks, worst

GEO = GeoReader()
UTC = np.zeros(1, np.int64)


def grown(seed, n=120, days=16.0):
    watcher = Watcher(None, GEO, clock=lambda: math.inf)
    for part in cut(life(seed, n=n, keys=1, days=days), []):
        watcher.step(part, {})
    return watcher.of(["key_0"])


@pytest.fixture(scope="module")
def profiles():
    return [grown(seed) for seed in range(4)]


def known(row, name):
    return set(row[name][0].tolist()) - {0}


def test_what_either_knows_is_known_and_counts_add_up(profiles):
    for one, other in pairwise(profiles):
        new = merging.merged(one, other, UTC)
        for name in KNOWN:
            both = known(one, name) | known(other, name)
            assert known(new, name) <= both
            assert len(known(new, name)) == min(len(both), new[name].shape[1])
            waits = new[f"{name}_new"][0, : new[f"{name}_count"][0]].tolist()
            assert not set(waits) & known(new, name)
        assert new["events"] == one["events"] + other["events"]
        assert new["first"] == min(one["first"], other["first"])
        assert (new["busiest"] >= np.maximum(one["busiest"], other["busiest"])).all()


def test_sums_of_a_key_used_longer_ago_have_faded(profiles):
    one, other = profiles[0], profiles[1].copy()
    same = one["day"] - other["day"]
    other["day"], other["mature_days"] = other["day"] + same - 90, 8.0
    assert np.isclose(merging.merged(one, other, UTC)["mature_days"], one["mature_days"] + 4.0)


def test_a_profile_merged_with_nothing_stays(profiles):
    one = profiles[0]
    assert merging.merged(one, blank(1), UTC).tobytes() == one.tobytes()
    taken = merging.merged(blank(1), one, UTC)
    same = [name for name in PROFILE.names if name not in merging.PERSONAL]
    assert all(np.array_equal(taken[name], one[name]) for name in same)


def test_neither_profile_is_changed_and_no_alarm_changes_hands(profiles):
    one, other = (rows.copy() for rows in profiles[:2])
    other["alarmed"], other["evidence"], other["severity"] = 3, 1 << 40, 3
    before = one.tobytes(), other.tobytes()
    new = merging.merged(one, other, UTC)
    assert (one.tobytes(), other.tobytes()) == before
    for name in set(merging.PERSONAL) - {"held_day"}:
        assert np.array_equal(new[name], one[name])
    assert new["held_day"] == 0  # what would undo a day of one key undoes none of both


def test_what_is_learned_does_not_depend_on_which_key_replaces_which(profiles):
    day = profiles[0]["day"]
    one, other = (rows.copy() for rows in profiles[:2])
    other["day"] = day
    left, right = merging.merged(one, other, UTC), merging.merged(other, one, UTC)
    names = (*merging.FADING, "busiest", "kinds", "turn", "events", "days", "first", *KNOWN)
    for name in names:
        if name in KNOWN:
            assert known(left, name) == known(right, name)
        else:
            assert np.array_equal(left[name], right[name]), name


def judged(rows, part):
    """Return a day that follows on the profile's last, as the detectors are given it."""
    kept = []

    def keep(day, *more):
        kept.append(replace(day, rows=day.rows.copy()))
        return asked(day, *more)

    asked = scoring.score
    watcher = Watcher(None, GEO, clock=lambda: math.inf)
    watcher._put(np.array([0]), watcher._arena.slots(["key_0"]), rows, [])
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(scoring, "score", keep)
        watcher.step(part, {})
    return kept[0]


@pytest.mark.parametrize("name", DETECTORS)
@settings(max_examples=6, deadline=None)
@given(seeds=st.lists(st.integers(0, 3), min_size=2, max_size=2), late=st.integers(0, 100))
def test_every_detector_bears_a_merged_profile(name, profiles, seeds, late):
    one, other = (profiles[seed].copy() for seed in seeds)
    other["day"] += late  # the key that is replaced may have been used last
    new = merging.merged(one, other, UTC)
    ahead = (int(new["day"][0]) + 1) * DAY_MS - START_MS
    day = judged(new, shifted(cut(life(50, n=60, keys=1, days=0.9), [])[0], ahead))
    found = DETECTORS[name](day)
    assert np.isfinite(found.e).all()
    assert ((found.e >= 0) & (found.e <= CAP + 1)).all()
    assert set(found.reason[found.e > 0].tolist()) <= REASONS_KNOWN


def test_a_key_in_use_before_it_is_said_to_replace_another_knows_what_both_did():
    watcher = Watcher(None, GEO, clock=lambda: math.inf)
    heir = [{**event(START_MS + day * DAY_MS + 18 * HOUR_MS), "keys": "key_b"} for day in range(8)]
    old = [one | {"ips": ABROAD} for one in weeks(8, per_hour=1)]
    for part in cut(sorted([*heir, *old], key=lambda one: one["ts_ms"]), []):
        watcher.step(part, {})
    facts = {"key_b": KeyFacts("service", rotated_from="key_a")}
    abroad = START_MS + 8 * DAY_MS + 15 * HOUR_MS
    moved = [event(abroad + i * 60_000, ip=ABROAD) | {"keys": "key_b"} for i in range(3)]
    alerts = [a for part in cut(moved, []) for a in watcher.step(part, facts).alerts]
    assert worst(alerts) == "none"
    row = watcher.of(["key_b"])[0]
    assert row["events"] == len(heir) + len(old) + len(moved)
    # Once is enough: another batch adds nothing again.
    watcher.step(cut([event(abroad + DAY_MS) | {"keys": "key_b"}], [])[0], facts)
    assert watcher.of(["key_b"])[0]["events"] == row["events"] + 1


@pytest.mark.parametrize(
    ("mine", "other", "turn", "turned"),
    [
        ((20_000, 10), (20_001, 30), 30, 20_001),  # of the same turn: the larger
        ((20_000, 10), (20_031, 30), 30, 20_031),
        ((20_031, 10), (20_000, 30), 10, 20_031),  # of another: the last
    ],
)
def test_what_is_usual_at_the_turn_of_a_month_is_what_was_there_last(
    profiles, mine, other, turn, turned
):
    rows = [profiles[0].copy(), profiles[1].copy()]
    for row, (day, size) in zip(rows, (mine, other), strict=True):
        row["turned"], row["turn"] = day, size
    new = merging.merged(*rows, UTC)
    assert (int(new["turned"][0]), int(new["turn"].max())) == (turned, turn)
