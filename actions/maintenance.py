"""Maintenance windows: times at which what is unusual was planned."""

import re
from datetime import datetime, timedelta
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

from vocabulary.credential import KnownKey
from vocabulary.errors import UsageError
from vocabulary.moments import moment_of

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_WEEKLY = re.compile(
    rf"({'|'.join(DAYS)}) ([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])"
)
_DAY_MIN = 1440

Clock = Annotated[str, msgspec.Meta(max_length=64)]
Word = Literal["low", "medium", "high", "critical"]


class Window(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """A time in which actions about anomalies are held; once, or every week.

    Attributes:
        begin, end: RFC 3339.
        weekly: such as `sun 22:00-04:00`, on the clock of `tz`; it may end on the next day.
        key: ids of the keys that it is about; none for all.
        environment, owner, key_class: of the keys that it is about; none for all.
        severity: of the alerts that it explains; none for all.
    """

    name: str = ""
    begin: Clock = ""
    end: Clock = ""
    weekly: Clock = ""
    tz: Clock = "UTC"
    key: tuple[str, ...] = ()
    environment: tuple[str, ...] = ()
    owner: tuple[str, ...] = ()
    key_class: tuple[str, ...] = ()
    severity: tuple[Word, ...] = ()

    def problem(self) -> str:
        """Return what is wrong with the window; empty for nothing."""
        if bool(self.weekly) == bool(self.begin or self.end):
            return "a maintenance window has `begin` and `end`, or `weekly`"
        try:
            ZoneInfo(self.tz)
            if self.weekly:
                return "" if _WEEKLY.fullmatch(self.weekly) else _NO_WEEKLY.format(self.weekly)
            begin, end = (moment_of(moment, 0.0) for moment in (self.begin, self.end))
        except UsageError as error:
            return str(error)
        except (OSError, ValueError, KeyError):
            return f"{self.tz!r} is no time zone"
        return "" if begin < end else "the maintenance window ends before it begins"

    def holds(self, key: KnownKey | None, now: float, severity: str = "") -> bool:
        """Say whether an action on the key falls into the window.

        Args:
            key: what the key store knows of it.
            now: epoch seconds.
            severity: of the alert; empty where it is not known.
        """
        about = (
            (self.severity, severity),
            (self.key, key and key.key_id),
            (self.environment, key and key.environment),
            (self.owner, key and key.owner),
            (self.key_class, key and key.key_class),
        )
        if not all(not named or found in named for named, found in about):
            return False
        if self.weekly:
            return self._holds_weekly(now)
        return moment_of(self.begin, 0.0) <= now < moment_of(self.end, 0.0)

    def _holds_weekly(self, now: float) -> bool:
        found = _WEEKLY.fullmatch(self.weekly)
        assert found is not None, self.weekly
        begin, end = (int(found[i]) * 60 + int(found[i + 1]) for i in (2, 4))
        length = (end - begin) % _DAY_MIN or _DAY_MIN
        here = datetime.fromtimestamp(now, ZoneInfo(self.tz)).replace(tzinfo=None)
        day = here.replace(hour=0, minute=0, second=0, microsecond=0)
        day -= timedelta(days=(here.weekday() - DAYS.index(found[1])) % 7)
        since = here - (day + timedelta(minutes=begin))
        # of a window on this weekday, that of a week ago may still go on
        week = timedelta(days=7)
        return any(timedelta(0) <= age < timedelta(minutes=length) for age in (since, since + week))


_NO_WEEKLY = "{!r} is no weekly time: write it like `sun 22:00-04:00`"
