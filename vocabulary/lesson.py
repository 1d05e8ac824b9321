"""What a person says of an alert, on its way to the key's profile."""

import msgspec

REBUILT = "rebuilt"
"""The verdict that asks to take up a profile which was put together from history."""


class Lesson(msgspec.Struct, frozen=True):
    """A verdict about the events behind an alert.

    Attributes:
        key: whose profile it teaches.
        verdict: acknowledged (explained: the owner did it), false, confirmed (a theft), or REBUILT.
        first_ms, last_ms: epoch milliseconds of the events that the alert was about.
    """

    key: str
    verdict: str
    first_ms: int
    last_ms: int
