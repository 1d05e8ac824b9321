"""The model of sessions: followed as scikit-learn does, refused when it is another."""

import math
from itertools import groupby

import msgspec
import numpy as np
import pytest

from detectors import forest, sessions, training
from detectors.geoip import GeoReader
from detectors.watcher import Watcher
from tests.detectors.events import DAY_MS, HOUR_MS, START_MS, batch, cut, life
from tests.detectors.test_story import FACTS, weeks
from vocabulary.errors import ConfigError, UsageError

GEO = GeoReader()


@pytest.fixture(scope="module")
def points():
    return np.random.default_rng(1).normal(size=(2000, len(sessions.FEATURES)))


@pytest.fixture(scope="module")
def grown(points):
    found = training.Collection([points], {f"key_{i}" for i in range(9)}, len(points))
    return training.grow(found, ("nginx-json",), 0.0)


def test_scores_are_those_of_scikit_learn(points, grown):
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415  (dear, and each of pytest's processes imports all test files)

    theirs = IsolationForest(
        n_estimators=training.TREES, max_samples=training.POINTS, random_state=training.SEED
    ).fit(points)
    assert np.allclose(grown.score(points), -theirs.score_samples(points), atol=1e-4)


def test_one_session_of_a_hundred_surprises_as_much(points, grown):
    assert np.mean(grown.surprise(points) >= 2.0) == pytest.approx(0.01, abs=0.002)


def test_a_model_comes_back_from_its_file(tmp_path, grown):
    file = tmp_path / "m.json"
    file.write_bytes(forest.dumped(grown))
    assert forest.loaded(file, sessions.FEATURES) == grown


@pytest.mark.parametrize(
    ("spoil", "said"),
    [
        (lambda raw: raw.replace(b'"keys":9', b'"keys":8'), "hash differs"),
        (lambda raw: raw[:-20], "no model"),
        (lambda _: b"rubbish", "no model"),
        (lambda raw: raw.replace(b'"keywatch_model":1', b'"keywatch_model":2'), "version 2"),
        (lambda _: forest.dumped({"trees": "none"}), "no model"),
    ],
)
def test_a_model_that_was_changed_is_refused(tmp_path, grown, spoil, said):
    file = tmp_path / "m.json"
    file.write_bytes(spoil(forest.dumped(grown)))
    with pytest.raises(ConfigError, match=said):
        forest.loaded(file, sessions.FEATURES)


def test_a_model_that_is_not_there_is_told(tmp_path):
    with pytest.raises(ConfigError, match="no such file"):
        forest.loaded(tmp_path / "m.json", sessions.FEATURES)


def test_a_model_of_other_features_is_refused(tmp_path, grown):
    file = tmp_path / "m.json"
    file.write_bytes(forest.dumped(grown))
    with pytest.raises(ConfigError, match="other features"):
        forest.loaded(file, sessions.FEATURES[:-1])


@pytest.mark.parametrize(
    "tree",
    [
        forest.Tree([0, -1], [0.0, 0.0], [0, -1], [1, -1], [0.0, 1.0]),
        forest.Tree([], [], [], [], []),
        forest.Tree([-1], [0.0], [-1], [-1], []),
        forest.Tree([99, -1, -1], [0.0] * 3, [1, -1, -1], [2, -1, -1], [1.0] * 3),
    ],
    ids=["a circle", "nothing", "columns of two lengths", "a feature that is none"],
)
def test_a_tree_that_leads_nowhere_is_refused(tmp_path, grown, tree):
    file = tmp_path / "m.json"
    file.write_bytes(forest.dumped(msgspec.structs.replace(grown, trees=(tree,))))
    with pytest.raises(ConfigError, match="lead nowhere"):
        forest.loaded(file, sessions.FEATURES)


def test_too_little_history_is_refused():
    with pytest.raises(UsageError, match="too little history"):
        training.grow(training.Collection(), ("nginx-json",), 0.0)


def slowly(events, key):
    """Count requests and refusals of each clock hour of a key but the last, one event at a time."""
    clock, kept = 0, []
    for one in events:
        if one["keys"] != key or one["status"] == 401:
            continue
        clock = max(clock, one["ts_ms"])
        late = one["ts_ms"] < clock - 600_000
        kept.append((clock // HOUR_MS, not late, one["status"] == 403 and not late))
    hours = [list(group) for _, group in groupby(kept, key=lambda one: one[0])]
    return [(sum(n for _, n, _ in hour), sum(f for *_, f in hour)) for hour in hours[:-1]]


def test_sessions_are_what_counting_one_by_one_gives():
    events, found = life(11, n=400, days=4.0), {}

    def collect(names, _rows, closed):
        for row, x in zip(closed.row.tolist(), closed.x.tolist(), strict=True):
            found.setdefault(names[row], []).append(x)

    watcher = Watcher(None, GEO, collect=collect, clock=lambda: math.inf)
    for part in cut(events, [50, 51, 180, 333]):
        watcher.step(part, {})
    of = sessions.FEATURES.index
    for key, seen in found.items():
        plain = [
            tuple(
                round(2.0 ** (x[of(name)] / sessions.UNIT) - 1.0)
                for name in ("requests", "refused")
            )
            for x in seen
        ]
        assert plain == slowly(events, key)
    assert found


def test_an_hour_unlike_the_others_says_little_alone_and_names_its_features(grown):
    rng = np.random.default_rng(3)
    ts = [
        START_MS + day * DAY_MS + hour * HOUR_MS + i * 200_000
        for day in range(30)
        for hour in range(24)
        for i in range(8)
    ]
    paths = [f"/v1/orders/{rng.integers(1, 9)}" for _ in ts]
    start = START_MS + 30 * DAY_MS
    odd = [*(start + i * 500 for i in range(40)), start + HOUR_MS]
    more = [f"/v1/orders/{1000 + 3 * i}" for i in range(41)]
    watcher = Watcher(None, GEO, forest=grown, clock=lambda: math.inf)
    alerts = list(watcher.step(batch(["key_a"] * len(ts), ts, paths=paths), {}).alerts)
    step = watcher.step(batch(["key_a"] * 41, odd, paths=more, status=[404] * 40 + [200]), {})
    assert [a for a in alerts if a.severity != "low"] == []
    assert [a for a in step.alerts if a.family == "behaviour"] == []
    row = watcher.of(["key_a"])[0]
    said = [int(r) for r in row["reason"] if r >= 64]
    assert len(said) == 1
    assert row["observed"].max() > 0


def test_history_gives_sessions_of_known_keys_and_only_so_many(monkeypatch):
    found = []
    for most in (training.MOST_SESSIONS, 5):
        monkeypatch.setattr(training, "MOST_SESSIONS", most)
        found.append(training.Collection())
        watcher = Watcher(None, GEO, collect=found[-1].take, clock=lambda: math.inf)
        # a batch a day, which opens when the next one comes
        for part in cut(weeks(6, per_hour=8), list(range(0, 400, 60))):
            watcher.step(part, FACTS)
    every, few = (np.concatenate(one.parts) for one in found)
    assert every.shape == (found[0].count, len(sessions.FEATURES))
    assert found[0].keys == {"key_a"}
    assert np.array_equal(few, every[: len(few)])
    assert 5 <= len(few) < len(every) <= 6 * 8
    assert np.abs(every).max() <= sessions.WIDEST
