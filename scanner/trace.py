"""What led to a match, so that another version of the text need not be searched whole."""

from bisect import bisect_left

import msgspec

from scanner.confirm import Confirmer
from scanner.judging import Confirmed


class Trace(msgspec.Struct, frozen=True):
    """What led to a match, or would have but for a mark in the text.

    Attributes:
        number: of what hyperscan saw.
        ends: where it saw that.
        low, high: of the match, context included.
        far: whether more than the lines around it bear on it.
    """

    number: int
    ends: tuple[int, ...]
    low: int
    high: int
    far: bool = False


def trace_of(
    number: int, confirmer: Confirmer, ends: list[int], base: int, found: Confirmed
) -> Trace:
    """Return what led to a match.

    Args:
        number: of what hyperscan saw.
        confirmer: of the rule.
        ends: where hyperscan saw it in this text, ascending.
        base: where the piece that was confirmed begins.
        found: in that piece.
    """
    low, high = base + found.match_start, base + found.match_end
    first = bisect_left(ends, low - confirmer.bounds.reach)
    last = bisect_left(ends, high + confirmer.bounds.reach + 1)
    return Trace(number, tuple(ends[first:last]), low, high, far=confirmer.far)
