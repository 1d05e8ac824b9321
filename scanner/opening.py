"""Where a pattern may begin: the bytes that its matches open with.

Python's `re` is fast at looking for a literal and slow at trying a choice of words at every byte.
Many rules begin with such a choice. What their matches can open with, byte by byte, makes a
pattern of classes alone, which `re` tries several times faster; the rule is tried where that one
matches.
"""

import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")
_LENGTH = 4  # bytes that are looked at
_TELLING = 160  # as many bytes at the first place tell nothing
_ANY = frozenset(range(256))
_SHARED = frozenset(b"0123456789")
_WORD = _SHARED | frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")
_BLANK = frozenset(b" \t\n\r\f\v")
_CATEGORIES = {
    "CATEGORY_DIGIT": _SHARED,
    "CATEGORY_NOT_DIGIT": _ANY - _SHARED,
    "CATEGORY_SPACE": _BLANK,
    "CATEGORY_NOT_SPACE": _ANY - _BLANK,
    "CATEGORY_WORD": _WORD,
    "CATEGORY_NOT_WORD": _ANY - _WORD,
}
Bytes = frozenset[int]
Places = list[set[int]]
"""For each place from the beginning of a match, what may stand there."""


class _UnknownError(Exception):
    """A pattern has a part of which nothing can be said."""


def opening(pattern: bytes) -> re.Pattern[bytes] | None:
    """Return what matches wherever `pattern` does, and is looked for faster.

    Args:
        pattern: in the syntax of `re`.

    Returns:
        None where a pattern begins with a literal already, or with nothing telling.
    """
    tree = _parser.parse(pattern)
    places: Places = [set() for _ in range(_LENGTH)]
    try:
        ends = _through(list(tree), {0}, places, tree.state.flags)
    except _UnknownError:
        return None
    places = places[: min(ends, default=_LENGTH)]  # nothing need follow a short match
    if not places or len(places[0]) == 1 or len(places[0]) > _TELLING:
        return None
    return re.compile(b"".join(map(_class, places)), re.DOTALL)


def _class(members: set[int]) -> bytes:
    return b"[" + b"".join(b"\\x%02x" % member for member in sorted(members)) + b"]"


def _through(nodes: Iterable[Any], begins: set[int], places: Places, flags: int) -> set[int]:
    """Note what nodes match from each of some places on; returns where they may end."""
    for node in nodes:
        if not begins:
            return begins
        begins = _after(node, begins, places, flags)
    return begins


def _after(node: Any, begins: set[int], places: Places, flags: int) -> set[int]:  # noqa: ANN401
    operation, argument = str(node[0]), node[1]
    if operation in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        found = _bytes(operation, argument, flags)
        for begin in begins:
            places[begin] |= found
        return {begin + 1 for begin in begins if begin + 1 < _LENGTH}
    if "REPEAT" in operation:
        return _repeated(argument, begins, places, flags)
    if operation == "BRANCH":
        return set().union(*(_through(branch, begins, places, flags) for branch in argument[1]))
    if operation == "SUBPATTERN":
        return _through(argument[3], begins, places, (flags | argument[1]) & ~argument[2])
    if operation == "ATOMIC_GROUP":
        return _through(argument, begins, places, flags)
    if operation in ("AT", "ASSERT", "ASSERT_NOT"):
        return begins
    raise _UnknownError


def _repeated(argument: Any, begins: set[int], places: Places, flags: int) -> set[int]:  # noqa: ANN401
    least, most, inner = argument
    ends: set[int] = set() if least else set(begins)
    for times in range(1, min(most, least + _LENGTH) + 1):
        before, begins = begins, _through(inner, begins, places, flags)
        if times >= least:
            ends |= begins
        if not begins or (begins == before and times >= least):
            break
    return ends


def _bytes(operation: str, argument: Any, flags: int) -> Bytes:  # noqa: ANN401
    if operation == "ANY":
        return _ANY if flags & re.DOTALL else _ANY - {10}
    if operation == "IN":
        return _members(argument, flags)
    found = _cased((argument,), flags)
    return _ANY - found if operation == "NOT_LITERAL" else found


def _members(argument: Sequence[Any], flags: int) -> Bytes:
    found: Bytes = frozenset()
    negated = False
    for kind, value in argument:
        match str(kind):
            case "NEGATE":
                negated = True
            case "LITERAL":
                found |= _cased((value,), flags)
            case "RANGE":
                found |= _cased(range(value[0], value[1] + 1), flags)
            case "CATEGORY":
                found |= _CATEGORIES[str(value)]
            case _:
                raise _UnknownError
    return _ANY - found if negated else found


def _cased(codes: Iterable[int], flags: int) -> Bytes:
    """Return codes, and those of the other case where that makes no difference."""
    found = frozenset(codes)
    if flags & re.IGNORECASE:
        found |= frozenset(bytes(found).swapcase())
    return found
