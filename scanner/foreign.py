"""Ignores of other scanners, matched against findings of ours.

Sources of the formats: gitleaks' README (`.gitleaksignore`: `commit:file:rule:line`, or
`file:rule:line` for any commit) and detect-secrets' documentation of its baseline (`results`: path
→ entries with `type`, `hashed_secret`, which is the SHA-1 of the value, and `line_number`).

An entry that names a value is matched by the value. One that names only a line is matched by
that line, and only by a finding of the same kind: what is on the line by now may be another secret.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec

from scanner.baseline import text_of
from vocabulary.errors import ConfigError
from vocabulary.finding import Finding, Place


@dataclass(frozen=True, slots=True)
class Entry:
    """One ignored finding of another scanner.

    Attributes:
        kind: its rule or type.
        line: 1-based.
        commit: empty for any.
        sha1: of the value, hex; empty where it is not told.
        where: file and line, or entry, where it stands.
    """

    path: str
    kind: str
    line: int
    commit: str = ""
    sha1: str = ""
    where: str = ""


def read(file: Path) -> list[Entry]:
    """Read a `.gitleaksignore` or a `.secrets.baseline`.

    Raises:
        ConfigError: it is neither; says where.
    """
    text = text_of(file)
    if not text.lstrip().startswith("{"):
        return list(_gitleaks(text, file))
    try:
        document = msgspec.json.decode(text)
    except msgspec.DecodeError as error:
        raise ConfigError(f"this is not JSON: {error}", where=str(file)) from None
    results = document.get("results")
    if not isinstance(results, dict):
        raise ConfigError("a baseline of detect-secrets has `results`", where=str(file))
    return list(_detect_secrets(results, file))


_GITLEAKS = re.compile(
    r"(?:(?P<commit>[0-9a-f]{7,64}):)?(?P<path>.+):(?P<rule>[^:]+):(?P<line>\d+)"
)


def _gitleaks(text: str, file: Path) -> Iterator[Entry]:
    for number, raw in enumerate(text.splitlines(), 1):
        line, where = raw.strip(), f"{file}:{number}"
        if not line or line.startswith("#"):
            continue
        found = _GITLEAKS.fullmatch(line)
        if found is None:
            raise ConfigError(
                "no fingerprint of gitleaks", where=where, remedy="commit:file:rule:line"
            )
        path, commit = _plain(found["path"]), found["commit"] or ""
        yield Entry(path, found["rule"], int(found["line"]), commit, where=where)


def _detect_secrets(results: Mapping[str, Any], file: Path) -> Iterator[Entry]:
    for path, entries in results.items():
        for number, entry in enumerate(entries if isinstance(entries, list) else ()):
            where = f"{file}: results[{path!r}][{number}]"
            try:
                kind, sha1 = str(entry["type"]), str(entry["hashed_secret"])
                line = int(entry.get("line_number", 0))
            except (KeyError, TypeError, ValueError, AttributeError):
                raise ConfigError(
                    "an entry has type, hashed_secret and line_number", where=where
                ) from None
            yield Entry(_plain(path), kind, line, sha1=sha1, where=where)


def _plain(path: str) -> str:
    return path.replace("\\", "/").removeprefix("./")


@dataclass(frozen=True, slots=True)
class Matched:
    """What became of entries: the findings that they meant, and those that meant none."""

    findings: tuple[Finding, ...]
    unmatched: tuple[Entry, ...]


def match(entries: Iterable[Entry], findings: Sequence[Finding]) -> Matched:
    """Find what entries mean.

    Args:
        entries: of another scanner.
        findings: of a scan that left secrets readable, so that their SHA-1 can be told.
    """
    by_path: dict[str, list[tuple[Place, Finding]]] = {}
    for finding in findings:
        for place in finding.places:
            by_path.setdefault(_plain(place.path), []).append((place, finding))
    values = {id(finding): _sha1(finding.secret) for finding in findings}
    meant: dict[str, Finding] = {}
    unmatched = []
    for entry in entries:
        near = by_path.get(entry.path, [])
        exact = [finding for _, finding in near if values[id(finding)] == entry.sha1]
        found = exact or [finding for place, finding in near if _is(entry, place, finding)]
        meant.update({finding.fingerprint: finding for finding in found})
        if not found:
            unmatched.append(entry)
    return Matched(tuple(meant.values()), tuple(unmatched))


def _sha1(secret: str) -> str:
    return hashlib.sha1(secret.encode(), usedforsecurity=False).hexdigest()


def _is(entry: Entry, place: Place, finding: Finding) -> bool:
    return (
        place.line == entry.line
        and place.commit.startswith(entry.commit)
        and _akin(entry.kind, finding.rule)
    )


_ANY_KIND = frozenset({"generic", "secret", "base64", "hex", "basic", "high", "keyword"})
_SAME = {"gcp": "google", "json": "jwt", "authenticated": "private", "curl": "http"}


def _akin(foreign: str, ours: str) -> bool:
    """Say whether two rules are about the same provider, or one of them about any."""
    theirs = re.split(r"[\s_-]", foreign.lower())[0]
    own = ours.split("-", maxsplit=1)[0]
    return _SAME.get(theirs, theirs) == own or theirs in _ANY_KIND or own in _ANY_KIND
