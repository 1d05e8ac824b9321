"""A rule's pattern, loosened until hyperscan can look for it in a stream.

Hyperscan says that a pattern may end here; Python's `re` then decides on a few hundred bytes
around it. So the pattern given to hyperscan may match more than the rule, never less. What is
loosened: optional ends, which would make it report every byte of a long match; look-around and
back references, which it does not have; large repetitions, which make its automata large, and
those in one another, which make them larger than it can bear (see `scanner.expansion`).
"""

import re
from collections.abc import Iterable
from typing import Any

from scanner.expansion import BIG, small
from scanner.parsetree import UNBOUNDED, Node, parsed, spells, widest, width
from scanner.telling import apart, broken

__all__ = [
    "UNBOUNDED",
    "loosened",
    "member",
    "needles",
    "reach",
    "trimmed",
    "width",
    "without_end",
    "written",
]

_CATEGORIES = {
    "CATEGORY_DIGIT": r"\d",
    "CATEGORY_NOT_DIGIT": r"\D",
    "CATEGORY_SPACE": r"\s",
    "CATEGORY_NOT_SPACE": r"\S",
    "CATEGORY_WORD": r"\w",
    "CATEGORY_NOT_WORD": r"\W",
}
_ANCHORS = {
    "AT_BEGINNING": "^",
    "AT_BEGINNING_STRING": "^",
    "AT_END": "$",
    "AT_END_STRING": "$",
    "AT_BOUNDARY": r"\b",
    "AT_NON_BOUNDARY": r"\B",
}


def loosened(pattern: str) -> str:
    """Return a pattern for hyperscan that ends within every match of `pattern`.

    Args:
        pattern: Python `re` syntax; it is matched against UTF-8 bytes.

    Raises:
        re.error: when it is not valid.
    """
    tree = parsed(pattern)
    return _spelled(trimmed(small(list(tree))), tree)


def needles(pattern: str) -> list[str]:
    """Return patterns for hyperscan of which one ends within every match of `pattern`.

    There are several where that is much faster; see `scanner.telling`. What begins a line and
    spells nothing is looked for behind the end of a line, and where the buffer begins.
    """
    tree = parsed(pattern)
    nodes = small(list(tree))
    if len(nodes) > 1 and _begins_line(nodes[0]) and not spells(pattern):
        return [_spelled(without_end(nodes[1:]), tree, at) for at in (r"\A", r"\n")]
    return [_spelled(one, tree) for one in apart(trimmed(nodes))]


def _begins_line(node: Node) -> bool:
    return str(node[0]) == "AT" and str(node[1]) == "AT_BEGINNING"


def _spelled(nodes: list[Node], tree: Any, before: str = "") -> str:  # noqa: ANN401  (of re's own)
    body = before + written(broken(nodes), tree)
    return f"(?i){body}" if tree.state.flags & re.IGNORECASE else body


def written(nodes: Iterable[Node], tree: Any) -> str:  # noqa: ANN401
    """Write nodes of a tree for hyperscan."""
    dotall = bool(tree.state.flags & re.DOTALL)
    return "".join(_written(node, dotall=dotall) for node in nodes)


def reach(pattern: str) -> int:
    """Return how far before the end that hyperscan reports a match begins, at most."""
    nodes = list(parsed(pattern))
    return min(sum(widest(node) for node in without_end(nodes)), UNBOUNDED)


def trimmed(nodes: list[Node]) -> list[Node]:
    """Cut what is optional off both ends, and off the beginning what only slows hyperscan down."""
    while len(nodes) > 1 and (_optional(nodes[0]) or _lookaround(nodes[0]) or _bound(nodes[0])):
        nodes = nodes[1:]
    return without_end(_late(nodes))


def _bound(node: Node) -> bool:
    """Say whether a node matches an edge, or one character that is not looked at further."""
    operation, argument = str(node[0]), node[1]
    if operation == "AT":
        return True
    if operation == "SUBPATTERN" and argument[0] is None:
        return len(argument[3]) == 1 and _bound(argument[3][0])
    if operation == "BRANCH":
        return all(len(branch) == 1 and _edge(branch[0]) for branch in argument[1])
    return operation == "IN" and str(argument[0][0]) == "NEGATE"


def _edge(node: Node) -> bool:
    return _bound(node) or str(node[0]) == "IN"


_LATE = 2  # characters of a run that are looked for before what follows it


