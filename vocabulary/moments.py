"""Times and durations as people write them: `30d`, `2026-03-01T12:00:00Z`."""

import re
from datetime import UTC, datetime

from vocabulary.errors import UsageError

_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)\s*([smhdw])")
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}

LATEST = datetime(9999, 12, 31, tzinfo=UTC).timestamp()
"""The last moment that can be written down, epoch seconds."""


def rfc3339(at: float) -> str:
    """Return epoch seconds as an RFC 3339 time in UTC, to the millisecond."""
    seconds, ms = divmod(round(at * 1000), 1000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y-%m-%dT%H:%M:%S}.{ms:03}Z"


def minute(epoch_s: float) -> str:
    """Return epoch seconds to the minute in UTC, `2026-03-01T12:00Z`: for narrow tables."""
    return rfc3339(epoch_s)[:16] + "Z"


def seconds_of(duration: str) -> float:
    """Return the seconds of a duration such as `15m`, `12h` or `30d`.

    Raises:
        UsageError: when it is none.
    """
    found = _DURATION.fullmatch(duration.strip().lower())
    if found is None:
        raise UsageError(f"{duration!r} is no duration", remedy="write it like 15m, 12h or 30d")
    return float(found[1]) * _UNIT_S[found[2]]


def moment_of(text: str, now: float) -> float:
    """Return epoch seconds of an RFC 3339 time, or of a duration from `now` on.

    Raises:
        UsageError: when it is neither, a time without its offset from UTC, or out of range.
    """
    is_duration = _DURATION.fullmatch(text.strip().lower())
    at = now + seconds_of(text) if is_duration else _parsed(text)
    if not 0 <= at <= LATEST:
        raise UsageError(f"{text!r} is out of range", remedy="name a time before the year 9999")
    return at


def _parsed(text: str) -> float:
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError:
        moment = None
    if moment is None or moment.tzinfo is None:
        raise UsageError(f"{text!r} is no time", remedy="write it like 30d or 2026-03-01T12:00:00Z")
    return moment.timestamp()
