"""Boosted decision trees, read from plain data and evaluated here: no library at run time."""

import json
from dataclasses import dataclass
from functools import cache
from math import exp
from pathlib import Path
from typing import Any

WEIGHTS = Path(__file__).resolve().parent / "model" / "weights.json"


@dataclass(frozen=True, slots=True)
class Tree:
    """One tree, a list for each column; node 0 is the root.

    Attributes:
        feature: what a node asks for; −1 at a leaf.
        threshold: at most that goes left, more goes right; at a leaf its weight in log-odds.
        left, right: the nodes below.
    """

    feature: tuple[int, ...]
    threshold: tuple[float, ...]
    left: tuple[int, ...]
    right: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Model:
    """The classifier.

    Attributes:
        base: log-odds before any tree.
        levels: least probabilities of low, medium and high confidence.
        possible: least probability, the path being unknown, at which a candidate is kept.
        names: of the features, to be held against those of the code.
    """

    base: float
    trees: tuple[Tree, ...]
    levels: tuple[float, float, float]
    possible: float
    names: tuple[str, ...]

    def probability(self, vector: tuple[float, ...]) -> float:
        """Return how likely a candidate with these features is a secret."""
        total = self.base
        for tree in self.trees:
            feature, threshold, node = tree.feature, tree.threshold, 0
            while (asked := feature[node]) >= 0:
                node = tree.left[node] if vector[asked] <= threshold[node] else tree.right[node]
            total += threshold[node]
        return 1 / (1 + exp(-total))


def parsed(raw: dict[str, Any]) -> Model:
    """Read a model from its JSON."""
    return Model(
        raw["base"],
        tuple(
            Tree(
                tuple(tree["feature"]),
                tuple(tree["threshold"]),
                tuple(tree["left"]),
                tuple(tree["right"]),
            )
            for tree in raw["trees"]
        ),
        (raw["levels"]["low"], raw["levels"]["medium"], raw["levels"]["high"]),
        raw["possible"],
        tuple(raw["features"]),
    )


@cache
def shipped() -> Model:
    """Return the model that comes with keywatch; it is read when the first candidate is weighed."""
    return parsed(json.loads(WEIGHTS.read_bytes()))
