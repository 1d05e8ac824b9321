"""What is kept of the matches in objects: where they stand, and once what many have in common."""

from collections.abc import Container, Sequence

import msgspec
from msgspec.structs import replace

from scanner.score import Score
from vocabulary.finding import Confidence


class Around(msgspec.Struct, frozen=True, array_like=True):
    """A candidate but for the texts; `before` and `after` are the bytes on either side."""

    kind: str
    name: str
    before: int
    after: int


class Alike(msgspec.Struct, frozen=True, array_like=True):
    """What matches of one secret, in one line, have in common: versions of a file repeat it.

    See `scanner.match.Match`; `size` and `lines` are how far such a match reaches.
    """

    rule: str
    size: int
    lines: int
    confidence: Confidence
    checksum: str
    reasons: tuple[str, ...]
    label: str
    around: Around | None
    scores: dict[str, Score]


class KeptMatch(msgspec.Struct, frozen=True, array_like=True):
    """A match without its secret: the number of what it is alike to, and where it stands."""

    alike: int
    start: int
    line: int
    column: int


class Held(msgspec.Struct, frozen=True, array_like=True):
    """What is kept of many objects.

    Attributes:
        alike: what several matches have in common.
        objects: ids of objects → all that is in each; bytes are sealed.
    """

    alike: tuple[Alike, ...] = ()
    objects: dict[str, tuple[KeptMatch | bytes, ...]] = msgspec.field(default_factory=dict)

    def without(self, names: Container[str]) -> "Held":
        """Leave out some objects."""
        left = {name: told for name, told in self.objects.items() if name not in names}
        return Held(self.alike, left)

    def joined(self, other: "Held") -> "Held":
        """Add what is kept of other objects; what no match is alike to any more is dropped."""
        numbers: dict[int, int] = {}
        objects = {name: _numbered(told, 0, numbers) for name, told in self.objects.items()}
        first = len(self.alike)
        objects |= {name: _numbered(told, first, numbers) for name, told in other.objects.items()}
        alike = (*self.alike, *other.alike)
        return Held(tuple(alike[number] for number in numbers), objects)


def _numbered(
    told: Sequence[KeptMatch | bytes], first: int, numbers: dict[int, int]
) -> tuple[KeptMatch | bytes, ...]:
    """Give matches numbers in the order in which they are met; the old ones count from `first`."""
    return tuple(
        one
        if isinstance(one, bytes)
        else replace(one, alike=numbers.setdefault(first + one.alike, len(numbers)))
        for one in told
    )
