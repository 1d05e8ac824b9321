"""What of a pattern hyperscan looks at first, made rarer.

Hyperscan finds a pattern by a literal in it: it hashes its last eight bytes, and looks at the rest
only where these stand. Those of `ansible_password` are met wherever somebody writes `password`. And
of a choice of two letters, or two others, it makes nothing: it tries all of them at every byte.
(Apart, they cost a third less of what hyperscan does for all rules; the literals, a tenth.)
"""

from collections.abc import Sequence
from typing import Any

from scanner.parsetree import Node

_HASHED = 8  # bytes of a literal
_SHORT = 3  # a literal of fewer stands everywhere
_CHOICES = 32  # patterns that one may be written as
_ASCII = 0x80


def broken(nodes: Sequence[Node]) -> list[Node]:
    """Let each long literal end, for hyperscan, behind its first bytes, which tell it from others.

    Of the character behind these it is not asked which of two it is. So more is met, never less.
    """
    made: list[Node] = []
    at = 0
    while at < len(nodes):
        stop = at
        while stop < len(nodes) and _is_literal(nodes[stop]):
            stop += 1
        if stop == at:
            made.append(_within(nodes[at]))
            stop += 1
        else:
            made += _ended(list(nodes[at:stop]))
        at = stop
    return made


def _is_literal(node: Node) -> bool:
    return str(node[0]) == "LITERAL" and node[1] < _ASCII


def _ended(literal: list[Node]) -> list[Node]:
    if len(literal) > _HASHED:
        code = literal[_HASHED][1]
        literal[_HASHED] = ("IN", [("LITERAL", code), ("LITERAL", code ^ 1)])
    return literal


def _within(node: Node) -> Node:
    operation, argument = str(node[0]), node[1]
    if "REPEAT" in operation:
        return node[0], (argument[0], argument[1], broken(list(argument[2])))
    if operation == "BRANCH":
        return node[0], (argument[0], [broken(list(branch)) for branch in argument[1]])
    if operation == "SUBPATTERN":
        return node[0], (*argument[:3], broken(list(argument[3])))
    return node


def apart(nodes: Sequence[Node]) -> list[list[Node]]:
    """Return patterns of one short literal each for one that begins with a choice of them."""
    if not nodes:
        return [[]]
    operation, argument = str(nodes[0][0]), nodes[0][1]
    rest = list(nodes[1:])
    if operation == "BRANCH" and all(map(_is_short, argument[1])):
        made = [[*branch, *rest] for branch in argument[1]]
        return made if len(made) <= _CHOICES else [list(nodes)]
    if operation == "SUBPATTERN":
        inner = apart(list(argument[3]))
        return [[(nodes[0][0], (*argument[:3], one)), *rest] for one in inner]
    return [list(nodes)]


def _is_short(branch: Any) -> bool:  # noqa: ANN401  (of re's own tree)
    return 0 < len(branch) < _SHORT and all(map(_is_literal, branch))
