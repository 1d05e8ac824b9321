"""Rules of addresses with a password: they share one pattern of hyperscan.

Each of them alone makes hyperscan read on from every `://`; together they cost what one does.
"""

import re
from collections.abc import Callable, Sequence

from scanner.parsetree import Node, narrowest, parsed, widest
from scanner.prefilter import member

_SCHEME_END, _AT = [58, 47, 47], 64  # `://`, `@`
ADDRESS = r"://[^\s\x22\x27<>]{3,250}@"
"""What stands in every address with a password: shared by all rules that are of one."""
_NOT_IN_ADDRESS = frozenset(b" \t\n\r\v\f\"'<>")
_SHORTEST_ADDRESS, _LONGEST_ADDRESS = 3, 250


def is_address(pattern: str) -> bool:
    """Say whether all that a pattern matches holds what `ADDRESS` matches."""
    nodes = _flat(list(parsed(pattern)))
    literal = [argument if str(operation) == "LITERAL" else -1 for operation, argument in nodes]
    for at in range(len(nodes) - 3):
        if literal[at : at + 3] == _SCHEME_END and _AT in literal[at + 3 :]:
            between = nodes[at + 3 : literal.index(_AT, at + 3)]
            shortest = sum(map(narrowest, between))
            longest = sum(map(widest, between))
            fits = shortest >= _SHORTEST_ADDRESS and longest <= _LONGEST_ADDRESS
            if fits and all(map(_in_address, between)):
                return True
    return False


def _flat(nodes: Sequence[Node]) -> list[Node]:
    """Take the nodes out of groups that set no flags."""
    flat: list[Node] = []
    for operation, argument in nodes:
        if str(operation) == "SUBPATTERN" and not (argument[1] or argument[2]):
            flat += _flat(list(argument[3]))
        else:
            flat.append((operation, argument))
    return flat


def _in_address(node: Node) -> bool:
    """Say whether a node matches nothing that `ADDRESS` does not."""
    operation, argument = str(node[0]), node[1]
    if operation == "LITERAL":
        return argument not in _NOT_IN_ADDRESS
    if operation == "IN":
        return not any(map(_members_hold(argument), _NOT_IN_ADDRESS))
    if "REPEAT" in operation:
        return all(map(_in_address, argument[2]))
    if operation == "SUBPATTERN":
        return all(map(_in_address, argument[3]))
    if operation == "BRANCH":
        return all(_in_address(inner) for branch in argument[1] for inner in branch)
    return operation in ("ASSERT", "ASSERT_NOT")


def _members_hold(members: Sequence[Node]) -> Callable[[int], bool]:
    """Return what tells whether a class of characters holds a byte."""
    body = "".join(member(str(kind), value) for kind, value in members)
    held = re.compile(f"[{body}]".encode())
    return lambda byte: held.match(bytes([byte])) is not None
