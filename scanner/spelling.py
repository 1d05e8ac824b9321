"""What a pattern can spell: texts that it matches, drawn at random from its structure."""

from collections.abc import Iterable, Iterator
from functools import cache, lru_cache
from importlib import import_module
from random import Random
from typing import Any

_parser: Any = import_module("re._parser")
Node = tuple[Any, Any]
_DRAWN = 400
_MORE = 3  # repetitions beyond the least number that are tried
_SHOWN = [chr(code) for code in range(32, 127)]
_CATEGORIES = {
    "CATEGORY_DIGIT": "0123456789",
    "CATEGORY_SPACE": " ",
    "CATEGORY_WORD": "abcxyzABCXYZ0189_",
}


def can_spell(pattern: str, word: str) -> bool:
    """Say whether some match of `pattern` holds `word`, in any case.

    Only what a pattern spells out counts: that a class of all letters could spell a word by chance
    does not. A word is looked for in a few hundred texts, the same on every run.

    Example:
        >>> can_spell("(?:maria|my)db://", "mariadb:")
        True
        >>> can_spell("[a-z]{8}", "password")
        False
    """
    return any(word in text for text in _drawing(pattern))


class _Drawing:
    """Texts of a pattern, drawn when somebody first asks for them."""

    def __init__(self, pattern: str) -> None:
        self._random = Random(pattern)  # noqa: S311  (the same on every run)
        self._nodes = list(_parser.parse(pattern))
        self._texts: list[str] = []

    def __iter__(self) -> Iterator[str]:
        for number in range(_DRAWN):
            if number == len(self._texts):
                self._texts.append(_drawn(self._nodes, self._random).lower())
            yield self._texts[number]


_drawing = cache(_Drawing)


def _drawn(nodes: Iterable[Node], random: Random) -> str:
    return "".join(_one(str(operation), argument, random) for operation, argument in nodes)


def _one(operation: str, argument: Any, random: Random) -> str:  # noqa: ANN401, PLR0911
    if operation == "LITERAL":
        return chr(argument)
    if operation == "IN":
        return random.choice(_letters(tuple(argument)))
    if operation == "BRANCH":
        return _drawn(random.choice(argument[1]), random)
    if operation == "SUBPATTERN":
        return _drawn(argument[3], random)
    if "REPEAT" in operation:
        least, greatest, inner = argument
        count = random.randint(least, min(greatest, least + _MORE))
        return "".join(_drawn(inner, random) for _ in range(count))
    if operation in ("ANY", "NOT_LITERAL"):
        return random.choice(_SHOWN)
    return ""


@lru_cache(maxsize=4096)
def _letters(members: tuple[Node, ...]) -> list[str]:
    found: list[str] = []
    negated = False
    for operation, argument in members:
        kind = str(operation)
        negated = negated or kind == "NEGATE"
        if kind == "LITERAL":
            found.append(chr(argument))
        elif kind == "RANGE":
            found += map(chr, range(argument[0], min(argument[1], 126) + 1))
        elif kind == "CATEGORY":
            found += _CATEGORIES.get(str(argument), "")
    if negated:
        return [letter for letter in _SHOWN if letter not in found] or ["\n"]
    return found or ["\n"]
