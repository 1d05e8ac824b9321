"""An alert: what happened to a key, how sure we are, and what is to be done."""

from enum import IntEnum

import msgspec


class Severity(IntEnum):
    """How much a thing matters; ordered."""

    LOW = 1
    MEDIUM = 2
    HIGH = 3
    CRITICAL = 4

    @property
    def word(self) -> str:
        """The severity as it is written in JSON and configuration."""
        return self.name.lower()

    @classmethod
    def of(cls, word: str) -> "Severity":
        """Return the severity that `word` names.

        Raises:
            KeyError: when it names none.
        """
        return cls[word.upper()]


class Evidence(msgspec.Struct, frozen=True):
    """One reason: what was seen, what was expected, and how rare that is (p)."""

    detector: str
    observed: str
    expected: str
    p: float


class Span(msgspec.Struct, frozen=True, array_like=True):
    """The events behind an alert: RFC 3339 times of the first and the last, and their number."""

    first: str
    last: str
    count: int


class Alert(msgspec.Struct, frozen=True):
    """The JSON contract of an alert. Without a `key` it is about the address `ip`.

    Attributes:
        id: derived from what caused it, so that a repeat is the same alert.
        ts: RFC 3339, event time at which the severity was reached.
        kind: leak, anomaly, stuffing, ….
        family: network, time, volume, behaviour or leak: the strongest one.
        action: none, throttle, suspend, rotate, reissue or revoke: what the policy decided.
        key: key id; empty for an alert about an address.
        ip: the address of the request with which the severity was reached; empty when not known.
        exposure: of a leak: public, private (a repository that few can read) or log; empty when
            not known.
    """

    id: str
    ts: str
    kind: str
    severity: str
    family: str
    summary: str
    evidence: tuple[Evidence, ...]
    events: Span
    key: str = ""
    ip: str = ""
    action: str = "none"
    dry_run: bool = True
    exposure: str = ""


def alert_json(alert: Alert) -> bytes:
    """Return the alert as one line of JSON, without what is empty."""
    fields = msgspec.to_builtins(alert)
    return msgspec.json.encode({name: value for name, value in fields.items() if value != ""})
