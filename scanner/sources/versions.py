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

from scanner.sources import inflate
from scanner.sources.delta import Copy, applied, long_copies, target_size
from scanner.sources.packfile import TREE, Pack

LARGE = 16 << 20
"""Bytes of a text above which it is left to git, which gives it in windows."""
_GROUP = 8192  # objects that are inflated together, at most
_GROUP_SIZE = 16 << 20  # … or so many bytes of them
_TRIES = 64  # a chain of differences is far shorter than 2 to the power of this

Mask = npt.NDArray[np.bool_]


class Version(msgspec.Struct):
    """A text of a pack.

    Attributes:
        row: in the pack.
        text: whole.
        base: what it is stored as a difference to, if that is read as well.
        copies: long stretches that it has from its base.
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
        begins: where in `order` a family begins.
        stored: bytes that each takes in the pack.
    """

    order: list[int]
    heirs: list[int]
    begins: list[int]
    stored: list[int]

    def parts(self, size: int) -> list[tuple[int, int]]:
        """Divide the order between families into stretches of about `size` stored bytes."""
        bounds, held = [0], 0
        for begin, end in zip(self.begins, [*self.begins[1:], len(self.order)], strict=True):
            held += sum(self.stored[begin:end])
            if held >= size:
                bounds.append(end)
                held = 0
        if self.order and bounds[-1] != len(self.order):
            bounds.append(len(self.order))
        return list(pairwise(bounds))


def families(pack: Pack, wanted: Mask) -> Families:
    """Order the wanted objects of a pack, with what they are differences to.

    Args:
        pack: all of it.
        wanted: rows that are to be read.
    """
    needed = wanted & (pack.kinds > 0) & (pack.kinds != TREE)
    for _ in range(_TRIES * _TRIES):
        bases = pack.bases[needed]
        more = bases[bases >= 0]
        more = more[~needed[more]]
        if not len(more):
            break
        needed[more] = True
    rows = np.flatnonzero(needed)
    bases = pack.bases[rows]
    heirs: dict[int, list[int]] = {}
    for row, base in zip(rows[bases >= 0].tolist(), bases[bases >= 0].tolist(), strict=True):
        heirs.setdefault(base, []).append(row)
    roots = rows[bases == -1].tolist()
    stored = (pack.ends - pack.begins).tolist()
    weights = _weights(roots, heirs, stored) if heirs else {}
    for several in heirs.values():
        if len(several) > 1:
            several.sort(key=weights.__getitem__, reverse=True)  # the last is taken first
    order: list[int] = []
    begins: list[int] = []
    for root in roots:
        begins.append(len(order))
        order += _below(root, heirs)
    return Families(
        order, [len(heirs.get(row, ())) for row in order], begins, [stored[row] for row in order]
    )


def _below(root: int, heirs: dict[int, list[int]]) -> list[int]:
    if root not in heirs:
        return [root]
    order, stack = [], [root]
    while stack:
        row = stack.pop()
        order.append(row)
        if row in heirs:
            stack += heirs[row]
    return order


def _weights(roots: list[int], heirs: dict[int, list[int]], stored: list[int]) -> dict[int, int]:
    weights: dict[int, int] = {}
    for root in roots:
        for row in reversed(_below(root, heirs)):
            weights[row] = stored[row] + sum(weights[heir] for heir in heirs.get(row, ()))
    return weights


class Reading(msgspec.Struct):
    """A part of a pack being read.

    Attributes:
        least: bytes of the copies that are told.
        left: rows that could not be read here; git says what is wrong with them, or reads them.
    """

    pack: Pack
    least: int
    left: list[int] = msgspec.field(default_factory=list)

    def versions(self, order: Sequence[int], heirs: Sequence[int]) -> Iterator[Version]:
        """Yield the texts of some families."""
        held: dict[int, Version] = {}
        waiting: dict[int, int] = {}
        with self.pack.path.open("rb", buffering=0) as stream:
            descriptor = stream.fileno()
            for begin, end, stored in self._groups(descriptor, order):
                rows = order[begin:end]
                bases = self.pack.bases[rows].tolist()
                copies = _copies(stored, bases, self.least)
                for at, (row, base, raw) in enumerate(zip(rows, bases, stored, strict=True)):
                    version = self._version(row, held.get(base), base, raw)
                    if base in held:
                        waiting[base] -= 1
                        if not waiting[base]:
                            del held[base], waiting[base]
                    if version is None:
                        self.left.append(row)
                        continue
                    version.copies = copies[at]
                    version.heirs = heirs[begin + at]
                    if version.heirs:
                        held[row], waiting[row] = version, version.heirs
                    yield version

    def _groups(
        self, descriptor: int, order: Sequence[int]
    ) -> Iterator[tuple[int, int, list[bytes | None]]]:
        """Inflate what is stored of the rows, some at a time."""
        sizes, begins, ends = (
            column[order].tolist() for column in (self.pack.sizes, self.pack.begins, self.pack.ends)
        )
        begin, held = 0, 0
        stored: list[bytes | None] = []
        for at, size in enumerate(sizes):
            stored.append(_inflated(descriptor, begins[at], ends[at], size))
            held += size if size <= LARGE else 0
            if at + 1 - begin >= _GROUP or held >= _GROUP_SIZE:
                yield begin, at + 1, stored
                begin, held, stored = at + 1, 0, []
        if stored:
            yield begin, len(order), stored

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
            if target_size(raw) > LARGE:
                return None
            return Version(row, applied(base.text, raw), base)
        except ValueError:
            return None


def _inflated(descriptor: int, begin: int, end: int, size: int) -> bytes | None:
    """Return what is stored, or None where it is too large or not as it says."""
    if size > LARGE or end - begin > LARGE:
        return None
    try:
        return inflate.whole(os.pread(descriptor, end - begin, begin), size)
    except OSError:
        return None


def _copies(
    stored: Sequence[bytes | None], bases: Sequence[int], least: int
) -> Sequence[Sequence[Copy]]:
    differences = [at for at, base in enumerate(bases) if base >= 0 and stored[at] is not None]
    copies: list[Sequence[Copy]] = [()] * len(stored)
    found = long_copies([stored[at] or b"" for at in differences], least) if differences else []
    for at, several in zip(differences, found, strict=True):
        copies[at] = several
    return copies
