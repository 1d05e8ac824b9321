"""Rules that say "a name, a gap, `token = `, characters": what they share, what tells them apart.

Many rules differ in the name alone. Without it, with their words joined and with any 16 characters
for the secret, they share one pattern for hyperscan. Which of them it was is told by the name and
by the shape of the secret, each of which is written once for all rules that have it.
"""

import re
from collections.abc import Sequence
from typing import Any

import msgspec

from scanner.family import ANY_LENGTH
from scanner.parsetree import UNBOUNDED, Node, narrowest, parsed, widest
from scanner.prefilter import trimmed, without_end, written

SPAN = 256
"""How far the name may begin before these characters end, and the secret end behind them."""


class Assignment(msgspec.Struct, frozen=True):
    """A pattern taken apart; the parts are patterns for hyperscan.

    Attributes:
        name: what stands before the gap.
        words: what stands behind it.
        rest: what follows the words: a sign, and `ANY_LENGTH` characters of the secret.
        shape: the secret itself and what must follow it.
        before: bytes from the beginning of a match to the end of `rest`, at most.
        behind: bytes from the end of `rest` to the end of `shape`, at least and at most.
    """

    name: str
    words: tuple[str, ...]
    rest: str
    shape: str
    before: int
    behind: tuple[int, int]


def assignment(pattern: str) -> Assignment | None:
    """Take a rule's pattern apart; None for one that is of another form."""
    tree = parsed(pattern)
    nodes = list(tree)
    if tree.state.flags & re.IGNORECASE:
        return None
    for at in range(len(nodes) - 2, 0, -1):
        operation, argument = nodes[at]
        wide = "REPEAT" in str(operation) and argument[0] == 0 and _GAP <= argument[1] < UNBOUNDED
        if wide and (found := _apart(nodes, at, tree)):
            return found
    return None


def _apart(nodes: list[Node], gap: int, tree: Any) -> Assignment | None:  # noqa: ANN401
    """Take apart what has its gap at that node."""
    words, behind = _choices(nodes[gap + 1]), nodes[gap + 2 :]
    at = _secret(behind)
    if not words or at is None:
        return None
    name, shape = trimmed(nodes[:gap]), without_end(behind[at:])
    least, greatest = sum(map(narrowest, shape)), sum(map(widest, shape))
    before = sum(map(widest, nodes[: gap + 2 + at])) + ANY_LENGTH
    if before > SPAN or greatest - ANY_LENGTH > SPAN or sum(map(narrowest, name)) < _NAME:
        return None
    return Assignment(
        written(name, tree),
        tuple(written(word, tree) for word in words),
        written([*behind[:at], *_ANY], tree),
        written(shape, tree),
        before,
        (least - ANY_LENGTH, greatest - ANY_LENGTH),
    )


_GAP = 24  # a gap may be at least so long
_NAME = 2  # a name has at least so many characters


def _choices(node: Node) -> list[list[Node]]:
    """Return the words that a node is a choice of, each of three letters or more; else none."""
    operation, argument = str(node[0]), node[1]
    if operation == "SUBPATTERN":
        inner = list(argument[3])
        return _choices(inner[0]) if len(inner) == 1 else [inner] if _word(inner) else []
    if operation == "BRANCH":
        found = [list(branch) for branch in argument[1]]
        return found if all(_word(branch) for branch in found) else []
    return []


def _secret(nodes: Sequence[Node]) -> int | None:
    """Return which of the nodes is a secret of 16 characters or more, if one is."""
    for at, node in enumerate(nodes):
        if str(node[0]) == "SUBPATTERN" and narrowest(node) >= ANY_LENGTH and _token_like(node):
            return at
    return None


_TOKEN = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/_=.~-")
_ANY: list[Node] = list(parsed(f"[0-9A-Za-z+/_=.~-]{{{ANY_LENGTH}}}"))


def _token_like(node: Node) -> bool:
    """Say whether all that a node matches is made of characters of tokens."""
    operation, argument = str(node[0]), node[1]
    if operation == "LITERAL":
        return argument in _TOKEN
    if operation == "IN":
        return all(_within_token(str(kind), value) for kind, value in argument)
    if "REPEAT" in operation:
        return all(_token_like(inner) for inner in argument[2])
    if operation == "SUBPATTERN":
        return all(_token_like(inner) for inner in argument[3])
    return False


def _within_token(kind: str, value: Any) -> bool:  # noqa: ANN401
    if kind == "LITERAL":
        return value in _TOKEN
    return kind == "RANGE" and all(code in _TOKEN for code in range(value[0], value[1] + 1))


def _word(nodes: Sequence[Node]) -> bool:
    return len(nodes) > 2 and all(str(node[0]) == "LITERAL" for node in nodes[:3])  # noqa: PLR2004
