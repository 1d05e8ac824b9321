"""What was found in objects, kept from one scan to the next without the secrets themselves.

An object never changes, so what stood in it stands there still, and was worth the same. What is
kept says where; the secret is cut out of the object again. What a cut cannot bring back (a secret
that was decoded, or lay in an archive) is sealed with the object itself (scanner.sealing).
"""

from collections.abc import Iterable, Mapping, Sequence

import msgspec

from scanner.candidate import IMPLIED, Candidate
from scanner.match import Match
from scanner.rules import Rule
from scanner.score import Score
from scanner.sealing import key_of, opened, sealed
from scanner.sources.files import Packed
from scanner.sources.gitrun import Repository
from scanner.sources.objects import Read, batches
from vocabulary.finding import Confidence

_MOST = 200_000  # matches; with more, all are looked for anew
_LOST = "\ufffd"  # stands for bytes that are no UTF-8
_QUOTES = "\"'`"


class _Around(msgspec.Struct, frozen=True, array_like=True):
    """A candidate but for the texts; `before` and `after` are the bytes on either side."""

    kind: str
    name: str
    before: int
    after: int


class KeptMatch(msgspec.Struct, frozen=True, array_like=True):
    """A match without its secret; see `scanner.match.Match`."""

    rule: str
    start: int
    end: int
    line: int
    column: int
    end_line: int
    confidence: Confidence
    checksum: str
    reasons: tuple[str, ...]
    label: str
    around: _Around | None
    scores: dict[str, Score]


Held = dict[str, tuple[KeptMatch | bytes, ...]]
"""Ids of objects → all that is in each; bytes are sealed."""


def held(repository: Repository, matches: Iterable[Match], doubtful: set[str]) -> Held:
    """Return what can be kept of the matches in objects.

    Args:
        repository: holds the objects.
        matches: in objects, all there are in each.
        doubtful: ids of objects that hold more than their matches.
    """
    found: dict[str, list[KeptMatch | Match]] = {}
    uncut: set[str] = set()
    for match in matches:
        if match.item in doubtful:
            continue
        kept = _kept(match)
        if kept is None:
            uncut.add(match.item)
        found.setdefault(match.item, []).append(kept or match)
    if sum(map(len, found.values())) > _MOST:
        return {}
    whole: Held = {}
    keys = _keys(repository, sorted(uncut))
    for name, several in sorted(found.items()):
        told = [one if isinstance(one, KeptMatch) else _sealed(one, keys) for one in several]
        if None not in told:
            whole[name] = tuple(one for one in told if one is not None)
    return whole


def _keys(repository: Repository, names: Sequence[str]) -> dict[str, bytes]:
    """Return the keys of objects; none of those that are too large to be held."""
    keys: dict[str, bytes] = {}
    for batch in batches(repository, [name.encode() for name in names], Read()):
        if isinstance(batch, Packed) or batch.window is not None:
            continue
        view = memoryview(batch.data)
        for name, start, end in zip(batch.names, batch.starts, batch.ends, strict=True):
            keys[name.decode()] = key_of(view[start:end])
    return keys


def _sealed(match: Match, keys: Mapping[str, bytes]) -> bytes | None:
    key = keys.get(match.item)
    return sealed(match, key) if key is not None else None


def _kept(match: Match) -> KeptMatch | None:
    if (
        match.decoding
        or match.inside
        or match.notes
        or match.end - match.start != len(match.secret)
        or match.rule.id in IMPLIED  # its candidate is no cut of the text
    ):
        return None
    around, candidate = None, match.candidate
    if candidate is not None:
        text = (candidate.before, candidate.value, candidate.after)
        if any(_LOST in part for part in text) or candidate.value.encode() != match.secret:
            return None
        before, after = len(candidate.before.encode()), len(candidate.after.encode())
        around = _Around(candidate.kind, candidate.name, before, after)
    return KeptMatch(
        match.rule.id,
        match.start,
        match.end,
        match.line,
        match.column,
        match.end_line,
        match.confidence,
        match.checksum,
        match.reasons,
        match.label,
        around,
        dict(match.scores),
    )


def restored(
    repository: Repository, held: Held, names: Sequence[bytes], rules: Sequence[Rule]
) -> tuple[list[Match], list[bytes]]:
    """Cut the secrets out of objects again.

    Args:
        repository: holds the objects.
        held: what is kept of them.
        names: their ids, in the order in which they are best read.
        rules: of the scan that found them.

    Returns:
        The matches, and the ids of objects that have to be scanned after all.
    """
    by_id = {rule.id: rule for rule in rules}
    matches: list[Match] = []
    left = dict.fromkeys(names)
    for batch in batches(repository, names, Read()):
        if isinstance(batch, Packed) or batch.window is not None:
            continue
        for name, start, end in zip(batch.names, batch.starts, batch.ends, strict=True):
            text = bytes(batch.data[start:end])
            found = _all_restored(held[name.decode()], name.decode(), text, by_id)
            if None not in found:
                matches += [match for match in found if match is not None]
                left.pop(name, None)
    return matches, list(left)


def _all_restored(
    several: Sequence[KeptMatch | bytes], name: str, text: bytes, rules: Mapping[str, Rule]
) -> list[Match | None]:
    key = b"" if all(isinstance(kept, KeptMatch) for kept in several) else key_of(text)
    return [
        opened(kept, name, key, rules)
        if isinstance(kept, bytes)
        else _restored(kept, name, text, rules)
        for kept in several
    ]


def _restored(kept: KeptMatch, name: str, text: bytes, rules: Mapping[str, Rule]) -> Match | None:
    if kept.rule not in rules or kept.end > len(text):
        return None
    secret, candidate = text[kept.start : kept.end], None
    if (around := kept.around) is not None:
        before = text[max(kept.start - around.before, 0) : kept.start].decode("utf-8", "replace")
        candidate = Candidate(
            kind=around.kind,
            name=around.name,
            value=secret.decode("utf-8", "replace"),
            quote=before[-1] if before and before[-1] in _QUOTES else "",
            before=before,
            after=text[kept.end : kept.end + around.after].decode("utf-8", "replace"),
        )
    return Match(
        rule=rules[kept.rule],
        secret=secret,
        item=name,
        start=kept.start,
        end=kept.end,
        line=kept.line,
        column=kept.column,
        end_line=kept.end_line,
        confidence=kept.confidence,
        checksum=kept.checksum,
        reasons=kept.reasons,
        label=kept.label,
        candidate=candidate,
        scores=kept.scores,
    )