def _late(nodes: list[Node]) -> list[Node]:
    """Let a match begin late in a run of characters of one class, before what tells it apart."""
    if len(nodes) < 2:  # noqa: PLR2004  (what follows is needed)
        only = nodes[0] if nodes else None
        if only is not None and str(only[0]) == "SUBPATTERN":
            group, added, removed, inner = only[1]
            return [(only[0], (group, added, removed, _late(_unbound(list(inner)))))]
        return nodes
    operation, argument = nodes[0]
    if str(operation) == "SUBPATTERN":
        group, added, removed, inner = argument
        within = (
            _late([*_unbound(list(inner)), *nodes[1:]]) if len(inner) == 1 else _late(list(inner))
        )
        if len(inner) == 1:
            return within if not (added or removed) else nodes
        return [(operation, (group, added, removed, within)), *nodes[1:]]
    if "REPEAT" in str(operation) and argument[0] > _LATE and _class_alone(list(argument[2])):
        return [(operation, (_LATE, _LATE, argument[2])), *nodes[1:]]
    return nodes


def _unbound(nodes: list[Node]) -> list[Node]:
    while len(nodes) > 1 and (_lookaround(nodes[0]) or _bound(nodes[0])):
        nodes = nodes[1:]
    return nodes


def _class_alone(nodes: list[Node]) -> bool:
    return len(nodes) == 1 and str(nodes[0][0]) in ("IN", "NOT_LITERAL", "ANY", "LITERAL")


def without_end(nodes: list[Node]) -> list[Node]:
    """Cut what is optional off the end, and let the last node match as little as it may."""
    while nodes and (_optional(nodes[-1]) or _lookaround(nodes[-1])):
        nodes = nodes[:-1]
    if nodes:
        nodes = [*nodes[:-1], _shortest_end(nodes[-1])]
    return nodes


def _optional(node: Node) -> bool:
    return "REPEAT" in str(node[0]) and node[1][0] == 0


def _lookaround(node: Node) -> bool:
    return str(node[0]) in ("ASSERT", "ASSERT_NOT")


def _shortest_end(node: Node) -> Node:
    """Let the last element match as little as it may."""
    operation, argument = node
    if "REPEAT" in str(operation):
        return operation, (argument[0], argument[0], argument[2])
    if str(operation) == "SUBPATTERN":
        group, added, removed, inner = argument
        return operation, (group, added, removed, without_end(list(inner)))
    return node


def _written(node: Node, *, dotall: bool) -> str:  # noqa: PLR0911  (one return a kind of node)
    operation, argument = str(node[0]), node[1]

    def sequence(nodes: Iterable[Node]) -> str:
        return "".join(_written(inner, dotall=dotall) for inner in nodes)

    if operation == "LITERAL":
        return _character(argument)
    if operation in ("NOT_LITERAL", "ANY", "IN"):
        return _class(operation, argument, dotall=dotall)
    if "REPEAT" in operation:
        return f"(?:{sequence(argument[2])}){_times(argument[0], argument[1])}"
    if operation == "BRANCH":
        return f"(?:{'|'.join(sequence(branch) for branch in argument[1])})"
    if operation == "SUBPATTERN":
        return _group(argument, sequence(argument[3]))
    if operation == "ATOMIC_GROUP":
        return f"(?:{sequence(argument)})"
    if operation == "AT":
        return _ANCHORS[str(argument)]
    if operation in ("ASSERT", "ASSERT_NOT"):
        return ""
    return r"[\x00-\xff]*"  # a back reference or a conditional group


def _group(argument: Any, inner: str) -> str:  # noqa: ANN401  (a tuple of re's own parser)
    flags = ("i" if argument[1] & re.IGNORECASE else "") + (
        "-i" if argument[2] & re.IGNORECASE else ""
    )
    return f"(?{flags}:{inner})"


def _times(least: int, greatest: int) -> str:
    if greatest == UNBOUNDED or greatest > BIG:
        return {0: "*", 1: "+"}.get(least, f"{{{least},}}" if greatest != least else f"{{{least}}}")
    if least == greatest:
        return f"{{{least}}}"
    return f"{{{least},{greatest}}}"


def _character(code: int) -> str:
    if code < 0x80:  # noqa: PLR2004  (ASCII)
        return f"\\x{code:02x}"
    return "(?:" + "".join(f"\\x{byte:02x}" for byte in chr(code).encode()) + ")"


def _class(operation: str, argument: Any, *, dotall: bool) -> str:  # noqa: ANN401
    if operation == "ANY":
        return r"[\x00-\xff]" if dotall else r"[^\n]"
    if operation == "NOT_LITERAL":
        return f"[^\\x{argument:02x}]" if argument < 0x80 else r"[\x00-\xff]"  # noqa: PLR2004
    inside = "".join(member(str(kind), value) for kind, value in argument)
    return f"[{inside}]"


def member(kind: str, value: Any) -> str:  # noqa: ANN401
    """Write a member of a class of characters, for hyperscan."""
    if kind == "NEGATE":
        return "^"
    if kind == "CATEGORY":
        return _CATEGORIES[str(value)]
    if kind == "RANGE":
        return f"\\x{min(value[0], 255):02x}-\\x{min(value[1], 255):02x}"
    return f"\\x{min(value, 255):02x}"
