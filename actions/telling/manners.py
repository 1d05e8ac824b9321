"""When somebody may be disturbed: quiet hours, digests and a limit an hour."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from vocabulary.alert import Severity
from vocabulary.errors import ConfigError
from vocabulary.moments import seconds_of

_QUIET = re.compile(r"([01][0-9]|2[0-3]):([0-5][0-9])-([01][0-9]|2[0-3]):([0-5][0-9])")


@dataclass(frozen=True, slots=True)
class Manners:
    """What one notifier is spared.

    Attributes:
        quiet: minutes of the day at which quiet begins and ends; equal for never.
        zone: whose day it is.
        digest_s: what is not urgent is gathered for so long; 0 for at once.
        per_hour: more messages in an hour than this wait and become a digest; 0 for no limit.
        urgent: from this severity on nothing waits.
    """

    quiet: tuple[int, int] = (0, 0)
    zone: ZoneInfo = field(default_factory=lambda: ZoneInfo("UTC"))
    digest_s: float = 0.0
    per_hour: int = 0
    urgent: Severity = Severity.CRITICAL

    def is_quiet(self, now: float) -> bool:
        """Say whether it is quiet hours."""
        here = datetime.fromtimestamp(now, self.zone)
        minute, (begin, end) = here.hour * 60 + here.minute, self.quiet
        if begin <= end:
            return begin <= minute < end
        return minute >= begin or minute < end

    def is_urgent(self, message: Mapping[str, Any]) -> bool:
        """Say whether a message waits for nothing."""
        incident = message.get("data", {}).get("incident")
        word = incident.get("severity", "low") if isinstance(incident, dict) else "low"
        return Severity.of(word) >= self.urgent

    def waits(self, message: Mapping[str, Any], sent_lately: int, now: float) -> bool:
        """Say whether a message is kept back for a digest.

        Args:
            message: of the outbox; a digest has waited long enough.
            sent_lately: messages within the last hour.
            now: epoch seconds.
        """
        if message.get("type") == "digest" or self.is_urgent(message):
            return False
        return self.digest_s > 0 or self.is_quiet(now) or self.is_full(sent_lately)

    def is_full(self, sent_lately: int) -> bool:
        """Say whether the hour's messages are used up."""
        return 0 < self.per_hour <= sent_lately


def manners_of(configured: Mapping[str, Any]) -> Manners | None:
    """Return the manners that a notifier's options ask for; None for none.

    Raises:
        ConfigError: for quiet hours, a time zone or a duration that is none.
    """
    quiet, digest, per_hour = (configured.get(name) for name in ("quiet", "digest", "per_hour"))
    if not quiet and not digest and not per_hour:
        return None
    where = f"notify.{configured.get('name', '')}"
    return Manners(
        quiet=_hours(str(quiet or ""), where),
        zone=_zone(str(configured.get("tz") or "UTC"), where),
        digest_s=seconds_of(str(digest)) if digest else 0.0,
        per_hour=int(per_hour or 0),
        urgent=Severity.of(str(configured.get("urgent") or "critical")),
    )


def _hours(quiet: str, where: str) -> tuple[int, int]:
    if not quiet:
        return 0, 0
    found = _QUIET.fullmatch(quiet)
    if found is None:
        raise ConfigError(f"{quiet!r} are no hours", where=f"{where}.quiet", remedy="22:00-07:00")
    hours = [int(part) for part in found.groups()]
    return hours[0] * 60 + hours[1], hours[2] * 60 + hours[3]


def _zone(name: str, where: str) -> ZoneInfo:
    try:
        return ZoneInfo(name)
    except (OSError, ValueError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ConfigError(
            f"{name!r} is no time zone", where=f"{where}.tz", remedy="such as Europe/Berlin"
        ) from None
