"""What the key store tells the detectors of a key; all of it is optional knowledge."""

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
    """

    key_class: str = ""
    created_at: float = 0.0
    tz: str = ""
    environment: str = ""
    sensitivity: float = 0.0
    rotated_from: str = ""


UNKNOWN = KeyFacts()
