"""Many lines of a listing taken apart in columns: five times as fast as word by word."""

import msgspec
import numpy as np
import numpy.typing as npt

from scanner.sources.ids import KINDS

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

_TREE = KINDS.index("tree")
_LENGTHS = np.array([len(kind) for kind in KINDS])
_LETTERS = 3  # of a kind tell it from the others
_SHORTEST = len(" tag 0")
_DIGITS = 18  # more would not fit
_SPACE, _NIL, _LINE_FEED = b" 0\n"
_NO_KIND = 0xFF


class Listed(msgspec.Struct, frozen=True):
    """Some lines of a listing.

    Attributes:
        names: ids of all but trees, a line each.
        types: of each of these, as a place in `KINDS`.
        counts, sizes: objects and bytes, in the order of `KINDS`.
        width: letters of an id.
    """

    names: bytes
    types: bytes
    counts: list[int]
    sizes: list[int]
    width: int


def listed(lines: bytes) -> Listed | None:
    """Take whole lines apart; None where one of them is none of an object, or ids differ in length.

    Args:
        lines: `<id> <kind> <size>`, each with its end of line.
    """
    raw, width = np.frombuffer(lines, np.uint8), lines.find(b" ")
    ends = np.flatnonzero(raw == _LINE_FEED)
    starts = np.concatenate((np.zeros(1, np.int64), ends[:-1] + 1))
    if (
        width < 1
        or (ends - starts < width + _SHORTEST).any()
        or (raw[starts + width] != _SPACE).any()
    ):
        return None
    begins = starts + width + 1
    kinds = _kinds(raw, begins)
    if (kinds == _NO_KIND).any():
        return None
    sizes = _sizes(raw, begins + _LENGTHS[kinds], ends, kinds)
    if sizes is None:
        return None
    kept = np.flatnonzero(kinds != _TREE)
    names = raw[starts[kept][:, None] + np.arange(width + 1)]
    if (names[:, :width] == _SPACE).any():
        return None
    names[:, width] = _LINE_FEED
    counts: list[int] = np.bincount(kinds, minlength=len(KINDS)).tolist()
    return Listed(names.tobytes(), kinds[kept].tobytes(), counts, sizes, width)


def _kinds(raw: Bytes, begins: Ints) -> Bytes:
    """Tell kinds by their letters, and by the space behind them."""
    kinds = np.full(len(begins), _NO_KIND, np.uint8)
    letters = raw[begins[:, None] + np.arange(_LETTERS)]
    for number, kind in enumerate(KINDS):
        told = (letters == np.frombuffer(kind[:_LETTERS].encode(), np.uint8)).all(axis=1)
        kinds[told] = number
    known = kinds != _NO_KIND
    behind = (begins + _LENGTHS[np.where(known, kinds, 0)]).clip(max=len(raw) - 1)
    kinds[raw[behind] != _SPACE] = _NO_KIND
    return kinds


def _sizes(raw: Bytes, spaces: Ints, ends: Ints, kinds: Bytes) -> list[int] | None:
    """Add up the sizes of each kind; None where one is no number."""
    digits = ends - spaces - 1
    most = int(digits.max(initial=0))
    if digits.min(initial=1) < 1 or most > _DIGITS:
        return None
    sums = [0] * len(KINDS)
    rows = np.arange(len(ends))
    for place in range(most):
        rows = rows[digits[rows] > place]
        digit = raw[ends[rows] - 1 - place] - np.uint8(_NIL)
        if (digit > 9).any():  # noqa: PLR2004  (a digit)
            return None
        told = np.bincount(kinds[rows], weights=digit, minlength=len(KINDS)).tolist()
        sums = [total + int(more) * 10**place for total, more in zip(sums, told, strict=True)]
    return sums
