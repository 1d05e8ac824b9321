"""What the key store tells the detectors of a key; all of it is optional knowledge."""

import msgspec


class Declared(msgspec.Struct, frozen=True):
    """The use that a key's owner announced when the key was made.

    Attributes:
        countries: ISO 3166-1 alpha-2 codes that are expected.
        requests_per_day: the busiest ordinary day; 0 when nothing was said.
    """

    countries: tuple[str, ...] = ()
    requests_per_day: float = 0.0


class KeyFacts(msgspec.Struct, frozen=True):
    """What is known of a key besides its events.

    Attributes:
        key_class: human, service, cron, mobile, ai, or empty.
        created_at: epoch seconds; 0 when unknown.
        tz: IANA time zone of the owner; empty for UTC.
        environment: live, test, …; empty when unknown.
    """

    key_class: str = ""
    created_at: float = 0.0
    tz: str = ""
    environment: str = ""
    declared: Declared = Declared()


UNKNOWN = KeyFacts()
