"""Rules compiled: their patterns in a few databases, and what a scan need not find out again.

A scan whose compiled rules are in the cache imports nothing of this.
"""

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

import hyperscan
from msgspec.structs import replace

from scanner.archives.kinds import CONTAINERS
from scanner.automaton import compiles, database_of, dumped
from scanner.bounds import bounds_of
from scanner.compiled import Part, Stored
from scanner.decode import ENCODINGS, spelled
from scanner.grouping import Relatives, families, kin
from scanner.parsetree import parsed, spells
from scanner.prefilter import needles
from scanner.rules import Rule

Patterns = dict[str, list[int]]
"""What hyperscan looks for → the numbers of the rules that it may be."""
Triggers = dict[tuple[str, int], None]
"""What hyperscan looks for, and what it announces; see `Part.triggers`."""
Announcing = Callable[[], Iterable[tuple[str, int]]]


def stored_of(rules: Sequence[Rule]) -> Stored:
    """Compile rules, and what announces encodings and containers in which they may be met.

    For many rules that is thousands of literals. They have a database of their own, which is
    compiled while the other one is; to look for both costs little more than for one.
    """
    if len(rules) < _MANY:
        stored = compiled_with(rules, triggers(rules))
    else:
        stored = compiled_with(rules, (), partial(triggers, rules))
    parsed.cache_clear()  # a scan needs few of the trees
    return stored


_MANY = 100  # rules that are worth a second database


def compiled_with(
    rules: Sequence[Rule], announced: Iterable[tuple[str, int]], apart: Announcing = tuple
) -> Stored:
    """Compile all patterns at once; only where that fails, find out which ones are to blame.

    Args:
        rules: numbered from 0.
        announced: see `Triggers`.
        apart: says what of these has a database of its own.
    """
    try:
        return _stored(rules, families(rules), tuple(announced), apart)
    except hyperscan.HyperscanError:  # a pattern of the user's; each is looked for by itself
        return _stored(rules, [], tuple(announced), apart)


def _stored(
    rules: Sequence[Rule],
    related: list[Relatives],
    announced: Sequence[tuple[str, int]],
    apart: Announcing,
) -> Stored:
    """Compile patterns on one core, and all else on another.

    Raises:
        hyperscan.HyperscanError: hyperscan refuses a member of a family.
    """
    patterns, by_keyword = _needles(rules, related)
    more = [*(family.shared for family in related), *(pattern for pattern, _ in announced)]
    everywhere: list[int] = []
    with ThreadPoolExecutor(1) as beside:  # hyperscan needs no interpreter to compile
        asked = beside.submit(_dumped, [*patterns, *more])
        others = tuple(apart())
        parts = [(_dumped([pattern for pattern, _ in others]), Part(_NONE, (), (), _kinds(others)))]
        told = [kin(family, rules) for family in related]
        bounds = [bounds_of(rule) for rule in rules]
        try:
            database = asked.result()
        except hyperscan.HyperscanError:
            everywhere = _by_words(rules, patterns, by_keyword)
            database = _dumped([*patterns, *more])
    for number in by_keyword:
        bounds[number] = bounds_of(rules[number], exact=False)
    meanings = (*map(tuple, patterns.values()), *(family.numbers for family in related))
    kinds = tuple(enumerate(told, len(patterns)))
    parts.insert(0, (database, Part(_NONE, meanings, kinds, _kinds(announced))))
    return Stored(
        tuple(replace(part, database=made) for made, part in parts if made),
        tuple(bounds),
        tuple(everywhere),
    )


_NONE = memoryview(b"")


def _kinds(announced: Iterable[tuple[str, int]]) -> bytes:
    return bytes(kind for _, kind in announced)


def _dumped(patterns: Sequence[str]) -> memoryview:
    """Compile patterns and write them down; nothing for none."""
    return dumped(database_of(patterns)) if patterns else _NONE


def _by_words(rules: Sequence[Rule], patterns: Patterns, by_keyword: set[int]) -> list[int]:
    """Put keywords in the place of what hyperscan refuses; return the rules that have none."""
    everywhere: list[int] = []
    for needle in [needle for needle in patterns if not compiles(needle)]:
        for number in patterns.pop(needle):
            words = _words(rules[number])
            for word in words:
                patterns.setdefault(word, []).append(number)
            by_keyword.add(number)
            everywhere += [] if words else [number]
    return everywhere


def _needles(rules: Sequence[Rule], related: list[Relatives]) -> tuple[Patterns, set[int]]:
    """Return what is looked for of rules without relatives, and the rules found by keyword."""
    patterns: Patterns = {}
    by_keyword: set[int] = set()
    alike = {number for family in related for number in family.numbers}
    for number, rule in enumerate(rules):
        if number in alike:
            continue
        telling = bool(rule.keywords) and all(len(word) >= _TELLING for word in rule.keywords)
        sought = needles(rule.pattern)
        if telling and not spells(rule.pattern):
            sought = _words(rule)
            by_keyword.add(number)
        for needle in sought:
            patterns.setdefault(needle, []).append(number)
    return patterns, by_keyword


_TELLING = 3  # shorter keywords stand everywhere


def _words(rule: Rule) -> list[str]:
    """Return a rule's keywords as patterns."""
    return [_spelled(word.encode()) for word in rule.keywords]


def _spelled(word: bytes) -> str:
    """Write a keyword; of a run of one character the end, or each byte of it would be a hit."""
    literal = "(?i)" + "".join(f"\\x{byte:02x}" for byte in word)
    return literal + (f"(?:[^\\x{word[0]:02x}]|\\z)" if len(set(word)) == 1 else "")


def triggers(rules: Iterable[Rule]) -> Triggers:
    """Return what announces that something is encoded, or packed."""
    words = spelled(rules)
    found: Triggers = {}
    for kind, encoding in enumerate(ENCODINGS):
        found |= dict.fromkeys((pattern, kind) for pattern in encoding.triggers(words))
    for kind, container in enumerate(CONTAINERS, len(ENCODINGS)):
        found[container.magic, kind] = None
    return found
