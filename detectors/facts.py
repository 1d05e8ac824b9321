"""What the key store tells the detectors of a key; all of it is optional knowledge."""

from collections.abc import Sequence

import msgspec


class KeyFacts(msgspec.Struct, frozen=True):
    """What is known of a key besides its events.

    Attributes:
        key_class: human, service, cron, mobile, ai, or empty.
        created_at: epoch seconds; 0 when unknown.
        tz: IANA time zone of the owner; empty for UTC.
        environment: live, test, …; empty when unknown.
        sensitivity: how much sooner its alerts come, in -log10 p; negative for later.
        rotated_from: the key that it replaced; empty for none.
        countries, hours, days, rate_per_h: what its owner said that it would do: ISO 3166-1
            alpha-2 codes, hours of the day (0 to 23) and days of the week (0 for Monday) on the
            owner's clock, requests in a usual hour; empty or 0 for nothing said.
        tokens_per_day: its budget of AI tokens; 0 for none.
        networks: CIDR blocks that it was issued for; empty for anywhere.
    """

    key_class: str = ""
    created_at: float = 0.0
    tz: str = ""
    environment: str = ""
    sensitivity: float = 0.0
    rotated_from: str = ""
    countries: tuple[str, ...] = ()
    hours: tuple[int, ...] = ()
    days: tuple[int, ...] = ()
    rate_per_h: float = 0.0
    tokens_per_day: float = 0.0
    networks: tuple[str, ...] = ()


UNKNOWN = KeyFacts()


def nothing_is_said(facts: Sequence[KeyFacts]) -> bool:
    """Return whether nothing is known of any of some keys, which is quick to see."""
    return facts.count(UNKNOWN) == len(facts)
