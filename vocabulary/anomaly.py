"""What a detector says of a key's events, before anybody weighs it."""

import msgspec


class Anomaly(msgspec.Struct, frozen=True):
    """One detector's evidence on one key.

    Attributes:
        family: network, time, volume or behaviour.
        p: calibrated probability of something at least as rare from the owner, in (0, 1].
        observed, expected: for a person, such as "42 requests in 10 min" and "at most 9".
        first_ms, last_ms: epoch milliseconds of the events behind it.
        count: number of those events.
    """

    key: str
    detector: str
    family: str
    ts_ms: int
    p: float
    observed: str
    expected: str
    first_ms: int
    last_ms: int
    count: int
