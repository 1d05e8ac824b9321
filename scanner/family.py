"""Rules that share one loose pattern of hyperscan, told apart by a second look at its hits."""

from bisect import bisect_right
from collections.abc import Iterator

import hyperscan
import msgspec

from scanner.automaton import loaded
from scanner.batch import Data

SECRET = b"\1"
"""Stands before a secret that has been cut out."""
ANY_LENGTH = 16
"""So many characters of a secret are looked for by a shared pattern, whatever they are."""
_AROUND = 256
_BETWEEN = b"\n\0\n"
Ends = dict[int, list[int]]
"""Where patterns end, by the number of the rule."""


class Kin(msgspec.Struct, frozen=True, array_like=True):
    """What tells the members of a family apart.

    Attributes:
        database: patterns that are looked for around hits of the shared one, written down.
        members: for each of them, the numbers of the rules that have it.
        shapes: of the last patterns, which are shapes of secrets behind `SECRET`: how far behind
            the end of the shared pattern they end, at least and at most. A rule is met where a
            shape and one of the other patterns, a name, are both its own. Empty where each
            pattern is a whole rule.
        before: how far before the end of the shared pattern a name begins, at most.
    """

    database: memoryview
    members: tuple[tuple[int, ...], ...]
    shapes: tuple[tuple[int, int], ...] = ()
    before: int = 0


class Family(msgspec.Struct):
    """A family that is met in a scan; its database is loaded when it first is."""

    kin: Kin
    _loaded: hyperscan.Database | None = None
    _pairs: dict[tuple[int, int], list[int]] = msgspec.field(default_factory=dict)

    @property
    def database(self) -> hyperscan.Database:
        """The patterns that tell the members apart; `scratch` is made for it."""
        if self._loaded is None:
            self._loaded, self._pairs = loaded(self.kin.database), _pairs(self.kin)
        return self._loaded

    def told_apart(
        self, data: Data, ends: list[int], used: int, scratch: hyperscan.Scratch
    ) -> Ends:
        """Return, for each rule whose own pattern is near, where it ends.

        Args:
            data: the buffer.
            ends: where the shared pattern ended; sorted here.
            used: how much of the buffer is filled.
            scratch: of this family's database.
        """
        ends.sort()
        cuttings = (
            self._assignments(data, ends, used) if self.kin.shapes else _pieces(data, ends, used)
        )
        hits: list[tuple[int, int]] = []

        def note(pattern: int, _start: int, end: int, _flags: int, _context: object) -> None:
            hits.append((end, pattern))

        self.database.scan(cuttings.text, note, scratch=scratch)
        met = self._met(hits, cuttings) if self.kin.shapes else self._whole(hits)
        found: Ends = {}
        for member, end in met:
            found.setdefault(member, []).append(min(end + cuttings.shift(end), used))
        return found

    def _whole(self, hits: list[tuple[int, int]]) -> Iterator[tuple[int, int]]:
        return ((member, end) for end, pattern in hits for member in self.kin.members[pattern])

    def _assignments(self, data: Data, ends: list[int], used: int) -> "_Cuttings":
        """Cut out what stands before each secret, and the secret."""
        cuttings, last = _Cuttings(), -1
        behind = max(greatest for _, greatest in self.kin.shapes) + 1
        for end in ends:
            if end != last:
                secret = end - ANY_LENGTH
                head = data[max(0, end - self.kin.before) : secret]
                cuttings.put(head + SECRET, secret - len(head) - 1)
                cuttings.put(data[secret : min(used, end + behind)] + _BETWEEN, secret)
                last = end
        return cuttings

    def _met(self, hits: list[tuple[int, int]], cuttings: "_Cuttings") -> Iterator[tuple[int, int]]:
        """Yield the rules of whose names one stands before a secret of a shape of theirs."""
        first = len(self.kin.members) - len(self.kin.shapes)
        names: dict[int, set[int]] = {}
        for end, pattern in hits:
            if pattern < first:
                names.setdefault(cuttings.number(end), set()).add(pattern)
        for end, pattern in hits:
            if pattern < first:
                continue
            number = cuttings.number(end)
            least, greatest = self.kin.shapes[pattern - first]
            if least <= end - cuttings.starts[number] - ANY_LENGTH <= greatest:
                for name in names.get(number - 1, ()):
                    yield from ((member, end) for member in self._pairs.get((name, pattern), ()))


def _pairs(kin: Kin) -> dict[tuple[int, int], list[int]]:
    """Return the rules of each pair of a name and a shape."""
    first = len(kin.members) - len(kin.shapes)
    names = {member: at for at, members in enumerate(kin.members[:first]) for member in members}
    pairs: dict[tuple[int, int], list[int]] = {}
    for shape, members in enumerate(kin.members[first:], first):
        for member in members:
            pairs.setdefault((names.get(member, -1), shape), []).append(member)
    return pairs


class _Cuttings:
    """Parts of a buffer, laid end to end."""

    def __init__(self) -> None:
        self._parts: list[Data] = []
        self._shifts: list[int] = []
        self._size = 0
        self.starts: list[int] = []

    @property
    def text(self) -> bytes:
        """The parts in one text."""
        return b"".join(self._parts)

    def put(self, part: Data, origin: int) -> None:
        """Add a part that was cut out at `origin`."""
        self.starts.append(self._size)
        self._shifts.append(origin - self._size)
        self._parts.append(part)
        self._size += len(part)

    def number(self, end: int) -> int:
        """Return in which part a hit ends."""
        return bisect_right(self.starts, end - 1) - 1

    def shift(self, end: int) -> int:
        """Return what makes an end in the text one in the buffer."""
        return self._shifts[self.number(end)]


def _pieces(data: Data, ends: list[int], used: int) -> _Cuttings:
    """Cut out what stands around hits; hits close to one another share a piece."""
    cuttings, begun = _Cuttings(), 0
    for at, end in enumerate(ends):
        if at + 1 == len(ends) or ends[at + 1] - end > 2 * _AROUND:
            low = max(0, ends[begun] - _AROUND)
            cuttings.put(data[low : min(used, end + _AROUND)] + _BETWEEN, low)
            begun = at + 1
    return cuttings
