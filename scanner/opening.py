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
_MOST = 100  # ways through a pattern that are told apart
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
Path = tuple[Bytes, ...]
"""What may stand at the first bytes of a match, one way through the pattern."""


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
    try:
        paths = _through(list(tree), [()], tree.state.flags)
    except _UnknownError:
        return None
    length = min(map(len, paths))  # nothing need follow a short match
    places = [frozenset[int]().union(*(path[at] for path in paths)) for at in range(length)]
    if not places or len(places[0]) == 1 or len(places[0]) > _TELLING:
        return None
    ways = dict.fromkeys(b"(?<=" + _classes(path[:length]) + b")" for path in paths)
    exact = b"(?:" + b"|".join(ways) + b")" if len(ways) > 1 else b""
    return re.compile(_classes(places) + exact)


def _classes(places: Iterable[Bytes]) -> bytes:
    return b"".join(
        b"[" + b"".join(b"\\x%02x" % member for member in sorted(members)) + b"]"
        for members in places
    )


def _through(nodes: Iterable[Any], paths: list[Path], flags: int) -> list[Path]:
    """Lengthen paths by what nodes match."""
    for node in nodes:
        if all(len(path) == _LENGTH for path in paths):
            break
        paths = list(dict.fromkeys(_after(node, paths, flags)))
        if len(paths) > _MOST:
            raise _UnknownError
    return paths


def _after(node: Any, paths: list[Path], flags: int) -> list[Path]:  # noqa: ANN401
    operation, argument = str(node[0]), node[1]
    if operation in ("LITERAL", "NOT_LITERAL", "ANY", "IN"):
        found = (_bytes(operation, argument, flags),)
        return [path + found if len(path) < _LENGTH else path for path in paths]
    if "REPEAT" in operation:
        return _repeated(argument, paths, flags)
    if operation == "BRANCH":
        return [path for branch in argument[1] for path in _through(branch, paths, flags)]
    if operation == "SUBPATTERN":
        return _through(argument[3], paths, (flags | argument[1]) & ~argument[2])
    if operation == "ATOMIC_GROUP":
        return _through(argument, paths, flags)
    if operation in ("AT", "ASSERT", "ASSERT_NOT"):
        return paths
    raise _UnknownError


def _repeated(argument: Any, paths: list[Path], flags: int) -> list[Path]:  # noqa: ANN401
    least, most, inner = argument
    ends = [] if least else list(paths)
    for times in range(1, min(most, least + _LENGTH) + 1):
        paths = _through(inner, paths, flags)
        if times >= least:
            ends += paths
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
