"""How much work a pattern can be made to do: a bound read off its structure, nothing is run."""

from collections.abc import Iterable, Sequence
from functools import cache
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")
Node = tuple[Any, Any]
Letters = frozenset[int]
_EVERY: Letters = frozenset(range(256))
_WORD: Letters = frozenset(b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_")
_DIGITS: Letters = frozenset(b"0123456789")
_SPACE: Letters = frozenset(b" \t\n\r\f\v")
_CATEGORIES = {
    "CATEGORY_DIGIT": _DIGITS,
    "CATEGORY_NOT_DIGIT": _EVERY - _DIGITS,
    "CATEGORY_SPACE": _SPACE,
    "CATEGORY_NOT_SPACE": _EVERY - _SPACE,
    "CATEGORY_WORD": _WORD,
    "CATEGORY_NOT_WORD": _EVERY - _WORD,
}
UNBOUNDED = float("inf")


def ways(pattern: str, most: float = UNBOUNDED) -> float:
    """Return how many ways `re` may have to try at one place of a hostile text.

    Neighbouring repetitions multiply where one could take what the other leaves; repetitions
    whose letters differ only add.

    Args:
        pattern: in the syntax of `re`.
        most: how often a repetition without a bound may come, by the length of the text.

    Example:
        >>> ways("a{0,9}a{0,9}b")
        100.0
        >>> ways("a{0,9}-{0,9}b")
        19.0
        >>> ways("(?:a{1,3} ){9}b")
        3.0
        >>> ways("(?:a+)+b")
        inf
        >>> ways("a+b", 100)
        100.0
    """
    return _sequence(list(_parser.parse(pattern)), most)


def _sequence(nodes: Sequence[Node], unbounded: float) -> float:
    """Multiply along chains of nodes that share letters; the costliest chain is the answer."""
    most = chain = 1.0
    shared: Letters = frozenset()
    for node in _flat(nodes):
        letters, choices = _letters(node), _choices(node, unbounded)
        if not letters & shared and not _may_be_empty(node):
            chain, shared = 1.0, frozenset()
        if choices > 1:
            chain = chain * choices if letters & shared or not shared else chain + choices - 1
            shared |= letters
        most = max(most, chain)
    return most


def _flat(nodes: Iterable[Node]) -> Iterable[Node]:
    """Open groups, so that what stands in them has its neighbours."""
    for operation, argument in nodes:
        if str(operation) in ("SUBPATTERN", "ATOMIC_GROUP"):
            inner = argument[3] if str(operation) == "SUBPATTERN" else argument
            yield from _flat(inner)
        else:
            yield operation, argument


def _choices(node: Node, unbounded: float = UNBOUNDED) -> float:
    operation, argument = str(node[0]), node[1]
    if "REPEAT" in operation:
        least, greatest, inner = argument
        inside = _sequence(list(inner), unbounded)
        if greatest == _parser.MAXREPEAT:
            if unbounded == UNBOUNDED:
                return UNBOUNDED
            greatest = least + unbounded - 1
        spread: float = greatest - least + 1
        if inside == 1 or _is_delimited(list(inner)):
            return float(spread * inside)
        return _power(spread, inside, greatest)
    if operation == "BRANCH":
        return float(max(_sequence(list(branch), unbounded) for branch in argument[1]))
    return 1.0


def _power(spread: float, inside: float, greatest: float) -> float:
    try:
        return float(spread * inside**greatest)
    except OverflowError:
        return UNBOUNDED


def _is_delimited(inner: Sequence[Node]) -> bool:
    """Say whether a repeated body ends in a letter that its variable parts cannot take."""
    *before, last = list(_flat(inner))
    varied = [node for node in before if _choices(node) > 1]
    return _choices(last) == 1 and not any(_letters(node) & _letters(last) for node in varied)


def _may_be_empty(node: Node) -> bool:
    operation, argument = str(node[0]), node[1]
    if "REPEAT" in operation:
        return bool(argument[0] == 0)
    if operation == "BRANCH":
        return any(all(map(_may_be_empty, branch)) for branch in argument[1])
    return operation == "AT"


def _letters(node: Node) -> Letters:
    operation, argument = str(node[0]), node[1]
    if operation == "LITERAL":
        return frozenset((argument & 255, ord(chr(argument).swapcase()[0]) & 255))
    if operation == "NOT_LITERAL":
        return _EVERY - {argument}
    if operation == "IN":
        return _class(tuple((str(kind), value) for kind, value in argument))
    if "REPEAT" in operation:
        return _union(argument[2])
    if operation == "BRANCH":
        return frozenset().union(*(_union(branch) for branch in argument[1]))
    return frozenset() if operation == "AT" else _EVERY


def _union(nodes: Iterable[Node]) -> Letters:
    return frozenset().union(*(_letters(node) for node in _flat(nodes)))


@cache
def _class(members: tuple[tuple[str, Any], ...]) -> Letters:
    letters: set[int] = set()
    for kind, value in members:
        if kind == "LITERAL":
            letters.add(value & 255)
        elif kind == "RANGE":
            letters.update(range(value[0], min(value[1], 255) + 1))
        elif kind == "CATEGORY":
            letters |= _CATEGORIES[str(value)]
    return _EVERY - letters if members[0][0] == "NEGATE" else frozenset(letters)
