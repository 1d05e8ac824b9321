"""What a search did beside finding things: counts for the receipt."""

from collections import Counter

import msgspec


class Tally(msgspec.Struct):
    """What a search did beside finding things.

    Attributes:
        ignored: inline marks that hid a match.
        left_out: why something was not read → (how often, first name).
        opened: containers by kind.
        unfolded: bytes that were decompressed.
        doubtful: names of texts that hold something hidden, or were not read whole.
    """

    ignored: int = 0
    left_out: dict[str, tuple[int, str]] = msgspec.field(default_factory=dict)
    opened: Counter[str] = msgspec.field(default_factory=Counter)
    unfolded: int = 0
    doubtful: set[str] = msgspec.field(default_factory=set)

    def leave_out(self, reason: str, name: str) -> None:
        """Count something that was not read."""
        self.doubtful.add(name)
        count, first = self.left_out.get(reason, (0, name))
        self.left_out[reason] = (count + 1, first)

    def add(self, other: "Tally") -> None:
        """Take over the counts of another thread."""
        self.ignored += other.ignored
        self.opened.update(other.opened)
        self.unfolded += other.unfolded
        self.doubtful |= other.doubtful
        for reason, (count, first) in other.left_out.items():
            before, name = self.left_out.get(reason, (0, first))
            self.left_out[reason] = (before + count, name)
