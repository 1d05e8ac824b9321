"""The objects of a pack as versions of one another: each text, and what it shares with its base.

A family is an object that is stored whole and all that are stored as differences to it, directly
or not. Its members come bases first, so that each text is made once, from one that is at hand; of
several branches the smallest comes first, so that few texts are held at a time.
"""

import os
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

from scanner import inflate
from scanner.archives.kinds import HEAD, kind_of
from scanner.sources.delta import Copy, applied, leaves_much, long_copies, target_size
from scanner.sources.packfile import TREE, Pack

LARGE = 16 << 20
"""Bytes of a text above which it is left to git, which gives it in windows."""

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


class Version(msgspec.Struct):
    """A text of a pack.

    Attributes:
        row: in the pack.
        text: whole.
        base: what it is stored as a difference to, if that is read as well.
        copies: long stretches that it has from its base; none of an archive, all of which is opened
            anew.
        heirs: how many versions that differ from this one are to come.
        read: whether it is scanned; others are there for their heirs.
        record: what the reader keeps of it for its heirs.
    """

    row: int
    text: bytes
    base: "Version | None" = None
    copies: Sequence[Copy] = ()
    heirs: int = 0
    read: bool = False
    record: Any = None


class Families(msgspec.Struct, frozen=True):
    """Which objects of a pack are read, and in what order.

    Attributes:
        order: rows, each behind its base.
        heirs: for each of them, how many are stored as differences to it.
        ends: where in `order` a family ends.
        reached: bytes that all up to and with each take in the pack.
    """

    order: Ints
    heirs: Ints
    ends: Ints
    reached: Ints

    @property
    def stored(self) -> int:
        """Bytes that all take in the pack."""
        return int(self.reached[-1]) if len(self.reached) else 0

    def stored_in(self, begin: int, end: int) -> int:
        """Return the bytes that a stretch of the order takes in the pack."""
        return int(self.reached[end - 1] - (self.reached[begin - 1] if begin else 0))

    def parts(self, size: int) -> list[tuple[int, int]]:
        """Divide the order between families into stretches of about `size` stored bytes."""
        bounds, held = [0], 0
        reached = self.reached[self.ends - 1]
        while bounds[-1] < len(self.order):
            at = int(np.searchsorted(reached, held + size))
            if at >= len(reached):
                bounds.append(len(self.order))
                break
            bounds.append(int(self.ends[at]))
            held = int(reached[at])
        return list(pairwise(bounds))


def families(pack: Pack, wanted: Mask) -> Families:
    """Order the wanted objects of a pack, with what they are differences to.

    All in columns: as objects of their own, the numbers of a repository with half a million
    objects take a hundred megabytes.

    Args:
        pack: all of it.
        wanted: rows that are to be read.
    """
    rows = needed(pack, wanted)
    if not len(rows):
        return Families(rows, rows, rows, rows)
    bases = pack.bases[rows]
    parent = np.where(bases >= 0, np.searchsorted(rows, bases), -1)
    del bases
    stored = (pack.ends - pack.begins)[rows]
    levels = list(_levels(parent))
    place, ends = _places(parent, levels, stored)
    order, heirs, taken = (np.empty_like(rows) for _ in range(3))
    order[place] = rows
    taken[place] = stored
    heirs[place] = np.bincount(parent[parent >= 0], minlength=len(rows))
    return Families(order, heirs, ends, np.cumsum(taken))


def needed(pack: Pack, wanted: Mask) -> Ints:
    """Return the rows of wanted objects and of what they are differences to, directly or not."""
    found: Mask = wanted & (pack.kinds > 0) & (pack.kinds != TREE)
    more = np.flatnonzero(found)
    while len(more):
        bases = pack.bases[more]
        bases = bases[bases >= 0]
        new = np.zeros_like(found)
        new[bases[~found[bases]]] = True  # np.unique would import numpy.ma, which is slow
        more = np.flatnonzero(new)
        found[more] = True
    return np.flatnonzero(found)


