"""All patterns in one hyperscan database, compiled once a rule set and kept in the user's cache."""

import platform
import sys
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

import hyperscan
import msgspec

from scanner import archive, cache, decode
from scanner.automaton import compiles, database_of, dumped, loaded
from scanner.family import Family, Kin
from scanner.grouping import Relatives, families, kin, whole
from scanner.parsetree import parsed, spells
from scanner.prefilter import loosened
from scanner.rules import Rule, RuleSet

_FORMAT = "11"  # raised when patterns are made otherwise from the same rules


Patterns = dict[str, list[int]]
"""What hyperscan looks for → the numbers of what it may be."""


class _Kept(msgspec.Struct, array_like=True):
    meanings: tuple[tuple[int, ...], ...]
    everywhere: tuple[int, ...]
    by_keyword: tuple[int, ...]
    families: tuple[tuple[int, Kin], ...]
    database: memoryview


class Compiled(msgspec.Struct, frozen=True):
    """A database and what its patterns mean.

    Attributes:
        meanings: for each pattern the numbers it stands for. Those below the number of rules are
            rules; then come the encodings of decode.ENCODINGS, then the containers of
            archive.CONTAINERS.
        everywhere: rules for which `re` must read everything, for want of a keyword.
        by_keyword: rules that are found by their keywords alone.
        families: for patterns that many rules share, what tells the rules apart.
    """

    database: hyperscan.Database
    meanings: tuple[tuple[int, ...], ...]
    everywhere: tuple[int, ...]
    by_keyword: frozenset[int]
    families: Mapping[int, Family]


def compiled(ruleset: RuleSet, *, cached: bool = True) -> Compiled:
    """Return the database of these rules, from the cache where it is there; else leave it there."""
    name = f"patterns-{ruleset.name}-{_key(ruleset)}"
    if (raw := cache.read(name)) is not None:
        try:
            kept = msgspec.msgpack.decode(raw, type=_Kept)
            return _loaded(kept)
        except (msgspec.MsgspecError, hyperscan.HyperscanError):
            pass  # made by another machine, or damaged: it is made anew
    kept = _compile(ruleset)
    parsed.cache_clear()  # a scan needs few of the trees
    if cached:
        cache.write(name, msgspec.msgpack.encode(kept))
        cache.forget("patterns-", keep=name)
    return _loaded(kept)


def _loaded(kept: _Kept) -> Compiled:
    return Compiled(
        loaded(kept.database),
        kept.meanings,
        kept.everywhere,
        frozenset(kept.by_keyword),
        {pattern: Family(kept_kin) for pattern, kept_kin in kept.families},
    )


def _key(ruleset: RuleSet) -> str:
    """Name all that a compiled database depends on."""
    stated = (
        _FORMAT,
        ruleset.digest,
        *(container.magic for container in archive.CONTAINERS),
        str(getattr(hyperscan, "__version__", "")),
        platform.machine(),
        _cpu(),
    )
    return blake2b("\0".join(stated).encode(), digest_size=16).hexdigest()


def _cpu() -> str:
    """Return the features of the first processor, as the system states them."""
    if sys.platform != "linux":
        return platform.processor()
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as stream:
            first = stream.read(8192)
    except OSError:
        return ""
    return next((line for line in first.splitlines() if line.startswith(("flags", "Features"))), "")


def _compile(ruleset: RuleSet) -> _Kept:
    """Compile all patterns at once; only where that fails, find out which ones are to blame."""
    rules = ruleset.rules
    related = families(rules)
    try:
        told = {family.shared: kin(family, rules) for family in related}
    except hyperscan.HyperscanError:  # a pattern of the user's; each is looked for by itself
        related, told = [], {}
    patterns, by_keyword = _needles(ruleset, related)
    triggers = _triggers(ruleset)
    everywhere: list[int] = []
    try:
        database = database_of([*patterns, *triggers])
    except hyperscan.HyperscanError:
        everywhere = _by_words(ruleset, patterns, by_keyword)
        database = database_of([*patterns, *triggers])
    shared = tuple(
        (at, told.get(pattern) or whole(pattern, numbers, rules))
        for at, (pattern, numbers) in enumerate(patterns.items())
        if len(numbers) > 1
    )
    meanings = (*map(tuple, patterns.values()), *map(tuple, triggers.values()))
    return _Kept(meanings, tuple(everywhere), tuple(by_keyword), shared, dumped(database))


def _by_words(ruleset: RuleSet, patterns: Patterns, by_keyword: set[int]) -> list[int]:
    """Put keywords in the place of what hyperscan refuses; return the rules that have none."""
    everywhere: list[int] = []
    for needle in [needle for needle in patterns if not compiles(needle)]:
        for number in patterns.pop(needle):
            words = _words(ruleset.rules[number])
            for word in words:
                patterns.setdefault(word, []).append(number)
            by_keyword.add(number)
            everywhere += [] if words else [number]
    return everywhere


def _needles(ruleset: RuleSet, related: list[Relatives]) -> tuple[Patterns, set[int]]:
    """Return what hyperscan looks for and for which rules, and the rules found by keyword."""
    patterns: Patterns = {}
    by_keyword: set[int] = set()
    alike = {number for family in related for number in family.numbers}
    for number, rule in enumerate(ruleset.rules):
        if number in alike:
            continue
        telling = bool(rule.keywords) and all(len(word) >= _TELLING for word in rule.keywords)
        needles = [loosened(rule.pattern)]
        if telling and not spells(rule.pattern):
            needles = _words(rule)
            by_keyword.add(number)
        for needle in needles:
            patterns.setdefault(needle, []).append(number)
    return patterns | {family.shared: list(family.numbers) for family in related}, by_keyword


_TELLING = 3  # shorter keywords stand everywhere


def _words(rule: Rule) -> list[str]:
    """Return a rule's keywords as patterns."""
    return ["(?i)" + "".join(f"\\x{byte:02x}" for byte in word.encode()) for word in rule.keywords]


def _triggers(ruleset: RuleSet) -> Patterns:
    """Number the triggers of encodings and the magics of containers after the rules."""
    words = decode.spelled(ruleset.rules)
    found: Patterns = {}
    number = len(ruleset.rules)
    for encoding in decode.ENCODINGS:
        for pattern in encoding.triggers(words):
            found.setdefault(pattern, []).append(number)
        number += 1
    for container in archive.CONTAINERS:
        found.setdefault(container.magic, []).append(number)
        number += 1
    return found
