"""From matches to findings: one a secret, with all its places, its standing and its reasons."""

from collections.abc import Callable, Iterable, Mapping, Sequence

import msgspec
from msgspec.structs import replace

from scanner.fingerprint import fingerprint
from scanner.match import Match
from scanner.rule import CONTEXT
from scanner.weighing import Locate, weighed
from vocabulary.alert import Severity
from vocabulary.credential import Credential, KnownKey, Lookup, credential_of
from vocabulary.finding import Confidence, Finding, Place, Verdict

_RANK = {Confidence.LOW: 0, Confidence.MEDIUM: 1, Confidence.HIGH: 2}
_UNDATED = "9999"
_LOOKED_UP = 1000


class _Group(msgspec.Struct):
    """All matches of one secret."""

    best: Match
    places: dict[tuple[str, ...], Place] = msgspec.field(default_factory=dict)
    count: int = 0


def findings(  # noqa: PLR0913  (all but two by name)
    matches: Iterable[Match],
    located: Locate,
    *,
    source: str,
    key: bytes,
    lookup: Lookup | None = None,
    peppers: Mapping[str, bytes] | None = None,
    show_secrets: bool = False,
    secrets_of: dict[str, str] | None = None,
    clean: Callable[[str], str] = str,
) -> list[Finding]:
    """Group matches by their secret, look the secrets up, and weigh them.

    Args:
        matches: of one scan.
        located: where each text stands.
        source: git, tree, staged, stdin, ….
        key: for fingerprints.
        lookup: asks the key store.
        peppers: for stores of imported keys.
        show_secrets: leave secrets readable, for the person at the terminal.
        secrets_of: is filled with SHA-256 → secret, for whoever asks providers.
        clean: takes secrets out of a path or an author's name, which nobody can mark or redact.
    """
    groups: dict[bytes, _Group] = {}
    for match, places in weighed(matches, located):
        group = groups.setdefault(match.secret, _Group(match))
        if (match.strength, match.reasons) > (group.best.strength, group.best.reasons):
            group.best = match
        for place in places:
            group.places.setdefault(
                (place.blob, place.path, str(place.line), str(place.column)), place
            )
        group.count = len(group.places)
    secrets = list(groups)
    credentials = [_credential(groups[secret].best, peppers) for secret in secrets]
    if secrets_of is not None:
        pairs = zip(credentials, secrets, strict=True)
        secrets_of |= {credential.sha256: _text(secret) for credential, secret in pairs}
    known = _known(credentials, lookup)
    if not show_secrets:
        for group in groups.values():
            group.places = {at: _cleaned(place, clean) for at, place in group.places.items()}
    found = [
        _finding(groups[secret], credential, key_, source, key, show_secrets=show_secrets)
        for secret, credential, key_ in zip(secrets, credentials, known, strict=True)
    ]
    return sorted(found, key=_order)


def _cleaned(place: Place, clean: Callable[[str], str]) -> Place:
    path, author = clean(place.path), clean(place.author)
    if (path, author) == (place.path, place.author):
        return place
    return replace(place, path=path, author=author)


def _order(finding: Finding) -> tuple[int, int, str, int, int, str, str]:
    """Put the worst first, and the same in every scan."""
    return (
        -Severity.of(finding.severity),
        -_RANK[Confidence(finding.confidence)],
        finding.path,
        finding.line,
        finding.column,
        finding.blob,
        finding.fingerprint,
    )


def _text(secret: bytes) -> str:
    return secret.decode("utf-8", "backslashreplace")


def _credential(match: Match, peppers: Mapping[str, bytes] | None) -> Credential:
    return credential_of(_text(match.secret), peppers=peppers, redacted=redacted(match))


def redacted(match: Match) -> str:
    """Return what a person may see of a secret: a prefix that its format spells out anyway."""
    text = _text(match.secret)
    if match.rule.provider in ("generic", CONTEXT) or match.rule.id.startswith("private-key"):
        return "[REDACTED]"
    head = text[:_PREFIX]
    cut = max((head.rfind(mark) for mark in "_-."), default=-1) + 1
    if not cut and match.rule.keywords:
        cut = max(
            (len(word) for word in match.rule.keywords if head.lower().startswith(word)), default=0
        )
    return f"{text[:cut]}[REDACTED]" if len(text) >= 3 * cut else "[REDACTED]"


_PREFIX = 12


def _known(credentials: Sequence[Credential], lookup: Lookup | None) -> list[KnownKey | None]:
    if lookup is None:
        return [None] * len(credentials)
    known: list[KnownKey | None] = []
    for at in range(0, len(credentials), _LOOKED_UP):
        known += lookup(credentials[at : at + _LOOKED_UP])
    return known


def _finding(
    group: _Group,
    credential: Credential,
    known: KnownKey | None,
    source: str,
    key: bytes,
    *,
    show_secrets: bool,
) -> Finding:
    best = group.best
    places = tuple(sorted(group.places.values(), key=_when_and_where))
    first = places[0]
    severity, confidence, reasons = _weighed(best, known)
    reasons = (*reasons, *best.notes)
    return Finding(
        rule=best.rule.id,
        name=best.rule.name,
        severity=severity,
        confidence=confidence,
        path=first.path,
        line=first.line,
        column=first.column,
        end_line=first.end_line,
        commit=first.commit,
        blob=first.blob,
        author=first.author,
        date=first.date,
        places=places,
        count=group.count,
        secret=_text(best.secret) if show_secrets else credential.redacted,
        fingerprint=fingerprint(best.secret, best.label or best.rule.provider, key),
        verdict=Verdict(known.verdict if known else "unknown", best.checksum),
        key_id=known.key_id if known else "",
        key_state=known.state if known else "",
        environment=known.environment if known else "",
        reasons=reasons,
        decoding=best.decoding,
        source=source,
        tags=best.rule.tags,
        credential=credential,
    )


def _when_and_where(place: Place) -> tuple[str, str, int, int, str, str]:
    """Order places: the first introduced first, and the same way in every scan."""
    when = place.date or _UNDATED
    return (when, place.path, place.line, place.column, place.commit, place.blob)


_STANDING = {
    "live": ("critical", "the key store knows it as a live key"),
    "deprecated": ("high", "the key store still accepts it, as a rotated key"),
    "suspended": ("high", "the key store knows it as a suspended key"),
    "test": ("medium", "the key store knows it as a test key"),
    "expired": ("low", "the key store knows it as an expired key"),
    "revoked": ("low", "the key store knows it as a revoked key"),
}


def _weighed(match: Match, known: KnownKey | None) -> tuple[str, str, tuple[str, ...]]:
    """Return severity, confidence and reasons, by the strongest proof there is."""
    if known is None:
        return match.rule.severity, match.confidence.value, match.reasons
    severity, said = _STANDING[known.verdict]
    if known.publishable:
        severity, said = "low", f"{said}, publishable: it is meant to be seen"
    return severity, Confidence.HIGH.value, (*match.reasons, said)
