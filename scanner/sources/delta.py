"""Git's differences between two versions of a text: applied, and read for what they leave alone.

A difference is a list of steps: copy so many bytes of the base from there, or insert these. A long
copy is text that did not change. Finding the long ones means walking over all steps, in each of
thousands of differences; so many are walked at once, a step of each at a time, in columns.

References:
    https://git-scm.com/docs/gitformat-pack#_deltified_representation
"""

from collections.abc import Sequence

import msgspec
import numpy as np
import numpy.typing as npt

try:  # dulwich's Rust, where there is a wheel with it; its Python elsewhere
    from dulwich._pack import apply_delta
except ImportError:  # pragma: no cover
    from dulwich.pack import apply_delta

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_COPY = 0x80
_FULL = 0x10000  # what a copy of length zero copies
_PAD = bytes(16)
_FEW = 128  # walked one by one where no more are left: a column costs as much as these

_ORDER = np.arange(256)
_OFFSETS = np.where(
    _ORDER & _COPY, (_ORDER & 1) + (_ORDER >> 1 & 1) + (_ORDER >> 2 & 1) + (_ORDER >> 3 & 1), 0
)
_OFFSET_BYTES = _OFFSETS.tolist()
_LENGTHS = np.where(_ORDER & _COPY, (_ORDER >> 4 & 1) + (_ORDER >> 5 & 1) + (_ORDER >> 6 & 1), 0)
_STEP = np.where(_ORDER & _COPY, 1 + _OFFSETS + _LENGTHS, 1 + _ORDER)
"""Bytes of a step, by its first byte; how many of them tell the offset, and how many the length."""
Copy = tuple[int, int, int]
"""Where a copy goes in the new text, where it comes from in its base, and its length."""


def applied(base: bytes, delta: bytes) -> bytes:
    """Return the text that a difference makes of its base.

    Raises:
        ValueError: the difference does not belong to that base, or is none.
    """
    try:
        parts = apply_delta(base, delta)
    except Exception as error:  # (dulwich has no one type for this)
        raise ValueError("not a difference to this base") from error
    return parts[0] if len(parts) == 1 else b"".join(parts)


def target_size(delta: bytes) -> int:
    """Return the length of the text that a difference makes.

    Raises:
        ValueError: it is cut short.
    """
    at = 0
    for _ in range(2):
        size = shift = 0
        while True:
            if at >= len(delta) or shift > 62:  # noqa: PLR2004  (no size has more bits)
                raise ValueError("a difference is cut short")
            part = delta[at]
            at += 1
            size |= (part & 127) << shift
            shift += 7
            if part < _COPY:
                break
    return size


def long_copies(deltas: Sequence[bytes], least: int) -> list[list[Copy]]:
    """Return, for each difference, its copies of at least `least` bytes, in the new text's order.

    Args:
        deltas: whole differences; of a broken one anything may be returned.
        least: bytes; at least 256.
    """
    lengths = np.fromiter(map(len, deltas), np.int64, len(deltas))
    ends = np.cumsum(lengths)
    walk = _Walk(np.frombuffer(b"".join((*deltas, _PAD)), np.uint8), ends, least)
    walk.over(ends - lengths)
    return walk.sorted(len(deltas))


class _Walk(msgspec.Struct):
    """Many differences in one buffer, and the long copies met so far."""

    buffer: Bytes
    ends: Ints
    least: int
    found: list[tuple[Ints, ...]] = msgspec.field(default_factory=list)

    def over(self, begins: Ints) -> None:
        """Walk over all steps, behind the two sizes that come first."""
        buffer, ends, at = self.buffer, self.ends, begins.copy()
        for _ in range(2):
            going = np.flatnonzero(at < ends)
            while len(going):
                unfinished = buffer[at[going]] >= _COPY
                at[going] += 1
                going = going[unfinished & (at[going] < ends[going])]
        which = np.flatnonzero(at < ends)
        at, target = at[which], np.zeros(len(which), np.int64)
        while len(which) > _FEW:
            first = buffer[at]
            length = self._length(at, first)
            self._note(np.flatnonzero((length >= self.least) & (first >= _COPY)),
                       (which, at, target, length))  # fmt: skip
            at += _STEP[first]
            target += length
            inside = at < ends[which]
            if not inside.all():
                which, at, target = which[inside], at[inside], target[inside]
        for row, place, reached in zip(which.tolist(), at.tolist(), target.tolist(), strict=True):
            self._alone(row, place, reached)

    def _length(self, at: Ints, first: Bytes) -> Ints:
        """Return how many bytes of the new text each step makes."""
        buffer, place = self.buffer, at + 1 + _OFFSETS[first]
        length = np.zeros(len(at), np.int64)
        for bit in range(3):
            there = (first >> (4 + bit)) & 1
            length |= (buffer[place] * there).astype(np.int64) << (8 * bit)
            place += there
        length[length == 0] = _FULL
        return np.where(first >= _COPY, length, first)

    def _note(self, rows: Ints, columns: tuple[Ints, Ints, Ints, Ints]) -> None:
        if not len(rows):
            return
        which, at, target, length = (column[rows] for column in columns)
        place, first = at + 1, self.buffer[at]
        source = np.zeros(len(rows), np.int64)
        for bit in range(4):
            there = (first >> bit) & 1
            source |= (self.buffer[place] * there).astype(np.int64) << (8 * bit)
            place += there
        self.found.append((which, target, source, length))

    def _alone(self, row: int, at: int, target: int) -> None:
        """Walk over what is left of one difference."""
        end = int(self.ends[row])
        steps = self.buffer[at : end + len(_PAD)].tobytes()
        begun, at, end = at, 0, end - at
        found: list[tuple[int, int, int]] = []
        offsets, least = _OFFSET_BYTES, self.least
        while at < end:
            first = steps[at]
            if first < _COPY:
                at += first + 1
                target += first
                continue
            place, tells = at + 1 + offsets[first], first >> 4 & 7
            if tells == 1:  # nearly all copies are as short as this
                length = steps[place] or _FULL
                place += 1
            else:
                length = 0
                for bit in range(3):
                    if tells >> bit & 1:
                        length |= steps[place] << 8 * bit
                        place += 1
                length = length or _FULL
            if length >= least:
                found.append((begun + at, target, length))
            target += length
            at = place
        if found:
            places, targets, lengths = np.array(found, np.int64).T
            rows = np.arange(len(found))
            self._note(rows, (np.full(len(found), row, np.int64), places, targets, lengths))

    def sorted(self, count: int) -> list[list[Copy]]:
        """Return what was met, by difference."""
        copies: list[list[Copy]] = [[] for _ in range(count)]
        if not self.found:
            return copies
        which, target, source, length = (
            np.concatenate(part) for part in zip(*self.found, strict=True)
        )
        order = np.lexsort((target, which))
        rows = which[order].tolist()
        made = zip(
            target[order].tolist(), source[order].tolist(), length[order].tolist(), strict=True
        )
        for row, copy in zip(rows, made, strict=True):
            copies[row].append(copy)
        return copies
