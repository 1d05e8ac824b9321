"""Keys that stood in clear in a log: as findings, as alerts, and as the key of their event."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from streams.parsed import Parsed
from vocabulary.alert import Alert, Evidence, Span
from vocabulary.credential import Credential, Exposure, KnownKey
from vocabulary.moments import rfc3339


def named(parsed: Parsed, known: Mapping[str, KnownKey]) -> Parsed:
    """Give events whose key was logged in clear the id of the key.

    Args:
        parsed: events; a key that stood in clear is its credential's token by now.
        known: token → what the key store knows of it.
    """
    if not known:
        return parsed
    ids = {token: key.key_id for token, key in known.items()}
    return replace(parsed, key=[ids.get(key, key) for key in parsed.key])


def credentials(exposures: Sequence[Exposure]) -> list[Credential]:
    """Return the distinct credentials of some exposures, in order of appearance."""
    return list(
        {exposure.credential.sha256: exposure.credential for exposure in exposures}.values()
    )


def alerts(
    exposures: Sequence[Exposure], known: Mapping[str, KnownKey], source: str, now: float
) -> list[Alert]:
    """Return one alert a key and source: who can read the log can use the key.

    It is of medium severity, whatever the key: the log is the operator's own, and cutting off
    every client that puts its key into the address would do more harm than the log does.
    """
    return [
        _alert(credential, known.get(credential.token), source, exposures, now)
        for credential in credentials(exposures)
    ]


def _alert(
    credential: Credential,
    key: KnownKey | None,
    source: str,
    exposures: Sequence[Exposure],
    now: float,
) -> Alert:
    hits = [e for e in exposures if e.credential.sha256 == credential.sha256]
    subject = key.key_id if key else credential.token
    cause = sha256(f"exposed\n{source}\n{credential.sha256}".encode()).hexdigest()
    ts = rfc3339(now)
    rules = ", ".join(sorted({hit.rule for hit in hits}))
    return Alert(
        id=f"alert_{cause[:24]}",
        ts=ts,
        kind="exposed-in-log",
        severity="medium" if key is None or not key.publishable else "low",
        family="leak",
        summary=f"the key stands in clear in {source}: have it sent in a header, and rotate it",
        evidence=(Evidence("scanner", f"{rules}: {credential.redacted}", "no key in a log", 0.0),),
        events=Span(ts, ts, len(hits)),
        key=subject,
        exposure="log",
    )