def _levels(parent: Ints) -> Iterator[Ints]:
    """Yield those that differ from nothing, then their heirs, then the heirs of these."""
    depth = (parent >= 0).astype(np.int32)
    above = np.where(parent >= 0, parent, np.arange(len(parent)))
    while True:
        further = above[above]
        if np.array_equal(further, above):
            break
        depth += depth[above]
        above = further
    by_depth = np.argsort(depth, kind="stable")
    yield from np.split(by_depth, np.flatnonzero(np.diff(depth[by_depth])) + 1)


def _places(parent: Ints, levels: Sequence[Ints], stored: Ints) -> tuple[Ints, Ints]:
    """Return where each comes in the order, and where each family ends."""
    weight, count = stored.copy(), np.ones_like(stored)
    for level in reversed(levels[1:]):
        np.add.at(weight, parent[level], weight[level])
        np.add.at(count, parent[level], count[level])
    weight[levels[0]] = 0  # families come as they lie in the pack
    by_parent = np.lexsort((weight, parent))
    before = np.cumsum(count[by_parent]) - count[by_parent]
    first = np.flatnonzero(np.diff(parent[by_parent], prepend=-2))
    sizes = np.diff(first, append=len(parent))
    place = np.empty_like(parent)
    place[by_parent] = before - np.repeat(before[first], sizes)
    for level in levels[1:]:
        place[level] += place[parent[level]] + 1
    return place, np.sort(place[levels[0]] + count[levels[0]])


class Reading(msgspec.Struct):
    """A part of a pack being read.

    Attributes:
        least: bytes of the copies that are told.
        left: rows that could not be read here; git says what is wrong with them, or reads them.
    """

    pack: Pack
    least: int
    left: list[int] = msgspec.field(default_factory=list)

    def versions(self, rows: Ints, counts: Ints) -> Iterator[Version]:
        """Yield the texts of some families.

        Args:
            rows: each behind its base.
            counts: for each of them, how many are stored as differences to it.
        """
        held: dict[int, Version] = {}
        waiting: dict[int, int] = {}
        pack = self.pack
        columns = (
            rows,
            counts,
            *(c[rows] for c in (pack.bases, pack.begins, pack.ends, pack.sizes)),
        )
        with pack.path.open("rb", buffering=0) as stream:
            descriptor = stream.fileno()
            for row, heirs, base, *stored in zip(*map(_listed, columns), strict=True):
                raw = _inflated(descriptor, *stored)
                version = self._version(row, held.get(base), base, raw)
                if base in held:
                    waiting[base] -= 1
                    if not waiting[base]:
                        del held[base], waiting[base]
                if version is None:
                    self.left.append(row)
                    continue
                version.heirs = heirs
                if heirs:
                    held[row], waiting[row] = version, heirs
                yield version

    def _version(
        self, row: int, base: Version | None, number: int, raw: bytes | None
    ) -> Version | None:
        """Make a text; None where it is too large, or something is wrong with it or its base."""
        if raw is None or number < -1:
            return None
        if number == -1:
            return Version(row, raw)
        if base is None:
            return None
        try:
            if (size := target_size(raw)) > LARGE:
                return None
            text = applied(base.text, raw)
            worth = leaves_much(raw, size) and not kind_of(text[:HEAD])
            copies = long_copies(base.text, text, raw, self.least) if worth else ()
            return Version(row, text, base, copies)
        except ValueError:
            return None


def _listed(column: Ints) -> list[int]:
    numbers: list[int] = column.tolist()
    return numbers


def _inflated(descriptor: int, begin: int, end: int, size: int) -> bytes | None:
    """Return what is stored, or None where it is too large or not as it says."""
    if size > LARGE or end - begin > LARGE:
        return None
    try:
        return inflate.whole(os.pread(descriptor, end - begin, begin), size)
    except OSError:
        return None
