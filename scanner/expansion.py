"""How large an automaton a pattern becomes, and how it is kept small.

Hyperscan writes a repetition out as often as it may come. Where one stands in another the numbers
multiply: three of a hundred make a million states, and minutes of compiling, before it gives up.
Of such a pattern the repetitions lose their bounds, from the widest on: more is met then, which
`re` has to refuse, and never less.
"""

from collections.abc import Iterable, Sequence
from typing import Any

from scanner.parsetree import UNBOUNDED, Node

MOST = 2048
"""States that a pattern may have; ours have some hundred. So many take a second to compile."""
BIG = 300
"""A repetition that may come more often is left open, and is written out as often as it must."""
_COUNTS = (64, 8, 1)
"""Above these, one after the other, repetitions lose their bounds until a pattern is small."""


def states(nodes: Iterable[Node]) -> int:
    """Return how many characters a pattern has, each as often as it may be written out."""
    return sum(map(_states, nodes))


def _states(node: Node) -> int:
    operation, argument = str(node[0]), node[1]
    if "REPEAT" in operation:
        least, greatest, inner = argument
        return max(1, int(least if greatest > BIG else greatest)) * states(inner)
    if operation in ("ASSERT", "ASSERT_NOT", "AT"):
        return 0
    return sum(map(states, _inside(node))) or 1


def small(nodes: Sequence[Node], most: int = MOST) -> list[Node]:
    """Return nodes that match all that these match, and have few states.

    Args:
        nodes: of a parse tree.
        most: states that they may have; a pattern that is long itself may keep more.
    """
    made = list(nodes)
    for simple in (False, True):
        for count in _COUNTS:
            if states(made) <= most:
                return made
            made = [_opened(node, count, simple=simple) for node in nodes]
    return made


def _opened(node: Node, count: int, *, simple: bool) -> Node:
    """Take the bounds from what repeats more often; from single characters too if `simple`."""
    operation, argument = node

    def opened(inner: Iterable[Node]) -> list[Node]:
        return [_opened(one, count, simple=simple) for one in inner]

    if "REPEAT" in str(operation):
        least, greatest, inner = argument
        if greatest > count and (simple or not _single(inner)):
            least, greatest = min(least, 1), UNBOUNDED
        return operation, (least, greatest, opened(inner))
    if str(operation) == "SUBPATTERN":
        return operation, (*argument[:3], opened(argument[3]))
    if str(operation) == "ATOMIC_GROUP":
        return operation, opened(argument)
    if str(operation) == "BRANCH":
        return operation, (argument[0], [opened(branch) for branch in argument[1]])
    return node


def _single(nodes: Sequence[Node]) -> bool:
    """Say whether nodes are one character, for which hyperscan can count."""
    return len(nodes) == 1 and not _inside(nodes[0]) and "REPEAT" not in str(nodes[0][0])


def _inside(node: Node) -> Sequence[Any]:
    """Return the sequences of nodes in a group or a choice."""
    operation, argument = str(node[0]), node[1]
    if operation == "SUBPATTERN":
        return (argument[3],)
    if operation == "ATOMIC_GROUP":
        return (argument,)
    return tuple(argument[1]) if operation == "BRANCH" else ()
