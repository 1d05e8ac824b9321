"""Growing the forest of sessions from history, with scikit-learn."""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np

from detectors import sessions
from detectors.chance import Floats
from detectors.forest import Forest, Tree, expected_length
from detectors.profile import Rows
from vocabulary.errors import UsageError

TREES, POINTS, SEED = 100, 512, 20250101
LEAST_SESSIONS, LEAST_KEYS = 1000, 5
"""Below so much history every session is unlike the others."""
MOST_SESSIONS = 1_000_000
RANKS = 4
"""Scores that one session of ten, of a hundred, … exceeded."""


@dataclass(slots=True)
class Collection:
    """Gathers sessions, normalised by their keys, while history passes."""

    parts: list[Floats] = field(default_factory=list)
    keys: set[str] = field(default_factory=set)
    count: int = 0

    def take(self, names: list[str], rows: Rows, closed: sessions.Closed) -> None:
        """Take the sessions that would be judged."""
        which = sessions.judged(rows, closed)
        if len(which) and self.count < MOST_SESSIONS:
            self.parts.append(sessions.normal(rows, closed)[which])
            self.keys.update(names[i] for i in set(closed.row[which].tolist()))
            self.count += len(which)


def grow(found: Collection, formats: tuple[str, ...], now: float) -> Forest:
    """Train a forest on what was gathered.

    Args:
        found: sessions.
        formats: of the logs that they are from.
        now: epoch seconds.

    Raises:
        UsageError: when there is too little history.
    """
    if found.count < LEAST_SESSIONS or len(found.keys) < LEAST_KEYS:
        raise UsageError(
            f"too little history: {found.count} sessions of {len(found.keys)} keys that are known",
            remedy=f"give at least {LEAST_SESSIONS} sessions of {LEAST_KEYS} keys: more days",
        )
    from sklearn.ensemble import IsolationForest  # noqa: PLC0415  (needed here alone, and large)

    z = np.concatenate(found.parts)
    points = min(POINTS, len(z))
    grown = IsolationForest(n_estimators=TREES, max_samples=points, random_state=SEED).fit(z)
    trees = tuple(_tree(one.tree_) for one in grown.estimators_)
    made_at = datetime.fromtimestamp(now, UTC).isoformat(timespec="seconds")
    scale = float(expected_length(np.array([points]))[0])
    forest = Forest(sessions.FEATURES, formats, made_at, len(z), len(found.keys), scale, (), trees)
    shares = 1.0 - 10.0 ** -np.arange(1, RANKS + 1, dtype=np.float64)
    ranks = np.quantile(forest.score(z), shares).tolist()
    return Forest(
        sessions.FEATURES, formats, made_at, len(z), len(found.keys), scale, tuple(ranks), trees
    )


def _tree(grown: object) -> Tree:
    left, right, feature, cut, points = (
        np.asarray(getattr(grown, name))
        for name in ("children_left", "children_right", "feature", "threshold", "n_node_samples")
    )
    depth = np.zeros(len(left))
    for node in range(len(left)):
        if left[node] >= 0:
            depth[[left[node], right[node]]] = depth[node] + 1.0
    leaf = left < 0
    length = np.where(leaf, depth + expected_length(points.astype(np.int64)), 0.0)
    return Tree(
        np.where(leaf, -1, feature).tolist(),
        np.where(leaf, 0.0, cut).tolist(),
        left.tolist(),
        right.tolist(),
        length.tolist(),
    )
