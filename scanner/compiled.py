"""A rule set as hyperscan looks for it: databases, and what their patterns mean."""

from collections.abc import Iterable, Mapping, Sequence

import hyperscan
import msgspec
from msgspec.structs import replace

from scanner.automaton import loaded
from scanner.confirm import Bounds
from scanner.family import Family, Kin

SILENT = 0xFF
"""Stands for what a trigger means where nothing follows from it."""
LEFT_OUT = -1
"""Stands for the number of a rule that is not of a set."""


class Part(msgspec.Struct, frozen=True, array_like=True):
    """One database, as it is written down.

    Attributes:
        database: first the patterns of rules, then triggers.
        meanings: for each pattern of rules the numbers of those that it may be.
        families: for patterns that many rules share, what tells the rules apart.
        triggers: for each trigger the encoding of decode.ENCODINGS that it announces, or, counted
            on from those, the container of archives.kinds.CONTAINERS; or `SILENT`.
    """

    database: memoryview
    meanings: tuple[tuple[int, ...], ...]
    families: tuple[tuple[int, Kin], ...]
    triggers: bytes

    def numbered(self, numbers: Sequence[int]) -> "Part":
        """Give rules other numbers.

        Args:
            numbers: for each old number the new one, or `LEFT_OUT`.
        """

        def all_of(meanings: tuple[tuple[int, ...], ...]) -> tuple[tuple[int, ...], ...]:
            return tuple(renamed(meaning, numbers) for meaning in meanings)

        families = tuple(
            (pattern, replace(kin, members=all_of(kin.members))) for pattern, kin in self.families
        )
        return replace(self, meanings=all_of(self.meanings), families=families)


def renamed(rules: Iterable[int], numbers: Sequence[int]) -> tuple[int, ...]:
    """Return the new numbers of rules, without those that have none; see `Part.numbered`."""
    return tuple(numbers[old] for old in rules if numbers[old] != LEFT_OUT)


class Stored(msgspec.Struct, frozen=True, array_like=True):
    """A compiled rule set, as it is written down.

    Attributes:
        parts: each looks for some of the rules.
        bounds: of each rule, how far its matches reach.
        everywhere: rules for which `re` must read everything, for want of a keyword.
    """

    parts: tuple[Part, ...]
    bounds: tuple[Bounds, ...]
    everywhere: tuple[int, ...] = ()


class Loaded(msgspec.Struct, frozen=True):
    """A part that is ready; see there."""

    database: hyperscan.Database
    meanings: tuple[tuple[int, ...], ...]
    families: Mapping[int, Family]
    triggers: bytes


class Compiled(msgspec.Struct, frozen=True):
    """A compiled rule set that is ready; see `Stored`."""

    parts: tuple[Loaded, ...]
    bounds: tuple[Bounds, ...]
    everywhere: tuple[int, ...]


def compiled_of(stored: Stored) -> Compiled:
    """Make what was written down ready.

    Raises:
        hyperscan.HyperscanError: another machine wrote it, or it is damaged.
    """
    return Compiled(tuple(map(_ready, stored.parts)), stored.bounds, stored.everywhere)


def _ready(part: Part) -> Loaded:
    families = {pattern: Family(kin) for pattern, kin in part.families}
    return Loaded(loaded(part.database), part.meanings, families, part.triggers)
