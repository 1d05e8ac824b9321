"""Boosted decision trees, read from plain data and evaluated here: no library at run time."""

import json
from dataclasses import dataclass
from functools import cache
from math import exp
from pathlib import Path
from typing import Any

WEIGHTS = Path(__file__).resolve().parent / "model" / "weights.json"


Node = tuple[int, float, "Node | float", "Node | float"] | float
"""Feature, threshold, the node for values up to it, the node for those above; or log-odds."""


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
    trees: tuple[Node, ...]
    levels: tuple[float, float, float]
    possible: float
    names: tuple[str, ...]

    def probability(self, vector: tuple[float, ...]) -> float:
        """Return how likely a candidate with these features is a secret."""
        total = self.base
        for tree in self.trees:
            node = tree
            while isinstance(node, tuple):
                feature, threshold, low, high = node
                node = low if vector[feature] <= threshold else high
            total += node
        return 1 / (1 + exp(-total))


def _nested(tree: dict[str, list[Any]], node: int = 0) -> Node:
    feature, threshold = tree["feature"][node], tree["threshold"][node]
    if feature < 0:
        return float(threshold)
    return (
        feature,
        threshold,
        _nested(tree, tree["left"][node]),
        _nested(tree, tree["right"][node]),
    )


def parsed(raw: dict[str, Any]) -> Model:
    """Read a model from its JSON."""
    return Model(
        raw["base"],
        tuple(_nested(tree) for tree in raw["trees"]),
        (raw["levels"]["low"], raw["levels"]["medium"], raw["levels"]["high"]),
        raw["possible"],
        tuple(raw["features"]),
    )


@cache
def shipped() -> Model:
    """Return the model that comes with keywatch; it is read when the first candidate is weighed."""
    return parsed(json.loads(WEIGHTS.read_bytes()))
