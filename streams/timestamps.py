"""The times of log lines as epoch milliseconds, whatever their offset."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from math import isfinite

_BEGIN, _MS = datetime(1970, 1, 1, tzinfo=UTC), timedelta(milliseconds=1)
_EPOCH = date(1970, 1, 1).toordinal()
_DAY_MS = 86_400_000
_END_MS = (date(9999, 12, 31).toordinal() + 1 - _EPOCH) * _DAY_MS
_LAST_HOUR, _LAST_MINUTE, _LEAP_SECOND = 23, 59, 60

_RFC3339 = re.compile(
    r"([0-9]{4})-([0-9]{2})-([0-9]{2})[Tt ]([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.,]([0-9]{1,9}))? ?(?:[Zz]|([+-])([0-9]{2})(?::?([0-9]{2}))?)"
)
_CLF = re.compile(
    r"([0-9]{2})/([A-Za-z]{3})/([0-9]{4}):([0-9]{2}):([0-9]{2}):([0-9]{2})"
    r"(?:[.,]([0-9]{1,9}))? ([+-])([0-9]{2})([0-9]{2})"
)
_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}


def rfc3339_ms(text: str) -> int | None:
    """Read a time such as `2024-03-10T01:59:60.5+05:30` (RFC 3339, and ISO 8601's shorter offsets).

    A leap second is the first second of the next minute. Returns None for what has no offset,
    lies before 1970, or does not exist.
    """
    if text[4:5] == "-" and text[10:11] == "T" and text[16:17] == ":" and _is_short(text):
        # Nearly every log writes it like this, and the interpreter reads it much faster.
        try:
            return _within((datetime.fromisoformat(text) - _BEGIN) // _MS)
        except ValueError:
            pass  # a leap second, or no time
    found = _RFC3339.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second, fraction, *offset = found.groups()
    return _instant((year, int(month), day), (hour, minute, second), fraction, *offset)


def clf_ms(text: str) -> int | None:
    """Read a time such as `17/May/2015:10:05:03 +0000`, as Apache and nginx write it."""
    found = _CLF.fullmatch(text)
    if found is None:
        return None
    day, month, year, hour, minute, second, fraction, *offset = found.groups()
    number = _MONTHS.get(month.lower(), 0)
    return _instant((year, number, day), (hour, minute, second), fraction, *offset)


def epoch_s_ms(seconds: float | str) -> int | None:
    """Read seconds since 1970, with a fraction or without."""
    try:
        value = float(seconds)
    except (ValueError, OverflowError):
        return None
    return _within(round(value * 1000)) if isfinite(value) else None


def epoch_ms(milliseconds: float | str) -> int | None:
    """Read milliseconds since 1970."""
    try:
        value = float(milliseconds)
    except (ValueError, OverflowError):
        return None
    return _within(int(value)) if isfinite(value) else None


def _instant(
    day: tuple[str, int, str],
    time: tuple[str, str, str],
    fraction: str | None,
    sign: str | None,
    hours: str | None,
    minutes: str | None,
) -> int | None:
    start = _day_ms(int(day[0]), day[1], int(day[2]))
    hour, minute, second = map(int, time)
    offset_h, offset_min = int(hours or 0), int(minutes or 0)
    if (
        start is None
        or max(hour, offset_h) > _LAST_HOUR
        or max(minute, offset_min) > _LAST_MINUTE
        or second > _LEAP_SECOND
    ):
        return None
    east_min = (60 * offset_h + offset_min) * (-1 if sign == "-" else 1)
    past_ms = ((hour * 60 + minute - east_min) * 60 + second) * 1000
    return _within(start + past_ms + int((fraction or "0").ljust(3, "0")[:3]))


def _is_short(text: str) -> bool:
    """Say whether it is a month's day, no week's, and ends as RFC 3339 has it.

    That is a fraction if any, then Z or an offset.
    """
    if text[5] == "W":
        return False
    offset = text[-1] == "Z" or (text[-6] in "+-" and text[-3] == ":" and text[-2] < "6")
    return offset and (text[19] in "+-Z" or (text[19] == "." and text[20].isdecimal()))


@lru_cache(maxsize=4096)
def _day_ms(year: int, month: int, day: int) -> int | None:
    try:
        return (date(year, month, day).toordinal() - _EPOCH) * _DAY_MS
    except ValueError:
        return None


def _within(ms: int) -> int | None:
    return ms if 0 <= ms < _END_MS else None
