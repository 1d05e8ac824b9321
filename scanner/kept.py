"""What was found in objects, kept from one scan to the next without the secrets themselves.

An object never changes, so what stood in it stands there still, and was worth the same. What is
kept says where; the secret is cut out of the object again, once for all the versions that repeat
it (scanner.held). What a cut cannot bring back (a secret that was decoded, or lay in an archive) is
sealed with the object itself (scanner.sealing).
"""

from collections.abc import Hashable, Iterable, Mapping, Sequence

from msgspec.structs import astuple, replace

from scanner.candidate import IMPLIED, Candidate
from scanner.held import Alike, Around, Held, KeptMatch
from scanner.match import Match
from scanner.rules import Rule
from scanner.sealing import key_of, opened, sealed
from scanner.sources.files import Packed
from scanner.sources.gitrun import Repository
from scanner.sources.objects import Read, batches

_MOST = 200_000  # matches; with more, all are looked for anew
_LOST = "\ufffd"  # stands for bytes that are no UTF-8
_QUOTES = "\"'`"


def held(repository: Repository, matches: Iterable[Match], doubtful: set[str]) -> Held:
    """Return what can be kept of the matches in objects.

    Args:
        repository: holds the objects.
        matches: in objects, all there are in each.
        doubtful: ids of objects that hold more than their matches.
    """
    found: dict[str, list[KeptMatch | Match]] = {}
    uncut: set[str] = set()
    kinds: dict[Hashable, int] = {}
    alike: list[Alike] = []
    for match in matches:
        if match.item in doubtful:
            continue
        several = found.setdefault(match.item, [])
        shared = _alike(match)
        if shared is None:
            uncut.add(match.item)
            several.append(match)
            continue
        same = (match.secret, match.candidate, *astuple(shared)[:-1], *match.scores.items())
        number = kinds.setdefault(same, len(alike))
        if number == len(alike):
            alike.append(shared)
        several.append(KeptMatch(number, match.start, match.line, match.column))
    if sum(map(len, found.values())) > _MOST:
        return Held()
    whole: dict[str, tuple[KeptMatch | bytes, ...]] = {}
    keys = _keys(repository, sorted(uncut))
    for name, several in sorted(found.items()):
        told = [one if isinstance(one, KeptMatch) else _sealed(one, keys) for one in several]
        if None not in told:
            whole[name] = tuple(one for one in told if one is not None)
    return Held(tuple(alike), whole)


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


def _alike(match: Match) -> Alike | None:
    """Return what is kept of a match but for its place; None where its secret is no cut."""
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
        around = Around(candidate.kind, candidate.name, before, after)
    return Alike(
        match.rule.id,
        len(match.secret),
        match.end_line - match.line,
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
    """Cut the secrets out of objects again: of matches that are alike, out of one of these.

    Args:
        repository: holds the objects.
        held: what is kept of them.
        names: their ids, in the order in which they are best read.
        rules: of the scan that found them.

    Returns:
        The matches, and the ids of objects that have to be scanned after all.
    """
    by_id = {rule.id: rule for rule in rules}
    cut: dict[int, Match] = {}
    unsealed: dict[str, list[Match | None]] = {}
    for batch in batches(repository, _telling(held, names), Read()):
        if isinstance(batch, Packed) or batch.window is not None:
            continue
        for raw, start, end in zip(batch.names, batch.starts, batch.ends, strict=True):
            name, text = raw.decode(), bytes(batch.data[start:end])
            several = held.objects[name]
            _cut(held.alike, several, name, text, by_id, cut)
            unsealed[name] = _unsealed(several, name, text, by_id)
    matches: list[Match] = []
    left: list[bytes] = []
    for raw in names:
        found = _placed(held.objects[raw.decode()], raw.decode(), cut, unsealed)
        if found is None:
            left.append(raw)
        else:
            matches += found
    return matches, left


def _telling(held: Held, names: Iterable[bytes]) -> list[bytes]:
    """Return the objects that have to be read: no match of theirs is alike to an earlier one's."""
    known: set[int] = set()
    chosen: list[bytes] = []
    for name in names:
        several = held.objects[name.decode()]
        new = {one.alike for one in several if isinstance(one, KeptMatch)} - known
        if new or any(isinstance(one, bytes) for one in several):
            chosen.append(name)
            known |= new
    return chosen


def _cut(
    alike: Sequence[Alike],
    several: Iterable[KeptMatch | bytes],
    name: str,
    text: bytes,
    rules: Mapping[str, Rule],
    cut: dict[int, Match],
) -> None:
    """Cut what an object holds out of its text, where it is alike to nothing that was cut."""
    for one in several:
        if isinstance(one, KeptMatch) and one.alike not in cut:
            match = _restored(one, alike[one.alike], name, text, rules)
            if match is not None:
                cut[one.alike] = match


def _unsealed(
    several: Iterable[KeptMatch | bytes], name: str, text: bytes, rules: Mapping[str, Rule]
) -> list[Match | None]:
    closed = [one for one in several if isinstance(one, bytes)]
    key = key_of(text) if closed else b""
    return [opened(one, name, key, rules) for one in closed]


def _placed(
    several: Iterable[KeptMatch | bytes],
    name: str,
    cut: Mapping[int, Match],
    unsealed: Mapping[str, Sequence[Match | None]],
) -> list[Match] | None:
    """Return the matches of an object; None where one of them could not be brought back."""
    opened_ = iter(unsealed.get(name, ()))
    found: list[Match] = []
    for one in several:
        match = next(opened_, None) if isinstance(one, bytes) else cut.get(one.alike)
        if match is None:
            return None
        found.append(match if isinstance(one, bytes) else _moved(match, one, name))
    return found


def _moved(match: Match, kept: KeptMatch, name: str) -> Match:
    """Give what was cut out of one object its place in another."""
    return replace(
        match,
        item=name,
        start=kept.start,
        end=kept.start + match.end - match.start,
        line=kept.line,
        column=kept.column,
        end_line=kept.line + match.end_line - match.line,
    )


def _restored(
    kept: KeptMatch, alike: Alike, name: str, text: bytes, rules: Mapping[str, Rule]
) -> Match | None:
    start, end = kept.start, kept.start + alike.size
    if alike.rule not in rules or end > len(text):
        return None
    secret, candidate = text[start:end], None
    if (around := alike.around) is not None:
        before = text[max(start - around.before, 0) : start].decode("utf-8", "replace")
        candidate = Candidate(
            kind=around.kind,
            name=around.name,
            value=secret.decode("utf-8", "replace"),
            quote=before[-1] if before and before[-1] in _QUOTES else "",
            before=before,
            after=text[end : end + around.after].decode("utf-8", "replace"),
        )
    return Match(
        rule=rules[alike.rule],
        secret=secret,
        item=name,
        start=start,
        end=end,
        line=kept.line,
        column=kept.column,
        end_line=kept.line + alike.lines,
        confidence=alike.confidence,
        checksum=alike.checksum,
        reasons=alike.reasons,
        label=alike.label,
        candidate=candidate,
        scores=alike.scores,
    )
