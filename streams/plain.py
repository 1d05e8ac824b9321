"""Whole columns of words read at once, where all of them are of the plain sort that logs hold.

Each function returns what reading word by word would, or None where one word is not plain: then
the words are read one by one.
"""

from collections.abc import Callable, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

Grid = NDArray[np.uint8]
"""Words of one length as rows of characters."""
Ints = NDArray[np.int64]

_DIGITS = 18
"""So many never overflow."""
_MONTHS = np.array(
    [
        int.from_bytes(name, "big")
        for name in b"jan feb mar apr may jun jul aug sep oct nov dec".split()
    ]
)
_BY_NAME = np.argsort(_MONTHS)
_HOURS, _MINUTES = 23, 59
_T, _DOT, _DASH, _COLON, _SLASH, _SPACE, _PLUS, _Z = b"T.-:/ +Z"
_SECONDS_END, _ZULU, _OFFSET, _FINEST = 19, 20, 25, 9
_CLF = 26
_END_MS = 253_402_300_800_000
"""The year 10000."""


def whole_numbers(largest: int) -> Callable[[Sequence[Any]], list[int] | None]:
    """Return what reads a column of numbers from 0 to `largest`, all whole or all of digits."""

    def column(words: Sequence[Any]) -> list[int] | None:
        found = _whole(words)
        if found is None or not found or min(found) < 0 or max(found) > largest:
            return None
        return found

    return column


def printable(longest: int) -> Callable[[Sequence[Any]], list[str] | None]:
    """Return what reads a column of printable words of bounded length; `-` stands for none."""

    def column(words: Sequence[Any]) -> list[str] | None:
        if not "".join(words).isprintable() or max(map(len, words), default=0) > longest:
            return None
        return ["" if word == "-" else word for word in words]

    return column


def rfc3339(words: Sequence[Any]) -> list[int] | None:
    """Read times such as `2026-03-02T10:00:00.123+01:00`, all of one length."""
    grid = _grid(words, _ZULU)
    if grid is None:
        return None
    zulu = bool(grid[0, -1] == _Z)
    tail = grid.shape[1] - (1 if zulu else _OFFSET - _SECONDS_END)
    fine = tail - _SECONDS_END - 1
    signs = {4: _DASH, 7: _DASH, 10: _T, 13: _COLON, 16: _COLON}
    signs |= {tail: _Z} if zulu else {tail + 3: _COLON}
    signs |= {_SECONDS_END: _DOT} if fine >= 0 else {}
    if fine == 0 or fine > _FINEST or not _all(grid, signs):
        return None
    fields = [(0, 4), (5, 2), (8, 2), (11, 2), (14, 2), (17, 2), (20, min(max(fine, 0), 3))]
    parts = _numbers(grid, fields)
    finest = _numbers(grid, [(20, fine)]) if fine > 0 else []
    east = np.zeros(len(grid), np.int64) if zulu else _east(grid, tail, tail + 4)
    if parts is None or finest is None or east is None:
        return None
    year, month, day, hour, minute, second, part = parts
    ms = part * 10 ** (3 - min(max(fine, 0), 3))
    return _epoch(year, month, day, ((hour, minute, second), ms, east))


def clf(words: Sequence[Any]) -> list[int] | None:
    """Read times such as `17/May/2015:10:05:03 +0000`."""
    grid = _grid(words, _CLF)
    signs = {2: _SLASH, 6: _SLASH, 11: _COLON, 14: _COLON, 17: _COLON, 20: _SPACE}
    if grid is None or grid.shape[1] != _CLF or not _all(grid, signs):
        return None
    letters = grid[:, 3:6].astype(np.int64) | 32
    name = letters[:, 0] << 16 | letters[:, 1] << 8 | letters[:, 2]
    place = np.minimum(np.searchsorted(_MONTHS, name, sorter=_BY_NAME), 11)
    month = _BY_NAME[place] + 1
    parts = _numbers(grid, [(0, 2), (7, 4), (12, 2), (15, 2), (18, 2)])
    east = _east(grid, 21, 24)
    if parts is None or east is None or (_MONTHS[month - 1] != name).any():
        return None
    day, year, hour, minute, second = parts
    return _epoch(year, month, day, ((hour, minute, second), np.zeros_like(day), east))


def _whole(words: Sequence[Any]) -> list[int] | None:
    kinds = set(map(type, words))
    if kinds == {int}:
        return list(words)
    if kinds != {str} or max(map(len, words)) > _DIGITS:
        return None
    text = "".join(words)
    # An empty word is a number too, to those who read word by word.
    return list(map(int, words)) if text.isascii() and text.isdigit() and all(words) else None


def _grid(words: Sequence[Any], least: int) -> Grid | None:
    """Return words as rows of characters, if all are ASCII and of one length."""
    if not words or set(map(type, words)) != {str} or len(set(map(len, words))) > 1:
        return None
    text = "".join(words)
    if len(words[0]) < least or not text.isascii():
        return None
    return np.frombuffer(text.encode(), np.uint8).reshape(len(words), -1)


def _all(grid: Grid, signs: dict[int, int]) -> bool:
    return all(bool((grid[:, at] == sign).all()) for at, sign in signs.items())


def _numbers(grid: Grid, fields: Sequence[tuple[int, int]]) -> list[Ints] | None:
    """Return the numbers at (place, digits), or None if one of them is no digit."""
    found = []
    for at, count in fields:
        digits = grid[:, at : at + count] - np.uint8(48)
        if (digits > np.uint8(9)).any():
            return None
        value = np.zeros(len(grid), np.int64)
        for i in range(count):
            value = value * 10 + digits[:, i]
        found.append(value)
    return found


def _east(grid: Grid, zone: int, minutes: int) -> Ints | None:
    """Return the minutes by which zones such as `+05:30` are ahead of UTC."""
    sign = grid[:, zone]
    parts = _numbers(grid, [(zone + 1, 2), (minutes, 2)])
    if parts is None or not ((sign == _PLUS) | (sign == _DASH)).all():
        return None
    if parts[0].max() > _HOURS or parts[1].max() > _MINUTES:
        return None
    ahead = parts[0] * 60 + parts[1]
    return np.where(sign == _DASH, -ahead, ahead)


def _epoch(
    year: Ints, month: Ints, day: Ints, clock: tuple[tuple[Ints, Ints, Ints], Ints, Ints]
) -> list[int] | None:
    """Return epoch milliseconds, or None if a date does not exist or a second leaps."""
    (hour, minute, second), ms, east_min = clock
    if not ((month >= 1) & (month <= len(_MONTHS)) & (year >= 1)).all():
        return None
    months = (year - 1970) * 12 + month - 1
    first, next_first = (_days(months + i) for i in (0, 1))
    exists = (day >= 1) & (day <= next_first - first)
    if not (exists & (hour <= _HOURS) & (minute <= _MINUTES) & (second <= _MINUTES)).all():
        return None
    minutes = ((first + day - 1) * 24 + hour) * 60 + minute - east_min
    found = (minutes * 60 + second) * 1000 + ms
    return found.tolist() if found.min() >= 0 and found.max() < _END_MS else None


def _days(months: Ints) -> Ints:
    return np.asarray(months.astype("M8[M]").astype("M8[D]").astype(np.int64))
