"""Many ids of objects in one buffer: as objects of their own each would take twice its length more.

A repository of half a million objects would need a hundred megabytes to be listed.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import compress
from typing import TYPE_CHECKING, overload

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

KINDS = ("blob", "commit", "tag", "tree")
"""Kinds of objects, in the order of their numbers."""
_AT_ONCE = 4096
_FEW = 20_000  # ids of which a set is small


class Ids(Sequence[bytes]):
    """Ids in hexadecimal, all of one length, a line each in one buffer.

    Args:
        lines: the ids, each with its end of line.
    """

    __slots__ = ("_lines", "_stride")

    def __init__(self, lines: bytes = b"") -> None:
        self._lines = lines
        self._stride = lines.find(b"\n") + 1 or 1

    @property
    def hexadecimal(self) -> bytes:
        """All ids without anything between them."""
        return self._lines.replace(b"\n", b"")

    def __len__(self) -> int:
        return len(self._lines) // self._stride

    @overload
    def __getitem__(self, at: int) -> bytes: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[bytes]: ...
    def __getitem__(self, at: int | slice) -> bytes | Sequence[bytes]:
        if isinstance(at, slice):
            begin, end, step = at.indices(len(self))
            if step == 1:
                return Ids(self._lines[begin * self._stride : max(begin, end) * self._stride])
            return [self[number] for number in range(begin, end, step)]
        if not -len(self) <= at < len(self):
            raise IndexError(at)
        begin = at % len(self) * self._stride
        return self._lines[begin : begin + self._stride - 1]

    def __iter__(self) -> Iterator[bytes]:
        size = _AT_ONCE * self._stride
        for at in range(0, len(self._lines), size):
            yield from self._lines[at : at + size].split()


def lacking(held: Sequence[bytes]) -> Callable[[Iterable[bytes]], set[bytes]]:
    """Return what tells which of some ids are not among those that are held."""
    if not isinstance(held, Ids) or len(held) < _FEW:
        known = frozenset(held)
        return lambda asked: set(asked) - known
    import numpy as np  # noqa: PLC0415  (slow to import; small repositories do without)

    width = len(held[0])
    # In one block, a quarter of what a set of as many takes; ordered by their first eight bytes.
    rows = np.empty((len(held), width // 2), np.uint8)
    for at in range(0, len(held), _AT_ONCE):
        some = bytes.fromhex(hexadecimal(held[at : at + _AT_ONCE]).decode())
        rows[at : at + _AT_ONCE] = np.frombuffer(some, np.uint8).reshape(-1, width // 2)
    order = np.argsort(begun := beginnings(rows), kind="stable")
    begun, rows = begun[order], rows[order]
    if (begun[1:] == begun[:-1]).any():  # somebody's work
        known = frozenset(held)
        return lambda asked: set(asked) - known

    def left(asked: Iterable[bytes]) -> set[bytes]:
        names = list(set(asked))
        whole = [name for name in names if len(name) == width]
        if not whole:
            return set(names)
        raw = np.frombuffer(bytes.fromhex(b"".join(whole).decode()), np.uint8)
        raw = raw.reshape(len(whole), -1)
        at = np.minimum(np.searchsorted(begun, beginnings(raw)), len(begun) - 1)
        there = (rows[at] == raw).all(axis=1)
        return set(names).difference(compress(whole, there.tolist()))

    return left


def beginnings(rows: "npt.NDArray[np.uint8]") -> "npt.NDArray[np.uint64]":
    """Return the first eight bytes of ids as numbers, which are sorted in no time."""
    import numpy as np  # noqa: PLC0415  (as above)

    return np.ascontiguousarray(rows[:, :8]).view(">u8").ravel().astype(np.uint64)


def hexadecimal(names: Sequence[bytes]) -> bytes:
    """Return ids without anything between them."""
    return names.hexadecimal if isinstance(names, Ids) else b"".join(names)
