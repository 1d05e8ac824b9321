"""Keys that stood in clear in a log: as findings, as alerts, and as the key of their event."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from hashlib import sha256

from streams.parsed import Parsed
from vocabulary.alert import Alert, Evidence, Span
from vocabulary.credential import Credential, Exposure, KnownKey
from vocabulary.moments import rfc3339

_OF_ANYONE = ("context-", "jwt-")
"""How the ids of rules begin that find secrets of other issuers, a new one in every line."""


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


def recognized(
    exposures: Sequence[Exposure],
    find: Callable[[Sequence[Credential]], Sequence[KnownKey | None]],
) -> dict[str, KnownKey]:
    """Return what the key store knows of the credentials of some exposures: token → key."""
    found = credentials(exposures)
    if not found:
        return {}
    return {c.token: key for c, key in zip(found, find(found), strict=True) if key}


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
    What is a secret for its place alone, and no key of the store (passwords, tokens of sessions),
    is one alert a source and rule: such a log holds another one in every line.
    """
    hits: dict[str, list[Exposure]] = {}
    for one in exposures:
        anyone = one.credential.token not in known and one.rule.startswith(_OF_ANYONE)
        hits.setdefault(one.rule if anyone else one.credential.sha256, []).append(one)
    return [_alert(cause, some, known, source, now) for cause, some in hits.items()]


def _alert(
    cause: str,
    hits: Sequence[Exposure],
    known: Mapping[str, KnownKey],
    source: str,
    now: float,
) -> Alert:
    credential = hits[0].credential
    key = known.get(credential.token)
    name = sha256(f"exposed\n{source}\n{cause}".encode()).hexdigest()
    anyone = cause != credential.sha256
    subject = f"credential:{name[:16]}" if anyone else credential.token
    ts = rfc3339(now)
    rules = ", ".join(sorted({hit.rule for hit in hits}))
    what = "secrets stand" if anyone else "the key stands"
    it = "them" if anyone else "it"
    return Alert(
        id=f"alert_{name[:24]}",
        ts=ts,
        kind="exposed-in-log",
        severity="medium" if key is None or not key.publishable else "low",
        family="leak",
        summary=f"{what} in clear in {source}: have {it} sent in a header, and rotate {it}",
        evidence=(Evidence("scanner", f"{rules}: {credential.redacted}", "no key in a log", 0.0),),
        events=Span(ts, ts, len(hits)),
        key=key.key_id if key else subject,
        exposure="log",
    )
