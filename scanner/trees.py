"""Boosted decision trees, read from plain data and evaluated here: no library at run time."""

from collections.abc import Callable
from functools import cache
from math import exp
from pathlib import Path
from typing import Any

import msgspec

WEIGHTS = Path(__file__).resolve().parent / "model" / "weights.json"


_MANY = 200  # vectors that are worth spelling the trees out
Node = tuple[int, float, "Node | float", "Node | float"] | float
"""Feature, threshold, the node for values up to it, the node for those above; or log-odds."""


class Model(msgspec.Struct, frozen=True):
    """The classifier.

    Attributes:
        base: log-odds before any tree.
        levels: least probabilities of low, medium and high confidence.
        possible: least probability, the path being unknown, at which a candidate is kept.
        names: of the features, to be held against those of the code.
        total: the sum of what the trees say.
    """

    base: float
    trees: tuple[Node, ...]
    levels: tuple[float, float, float]
    possible: float
    names: tuple[str, ...]
    total: Callable[[tuple[float, ...]], float]

    def probability(self, vector: tuple[float, ...]) -> float:
        """Return how likely a candidate with these features is a secret."""
        return 1 / (1 + exp(-self.base - self.total(vector)))


class _Total(msgspec.Struct):
    """The sum of what trees say: walked at first, spelled out when it is asked for often."""

    trees: tuple[Node, ...]
    asked: int = 0
    fast: Callable[[tuple[float, ...]], float] | None = None

    def __call__(self, vector: tuple[float, ...]) -> float:
        if self.fast is not None:
            return self.fast(vector)
        self.asked += 1
        if self.asked > _MANY:
            self.fast = _spelled_out(self.trees)
        total = 0.0
        for node in self.trees:
            while isinstance(node, tuple):
                node = node[2] if vector[node[0]] <= node[1] else node[3]  # noqa: PLW2901
            total += node
        return total


def _spelled_out(trees: tuple[Node, ...]) -> Callable[[tuple[float, ...]], float]:
    """Write all trees as one expression of comparisons, several times faster than walking them.

    Only numbers of our own model go into it.
    """
    body = "+".join(map(_expression, trees)) or "0.0"
    scope: dict[str, Any] = {}
    exec(f"def total(v): return {body}", {"__builtins__": {}}, scope)  # noqa: S102
    made: Callable[[tuple[float, ...]], float] = scope["total"]
    return made


def _expression(node: Node) -> str:
    if not isinstance(node, tuple):
        return repr(float(node))
    feature, threshold, low, high = node
    return (
        f"({_expression(low)} if v[{int(feature)}]<={float(threshold)!r} else {_expression(high)})"
    )


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
    trees = tuple(_nested(tree) for tree in raw["trees"])
    return Model(
        raw["base"],
        trees,
        (raw["levels"]["low"], raw["levels"]["medium"], raw["levels"]["high"]),
        raw["possible"],
        tuple(raw["features"]),
        _Total(trees),
    )


@cache
def shipped() -> Model:
    """Return the model that comes with keywatch; it is read when the first candidate is weighed."""
    return parsed(msgspec.json.decode(WEIGHTS.read_bytes()))
