"""All patterns in one hyperscan database, compiled once a rule set and kept in the user's cache."""

import platform
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from pathlib import Path

import hyperscan
import msgspec

from scanner import archive, cache, decode
from scanner.addresses import ADDRESS, is_address
from scanner.family import Family
from scanner.prefilter import assignment, loosened, spells
from scanner.rules import Rule, RuleSet

_FORMAT = "10"  # raised when patterns are made otherwise from the same rules


Patterns = dict[str, list[int]]
"""What hyperscan looks for → the numbers of what it may be."""


class _Kept(msgspec.Struct, array_like=True):
    meanings: tuple[tuple[int, ...], ...]
    everywhere: tuple[int, ...]
    by_keyword: tuple[int, ...]
    families: tuple[tuple[int, memoryview], ...]
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
    if cached:
        cache.write(name, msgspec.msgpack.encode(kept))
        cache.forget("patterns-", keep=name)
    return _loaded(kept)


def _loaded(kept: _Kept) -> Compiled:
    return Compiled(
        hyperscan.loadb(bytes(kept.database), hyperscan.HS_MODE_BLOCK),
        kept.meanings,
        kept.everywhere,
        frozenset(kept.by_keyword),
        {pattern: Family(raw, kept.meanings[pattern]) for pattern, raw in kept.families},
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
    patterns, by_keyword = _needles(ruleset)
    triggers = _triggers(ruleset)
    everywhere: list[int] = []
    try:
        database = _database([*patterns, *triggers])
    except hyperscan.HyperscanError:
        for needle in [needle for needle in patterns if not _compiles(needle)]:
            for number in patterns.pop(needle):
                words = _words(ruleset.rules[number])
                for word in words:
                    patterns.setdefault(word, []).append(number)
                by_keyword.add(number)
                everywhere += [] if words else [number]
        database = _database([*patterns, *triggers])
    meanings = (*map(tuple, patterns.values()), *map(tuple, triggers.values()))
    families = tuple(
        (number, _dumped(_database([loosened(ruleset.rules[n].pattern) for n in meaning])))
        for number, meaning in enumerate(meanings)
        if len(meaning) > 1 and number < len(patterns)
    )
    return _Kept(meanings, tuple(everywhere), tuple(by_keyword), families, _dumped(database))


def _dumped(database: hyperscan.Database) -> memoryview:
    return memoryview(hyperscan.dumpb(database))


def _needles(ruleset: RuleSet) -> tuple[Patterns, set[int]]:
    """Return what hyperscan looks for and for which rules, and the rules found by keyword."""
    patterns: Patterns = {}
    by_keyword: set[int] = set()
    families, alike = _families(ruleset)
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
    return patterns | families, by_keyword


def _families(ruleset: RuleSet) -> tuple[Patterns, set[int]]:
    """Join rules that share what is costly to look for.

    They assign to the same few words, and differ in a provider's name alone; or they are of
    addresses with a password, and differ in the scheme.
    """
    found = {n: assignment(rule.pattern) for n, rule in enumerate(ruleset.rules) if rule.keywords}
    uses = Counter(word for made in found.values() if made for word in made[0])
    groups: dict[str, list[int]] = {}
    for number, made in found.items():
        if made and all(uses[word] >= _COMMON for word in made[0]):
            groups.setdefault(made[1], []).append(number)
    families: Patterns = {}
    for rest, numbers in groups.items():
        if len(numbers) >= _MANY:
            words = sorted({word for number in numbers for word in (found[number] or ((),))[0]})
            families[f"(?i:{'|'.join(words)}){rest}"] = numbers
    addresses = [n for n, rule in enumerate(ruleset.rules) if is_address(rule.pattern)]
    if len(addresses) >= _MANY:
        families[ADDRESS] = addresses
    return families, {number for numbers in families.values() for number in numbers}


_TELLING = 3  # shorter keywords stand everywhere
_MANY = 4  # rules that differ in a name alone are looked for together
_COMMON = 10  # … if their words are those of so many: rarer words would be looked for in vain


def _words(rule: Rule) -> list[str]:
    """Return a rule's keywords as patterns."""
    return ["(?i)" + "".join(f"\\x{byte:02x}" for byte in word.encode()) for word in rule.keywords]


def _database(patterns: Sequence[str]) -> hyperscan.Database:
    database = hyperscan.Database(mode=hyperscan.HS_MODE_BLOCK)
    database.compile(
        expressions=[pattern.encode() for pattern in patterns],
        ids=list(range(len(patterns))),
        flags=[hyperscan.HS_FLAG_MULTILINE] * len(patterns),
    )
    return database


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


def _compiles(pattern: str) -> bool:
    try:
        _database([pattern])
    except hyperscan.HyperscanError:
        return False
    return True
