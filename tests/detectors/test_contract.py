"""What every detector keeps to, whatever it is given."""

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from detectors import (
    behaviour,
    fuse,
    hours,
    network,
    rate,
    scoring,
    seeds,
    sessions,
    tokens,
    upgrade,
    watcher,
)
from detectors.chance import CAP
from detectors.geoip import GeoReader
from detectors.packing import CorruptError, pack, unpack
from detectors.profile import PROFILE, VERSION, blank
from detectors.round import evidence
from detectors.words import REASONS_KNOWN
from tests.detectors.events import DAY_MS, START_MS, batch, cut, life

GEO = GeoReader()
DETECTORS = {
    "hours": hours.score,
    "rate": rate.score,
    "network": lambda day: network.score(day)[0],
    "behaviour": lambda day: behaviour.score(day, np.zeros(len(day.t), bool)),
    "silence": behaviour.silence,
    "sessions": lambda day: sessions.score(day, None),
    "tokens": tokens.score,
}


@pytest.fixture
def rounds(monkeypatch):
    """Run events through a watcher; return each round as the detectors were given it."""

    def run(batches):
        seen = []

        def keep(day, *more):
            seen.append(replace(day, rows=day.rows.copy()))
            return score(day, *more)

        score = scoring.score
        monkeypatch.setattr(scoring, "score", keep)
        monkeypatch.setattr(seeds, "LIMIT", 0)
        one = watcher.Watcher(None, GEO, clock=lambda: math.inf)
        for part in batches:
            one.step(part, {})
        monkeypatch.setattr(scoring, "score", score)
        return seen

    return run


@pytest.mark.parametrize("name", DETECTORS)
@pytest.mark.parametrize("seed", range(3))
def test_evidence_is_finite_bounded_and_has_words(rounds, name, seed):
    for day in rounds(cut(life(seed, n=300), [100, 200])):
        found = DETECTORS[name](day)
        assert found.e.shape == day.t.shape
        assert np.isfinite(found.e).all()
        assert np.isfinite(found.observed).all()
        assert np.isfinite(found.expected).all()
        assert ((found.e >= 0) & (found.e <= CAP + 1)).all()
        assert set(found.reason[found.e > 0].tolist()) <= REASONS_KNOWN


@pytest.mark.parametrize("name", DETECTORS)
def test_missing_fields_say_nothing_false(rounds, name):
    bare = [
        {**one, "ips": "", "agents": "", "paths": "", "status": 0, "tokens": 0}
        for one in life(4, n=200, days=9)
    ]
    for day in rounds(cut(bare, [50])):
        assert np.isfinite(DETECTORS[name](day).e).all()
        if name in ("network", "behaviour"):
            assert DETECTORS[name](day).e.max() == 0


@pytest.mark.parametrize("jump_days", [-400, -1, 1, 45, 4000])
def test_a_clock_that_jumps_neither_stops_nor_accuses(jump_days):
    calm = [START_MS + i * 3_600_000 for i in range(40)]
    jumped = [calm[-1] + jump_days * DAY_MS + i * 3_600_000 for i in range(5)]
    one = watcher.Watcher(None, GEO, clock=lambda: math.inf)
    step = one.step(batch(["key_a"] * 45, [*calm, *(max(t, 0) for t in jumped)]), {})
    assert step.events == 45
    assert [a for a in step.alerts if a.severity in ("high", "critical")] == []
    row = one.of(["key_a"])[0]
    assert all(np.isfinite(row[n]).all() for n in PROFILE.names if row[n].dtype.kind == "f")


def faded(evidence, times):
    """Yield what the evidence of each family is worth at each event, one at a time."""
    for i, now in enumerate(times):
        yield [
            max(e[j] * 0.5 ** ((now - times[j]) / fuse.HALF_LIFE_MS) for j in range(i + 1))
            for e in evidence
        ]


def slow(evidence, times):
    """Add up evidence as the manual says it."""
    for shares in faded(evidence, times):
        strong = [share for share in shares if share >= fuse.FLOOR]
        yield sum(strong) - fuse.MANY * max(len(strong) - 1, 0)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    gaps=st.lists(st.integers(0, 7_200_000), min_size=1, max_size=12),
    said=st.lists(st.lists(st.sampled_from([0.0, 0.4, 1.3, 2.2, 4.0]), min_size=4, max_size=4)),
)
def test_fusion_is_what_adding_up_one_by_one_gives(rounds, gaps, said):
    times = (START_MS + np.cumsum(gaps)).tolist()
    day = rounds([batch(["key_a"], [times[0]])])[0]
    n = len(times)
    e = np.array([(said[i] if i < len(said) else [0.0] * 4) for i in range(n)]).T
    many = replace(
        day, rows=blank(1), row=np.zeros(n, np.int32), t=np.array(times), late=np.zeros(n, bool),
        place=np.repeat(day.place, n),
    )  # fmt: skip
    found = fuse.fuse(many, [evidence(part, 0, part, part) for part in e])
    expected = list(slow(e.tolist(), times))
    near = [abs(total - x) < 0.01 for total, x in zip(found.total.tolist(), expected, strict=True)]
    # At the floor itself rounding decides: there either answer is right.
    edges = [any(abs(share - fuse.FLOOR) < 0.001 for share in shares) for shares in faded(e, times)]
    assert all(a or b for a, b in zip(near, edges, strict=True))


def test_a_row_of_an_older_version_keeps_what_both_know(monkeypatch):
    kept = [(name, PROFILE.fields[name][0]) for name in PROFILE.names if name != "tolerance"]
    older = np.dtype(kept)
    monkeypatch.setitem(upgrade.LAYOUTS, VERSION - 1, older)
    row = np.zeros(1, older)
    row["events"], row["busiest"] = 7, 3.0
    found = unpack("key_a", pack("key_a", row), VERSION - 1)
    assert found.dtype == PROFILE
    assert found["events"][0] == 7
    assert found["busiest"][0].tolist() == [3.0] * 5
    assert found["tolerance"][0] == 0


@pytest.mark.parametrize("version", [VERSION + 1, 0])
def test_a_row_of_a_version_that_is_not_known_is_refused(version):
    with pytest.raises(CorruptError, match="of version"):
        unpack("key_a", pack("key_a", blank(1)), version)
