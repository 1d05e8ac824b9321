"""Rules compiled: all their patterns in one database, and what a scan need not find out again.

A scan whose compiled rules are in the cache imports nothing of this.
"""

from concurrent.futures import ThreadPoolExecutor

import hyperscan

from scanner.archives.kinds import CONTAINERS
from scanner.automaton import compiles, database_of, dumped
from scanner.bounds import bounds_of
from scanner.compiled import Kept
from scanner.decode import ENCODINGS, spelled
from scanner.grouping import Relatives, families, kin, whole
from scanner.parsetree import parsed, spells
from scanner.prefilter import loosened
from scanner.rules import Rule, RuleSet

Patterns = dict[str, list[int]]
"""What hyperscan looks for → the numbers of what it may be."""


def kept_of(ruleset: RuleSet) -> Kept:
    """Compile all patterns at once; only where that fails, find out which ones are to blame."""
    try:
        return _kept(ruleset, families(ruleset.rules))
    except hyperscan.HyperscanError:  # a pattern of the user's; each is looked for by itself
        return _kept(ruleset, [])


def _kept(ruleset: RuleSet, related: list[Relatives]) -> Kept:
    """Compile rules, and meanwhile what tells the members of families apart.

    Raises:
        hyperscan.HyperscanError: hyperscan refuses a member of a family.
    """
    rules, everywhere = ruleset.rules, list[int]()
    patterns, by_keyword = _needles(ruleset, related)
    triggers = _triggers(ruleset)
    with ThreadPoolExecutor(1) as beside:  # hyperscan needs no interpreter to compile
        asked = beside.submit(database_of, [*patterns, *triggers])
        told = {family.shared: kin(family, rules) for family in related}
        bounds = tuple(bounds_of(rule) for rule in rules)
        try:
            database = asked.result()
        except hyperscan.HyperscanError:
            everywhere = _by_words(ruleset, patterns, by_keyword)
            database = database_of([*patterns, *triggers])
    shared = tuple(
        (at, told.get(pattern) or whole(pattern, numbers, rules))
        for at, (pattern, numbers) in enumerate(patterns.items())
        if len(numbers) > 1
    )
    meanings = (*map(tuple, patterns.values()), *map(tuple, triggers.values()))
    parsed.cache_clear()  # a scan needs few of the trees
    return Kept(meanings, tuple(everywhere), tuple(by_keyword), shared, bounds, dumped(database))


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
    return [_spelled(word.encode()) for word in rule.keywords]


def _spelled(word: bytes) -> str:
    """Write a keyword; of a run of one character the end, or each byte of it would be a hit."""
    literal = "(?i)" + "".join(f"\\x{byte:02x}" for byte in word)
    return literal + (f"(?:[^\\x{word[0]:02x}]|\\z)" if len(set(word)) == 1 else "")


def _triggers(ruleset: RuleSet) -> Patterns:
    """Number the triggers of encodings and the magics of containers after the rules."""
    words = spelled(ruleset.rules)
    found: Patterns = {}
    number = len(ruleset.rules)
    for encoding in ENCODINGS:
        for pattern in encoding.triggers(words):
            found.setdefault(pattern, []).append(number)
        number += 1
    for container in CONTAINERS:
        found.setdefault(container.magic, []).append(number)
        number += 1
    return found
