"""A finding of the scanner → an alert."""

from datetime import datetime
from hashlib import sha256

from vocabulary.alert import Alert, Evidence, Severity, Span
from vocabulary.credential import KnownKey
from vocabulary.finding import Finding, Place
from vocabulary.moments import rfc3339

_PROVEN = {
    "live": Severity.CRITICAL,
    "deprecated": Severity.CRITICAL,
    "suspended": Severity.HIGH,
    "test": Severity.MEDIUM,
    "expired": Severity.LOW,
    "revoked": Severity.LOW,
}
"""The key store's verdict on the very secret that was found: no guess is left in it."""

_WORDS = {
    "live": "a working key",
    "deprecated": "a key that works until its grace ends",
    "suspended": "a suspended key, which would work again",
    "test": "a working test key",
    "expired": "an expired key",
    "revoked": "a revoked key",
}


def alert_of(
    finding: Finding, now: float, key: KnownKey | None = None, exposure: str = ""
) -> Alert:
    """Return the alert about a leaked secret.

    The same secret at the same place with the same verdict gives the same alert, whenever it is
    found again.

    Args:
        finding: what the scanner found and the key store said of it.
        now: epoch seconds at which it was found.
        key: what else the key store knows of it; a publishable key is no secret.
        exposure: public or private, of the repository; empty when not known.
    """
    severity = _severity(finding, key)
    cause = ("leak", finding.credential.sha256, finding.fingerprint, severity.word)
    when = rfc3339(now)
    p = 0.0 if finding.verdict.store in _PROVEN else 1.0
    return Alert(
        id="alert_" + sha256("\n".join(cause).encode()).hexdigest()[:24],
        ts=when,
        kind="leak",
        severity=severity.word,
        family="leak",
        summary=_summary(finding),
        evidence=(Evidence("scanner", _seen(finding), "in no place that others can read", p),),
        events=Span(finding.date or when, when, finding.count),
        key=finding.key_id or finding.credential.token,
        exposure=exposure,
    )


def epoch_s(at: str) -> float:
    """Return RFC 3339 text as epoch seconds; 0 when it is no time."""
    try:
        return datetime.fromisoformat(at).timestamp()
    except ValueError:
        return 0.0


def _severity(finding: Finding, key: KnownKey | None) -> Severity:
    """Return how bad it is; what nobody could prove is never critical by itself."""
    if key is not None and key.publishable:
        return Severity.LOW
    proven = _PROVEN.get(finding.verdict.store)
    return proven or min(Severity.of(finding.severity), Severity.HIGH)


def _summary(finding: Finding) -> str:
    what = _WORDS.get(finding.verdict.store)
    said = f"{what} ({finding.key_id})" if what else f"{finding.name}, unknown to the key store,"
    places = f" and in {finding.count - 1} more places" if finding.count > 1 else ""
    return f"{said} stands in clear in {_place(finding)}{places}"


def _seen(finding: Finding) -> str:
    return f"{finding.rule}: {finding.secret} in {_place(finding)}"


def _place(finding: Finding | Place) -> str:
    line = f":{finding.line}" if finding.line else ""
    commit = f" at commit {finding.commit[:12]}" if finding.commit else ""
    return f"{finding.path}{line}{commit}"
