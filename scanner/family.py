"""Rules that share one pattern of hyperscan, told apart by the keywords near a hit."""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from scanner.confirm import Data
from scanner.rules import Rule

_BEFORE, _AFTER = 512, 256


@dataclass(frozen=True, slots=True)
class Family:
    """The members that have keywords, and those that are always tried.

    Attributes:
        word: matches at every position where a keyword begins.
        rules: keyword → numbers of the rules that have it, or a part of it.
    """

    word: re.Pattern[bytes]
    rules: dict[bytes, tuple[int, ...]]
    always: tuple[int, ...]

    @classmethod
    def of(cls, numbers: Sequence[int], rules: Sequence[Rule]) -> "Family":
        """Build the family of some rules; numbers beyond the rules are always tried."""
        named = [number for number in numbers if number < len(rules) and rules[number].keywords]
        words = sorted(
            {word.encode() for number in named for word in rules[number].keywords},
            key=len,
            reverse=True,
        )
        having = {
            word: tuple(
                number
                for number in named
                if any(keyword.encode() in word for keyword in rules[number].keywords)
            )
            for word in words
        }
        always = tuple(number for number in numbers if number not in named)
        either = b"|".join(map(re.escape, words)) if words else b"(?!)"
        return cls(re.compile(b"(?=(" + either + b"))"), having, always)

    def near(self, data: Data, end: int, used: int) -> set[int]:
        """Return the rules to try at a hit that ends at `end`."""
        piece = bytes(data[max(0, end - _BEFORE) : min(used, end + _AFTER)]).lower()
        found = set(self.always)
        for match in self.word.finditer(piece):
            found.update(self.rules[match[1]])
        return found
