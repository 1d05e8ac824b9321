"""Whether a pattern stays within one line: then each line is read by itself, and remembered."""

from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")
_NEWLINE = 10
_SPACES = frozenset({"CATEGORY_SPACE", "CATEGORY_NOT_WORD", "CATEGORY_NOT_DIGIT"})

Node = tuple[Any, Any]


def stays_within_line(pattern: str) -> bool:
    r"""Say whether a match cannot hold a line feed, but for a context that follows it.

    >>> stays_within_line(r"key=(?P<secret>[a-z]{8})(?:\s|$)")
    True
    >>> stays_within_line(r"key\s*=\s*[a-z]{8}")
    False

    What is only looked at counts as well: beyond the line it would have to hold a line feed.

    >>> stays_within_line(r"(?<![\w.])key=(?P<secret>[a-z]{8})(?!=)")
    True
    >>> stays_within_line(r"(?<=\s)key=(?P<secret>[a-z]{8})[a-z]")
    False
    """
    nodes = list(_parser.parse(pattern))
    return not any(_takes_newline(node) for node in nodes[:-1] or nodes)


def _takes_newline(node: Node) -> bool:  # noqa: PLR0911  (one an operation)
    operation, argument = str(node[0]), node[1]
    match operation:
        case "LITERAL":
            return bool(argument == _NEWLINE)
        case "NOT_LITERAL":
            return bool(argument != _NEWLINE)
        case "ANY" | "AT":
            return False
        case "IN":
            return _holds_newline(argument)
        case "MAX_REPEAT" | "MIN_REPEAT" | "POSSESSIVE_REPEAT":
            return any(map(_takes_newline, argument[2]))
        case "SUBPATTERN":
            return any(map(_takes_newline, argument[-1]))
        case "ASSERT" | "ASSERT_NOT":
            return any(map(_takes_newline, argument[1]))
        case "BRANCH":
            return any(_takes_newline(inner) for branch in argument[1] for inner in branch)
    return True


def _holds_newline(members: list[Node]) -> bool:
    negated = str(members[0][0]) == "NEGATE"
    return any(map(_is_newline, members)) != negated


def _is_newline(member: Node) -> bool:
    kind, value = str(member[0]), member[1]
    if kind == "LITERAL":
        return bool(value == _NEWLINE)
    if kind == "RANGE":
        return bool(value[0] <= _NEWLINE <= value[1])
    return kind == "CATEGORY" and str(value) in _SPACES
