"""Which rules share what is costly to look for, and what tells them apart.

They assign to the same few words, and differ in a provider's name and in the secret's shape; or
they are of addresses with a password, and differ in the scheme.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from scanner.addresses import ADDRESS, is_address
from scanner.assignments import Assignment, assignment
from scanner.automaton import database_of, dumped
from scanner.family import SECRET, Kin
from scanner.prefilter import loosened
from scanner.rules import Rule

_MANY = 4  # rules that differ in a name alone are looked for together
_COMMON = 10  # … if their words end in those of so many: rarer words would be looked for in vain


class Relatives(msgspec.Struct, frozen=True):
    """Rules with one pattern for hyperscan.

    Attributes:
        shared: the pattern.
        numbers: of the rules.
        parts: of each, in that order; empty for addresses, whose rules are told by all of theirs.
    """

    shared: str
    numbers: tuple[int, ...]
    parts: tuple[Assignment, ...] = ()


def families(rules: Sequence[Rule]) -> list[Relatives]:
    """Return the families among rules; no rule is of two."""
    found = _assigning(rules)
    taken = {number for family in found for number in family.numbers}
    addresses = tuple(
        number
        for number, rule in enumerate(rules)
        if number not in taken and is_address(rule.pattern)
    )
    return [*found, *([Relatives(ADDRESS, addresses)] if len(addresses) >= _MANY else [])]


def _assigning(rules: Sequence[Rule]) -> list[Relatives]:
    apart = {n: assignment(rule.pattern) for n, rule in enumerate(rules) if rule.keywords}
    made = {number: parts for number, parts in apart.items() if parts}
    uses = Counter(word for parts in made.values() for word in parts.words)
    common = tuple(word for word, count in uses.items() if count >= _COMMON)
    groups: dict[str, list[int]] = {}
    for number, parts in made.items():
        if all(word.endswith(common) for word in parts.words):
            groups.setdefault(parts.rest, []).append(number)
    return [
        Relatives(
            _joined(rest, numbers, made), tuple(numbers), tuple(made[number] for number in numbers)
        )
        for rest, numbers in groups.items()
        if len(numbers) >= _MANY
    ]


def _joined(rest: str, numbers: Sequence[int], made: Mapping[int, Assignment]) -> str:
    used = {word for number in numbers for word in made[number].words}
    words = sorted(word for word in used if not word.endswith(tuple(used - {word})))
    return f"(?i:{'|'.join(words)}){rest}"


def kin(family: Relatives, rules: Sequence[Rule]) -> Kin:
    """Compile what tells the members of a family apart.

    Raises:
        hyperscan.HyperscanError: hyperscan refuses one of its patterns.
    """
    if not family.parts:
        return _whole(family, rules)
    names: dict[str, list[int]] = {}
    shapes: dict[tuple[str, tuple[int, int]], list[int]] = {}
    for number, parts in zip(family.numbers, family.parts, strict=True):
        names.setdefault(parts.name, []).append(number)
        shapes.setdefault((parts.shape, parts.behind), []).append(number)
    return Kin(
        dumped(database_of([*names, *(f"\\x{SECRET.hex()}{shape}" for shape, _ in shapes)])),
        (*map(tuple, names.values()), *map(tuple, shapes.values())),
        tuple(behind for _, behind in shapes),
        max(parts.before for parts in family.parts),
    )


def _whole(family: Relatives, rules: Sequence[Rule]) -> Kin:
    patterns = [loosened(rules[number].pattern) for number in family.numbers]
    return Kin(dumped(database_of(patterns)), tuple((number,) for number in family.numbers))
