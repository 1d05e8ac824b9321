"""An isolation forest as data: arrays that are read, checked and followed, never executed.

After Liu, Ting and Zhou, "Isolation Forest" (ICDM 2008): what is isolated by few random cuts is
unlike the rest. scikit-learn grows the trees; here they are stored with what they were grown
from, and followed for whole columns of sessions at a time.
"""

from hashlib import sha256
from pathlib import Path

import msgspec
import numpy as np
from numpy.typing import NDArray

from detectors.chance import Floats
from vocabulary.errors import ConfigError

VERSION = 1
UNIT = 1 << 16
"""Path lengths are added up as whole numbers: the same sum on every machine."""
LARGEST = 64 << 20
"""Bytes of a model file that are read."""


class Tree(msgspec.Struct, frozen=True, array_like=True):
    """Nodes of a tree: the feature that is asked for (-1 in a leaf), the cut, and where to go.

    `length` is, in a leaf, the path to it and what further cuts would have added.
    """

    feature: list[int]
    cut: list[float]
    left: list[int]
    right: list[int]
    length: list[float]


class Forest(msgspec.Struct, frozen=True):
    """A trained model of sessions.

    Attributes:
        features: what the numbers of a session are, in order.
        formats: the log formats that it was trained on.
        made_at: RFC 3339.
        sessions, keys: how many of each it has seen.
        scale: mean path length that stands for nothing unusual.
        ranks: scores that 1 of 10, of 100, … of the training sessions exceeded, increasing.
        trees: the trees.
    """

    features: tuple[str, ...]
    formats: tuple[str, ...]
    made_at: str
    sessions: int
    keys: int
    scale: float
    ranks: tuple[float, ...]
    trees: tuple[Tree, ...]

    def score(self, z: Floats) -> Floats:
        """Return how soon each session is isolated, from 0 (never) to 1 (at once).

        Args:
            z: shape (n, number of features).
        """
        total = np.zeros(len(z), np.int64)
        every = np.arange(len(z))
        for tree in self.trees:
            feature, left, right = (np.array(c) for c in (tree.feature, tree.left, tree.right))
            cut = np.array(tree.cut)
            node = np.zeros(len(z), np.int64)
            while True:
                asked = feature[node]
                inner = asked >= 0
                if not inner.any():
                    break
                # scikit-learn compares in single precision.
                below = z[every, np.maximum(asked, 0)].astype(np.float32) <= cut[node]
                node = np.where(inner, np.where(below, left[node], right[node]), node)
            total += np.rint(np.array(tree.length) * UNIT).astype(np.int64)[node]
        mean = total / (UNIT * max(len(self.trees), 1))
        return np.asarray(np.exp2(-mean / self.scale), np.float64)

    def surprise(self, z: Floats) -> Floats:
        """Return -log10 of the share of training sessions that were at least as unusual."""
        score = self.score(z)
        levels = np.arange(1, len(self.ranks) + 1, dtype=np.float64)
        return np.asarray(np.interp(score, self.ranks, levels, left=0.0), np.float64)


class _File(msgspec.Struct, frozen=True):
    """What stands in a file: the forest's bytes behind their hash."""

    keywatch_model: int
    sha256: str
    forest: msgspec.Raw


def dumped(forest: Forest) -> bytes:
    """Return the model as a file's bytes: JSON with the hash of what it says."""
    body = msgspec.json.encode(forest)
    return msgspec.json.encode(_File(VERSION, sha256(body).hexdigest(), msgspec.Raw(body)))


def digest_of(forest: Forest) -> str:
    """Return the hash by which a model is known."""
    return sha256(msgspec.json.encode(forest)).hexdigest()


def loaded(file: Path, features: tuple[str, ...]) -> Forest:
    """Read a model and check that it is whole and of these features.

    Raises:
        ConfigError: when it is not; nothing of it is used then.
    """
    try:
        raw = file.read_bytes()[: LARGEST + 1]
    except OSError as error:
        raise ConfigError(str(error.strerror).lower(), where=str(file)) from error
    remedy = "train it again with `keywatch model train`"
    try:
        outer = msgspec.json.decode(raw, type=_File)
    except msgspec.MsgspecError as error:
        raise ConfigError("this is no model of sessions", where=str(file), remedy=remedy) from error
    if outer.keywatch_model != VERSION:
        said = f"a model of version {outer.keywatch_model}, this keywatch knows {VERSION}"
        raise ConfigError(said, where=str(file), remedy=remedy)
    if sha256(bytes(outer.forest)).hexdigest() != outer.sha256:
        raise ConfigError("this model was changed: its hash differs", where=str(file))
    try:
        forest = msgspec.json.decode(bytes(outer.forest), type=Forest)
    except msgspec.MsgspecError as error:
        raise ConfigError("this is no model of sessions", where=str(file), remedy=remedy) from error
    if forest.features != features:
        raise ConfigError(
            "this model was trained on other features of sessions", where=str(file), remedy=remedy
        )
    if not all(_sound(tree, len(features)) for tree in forest.trees):
        raise ConfigError("this model's trees lead nowhere", where=str(file), remedy=remedy)
    return forest


def _sound(tree: Tree, features: int) -> bool:
    """Return whether every way down ends: children stand behind their parents."""
    n = len(tree.feature)
    if not n or any(len(c) != n for c in (tree.cut, tree.left, tree.right, tree.length)):
        return False
    return all(
        -1 <= asked < features and (asked < 0 or (i < left < n and i < right < n))
        for i, (asked, left, right) in enumerate(
            zip(tree.feature, tree.left, tree.right, strict=True)
        )
    )


def expected_length(n: NDArray[np.int64]) -> Floats:
    """Return the mean path of an unsuccessful search among n points (equation 1 there)."""
    more = np.maximum(n.astype(np.float64), 2.0)
    length = 2.0 * (np.log(more - 1.0) + np.euler_gamma) - 2.0 * (more - 1.0) / more
    return np.where(n > 2, length, np.where(n == 2, 1.0, 0.0))  # noqa: PLR2004  (of the paper)
