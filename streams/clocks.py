"""The ways in which logs write the time, by name."""

import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta

from streams import plain
from streams.parsed import Reader
from streams.readers import CLF_TIME, EPOCH_MS, EPOCH_S, RFC3339_TIME
from streams.timestamps import clf_ms, epoch_ms, epoch_s_ms, rfc3339_ms
from vocabulary.errors import ConfigError

_BEGIN = datetime(1970, 1, 1, tzinfo=UTC)
_LONGEST = 64
_DIGITS = re.compile(r"-?[0-9]{1,20}(?:\.[0-9]{1,9})?")
_DIRECTIVE = re.compile("%.")
# Of C, for which Python's strptime has no short form.
_SHORT = {"%T": "%H:%M:%S", "%R": "%H:%M", "%F": "%Y-%m-%d", "%D": "%m/%d/%y"}
# As seconds these would be the years 5138 and beyond.
_MS_FROM, _US_FROM, _NS_FROM = 10**11, 10**14, 10**17


def _scaled(divisor: int) -> Reader[int]:
    def read(word: float | str) -> int | None:
        try:
            return epoch_ms(int(word) // divisor)
        except (ValueError, OverflowError):
            return None

    return Reader("a whole number of time units since 1970", read)


EPOCH_US = _scaled(1000)
EPOCH_NS = _scaled(1_000_000)


def _any(word: float | str) -> int | None:
    if isinstance(word, str):
        if not _DIGITS.fullmatch(word[:_LONGEST]):
            return rfc3339_ms(word) if len(word) <= _LONGEST else None
        word = float(word) if "." in word else int(word)
    size = abs(word)
    if size >= _NS_FROM:
        return epoch_ms(int(word) // 1_000_000)
    if size >= _US_FROM:
        return epoch_ms(int(word) // 1000)
    return epoch_ms(word) if size >= _MS_FROM else epoch_s_ms(word)


def _anything(word: float | str) -> int | None:
    found = _any(word)
    return clf_ms(word) if found is None and isinstance(word, str) else found


ANY_TIME: Reader[int] = Reader("a time with an offset, or a number since 1970", _anything)
"""RFC 3339, CLF, or numbers whose size tells their unit."""


def _naive(word: str) -> int | None:
    """Read a time without an offset as UTC."""
    return rfc3339_ms(f"{word}Z") if len(word) <= _LONGEST else None


def _naive_column(words: Sequence[str]) -> list[int] | None:
    return plain.rfc3339([f"{word}Z" for word in words])


NAIVE_UTC: Reader[int] = Reader("a date and a time", _naive, _naive_column)

CLOCKS: Mapping[str, Reader[int]] = {
    "rfc3339": RFC3339_TIME,
    "clf": CLF_TIME,
    "epoch_s": EPOCH_S,
    "epoch_ms": EPOCH_MS,
    "epoch_us": EPOCH_US,
    "epoch_ns": EPOCH_NS,
    "utc": NAIVE_UTC,
    "any": ANY_TIME,
}


def clock(name: str) -> Reader[int]:
    """Return the reader of times of that name, or of a `strptime` pattern.

    Raises:
        ConfigError: when it is neither.
    """
    if name in CLOCKS:
        return CLOCKS[name]
    if "%" not in name:
        raise ConfigError(
            f"no way to write times is called {name[:64]!r}",
            where="time",
            remedy=f"one of {', '.join(CLOCKS)}, or a pattern such as %d/%b/%Y %H:%M:%S %z",
        )
    return strptime(name)


def strptime(pattern: str) -> Reader[int]:
    """Return what reads times of a pattern; one without an offset is UTC's.

    Raises:
        ConfigError: when it does not tell a whole date.
    """
    told_as, pattern = pattern, _DIRECTIVE.sub(lambda one: _SHORT.get(one[0], one[0]), pattern)
    try:
        told = datetime.strptime(  # noqa: DTZ007  (an offset is read where the pattern has one)
            datetime(2025, 11, 3, 9, 12, 44, tzinfo=UTC).strftime(pattern), pattern
        )
    except (ValueError, re.error) as error:
        raise ConfigError("no pattern of times", where=f"time: {told_as[:64]!r}") from error
    if (told.year, told.month, told.day) != (2025, 11, 3):
        raise ConfigError("tells no whole date", where=f"time: {told_as[:64]!r}")

    def read(word: str) -> int | None:
        if len(word) > _LONGEST:
            return None
        try:
            found = datetime.strptime(word, pattern)  # noqa: DTZ007  (an offset is read where the pattern has one)
        except ValueError:
            return None
        aware = found if found.tzinfo else found.replace(tzinfo=UTC)
        return epoch_ms((aware - _BEGIN) // timedelta(milliseconds=1))

    return Reader(f"a time like {told_as}", read)
