"""A rule's pattern, loosened until hyperscan can look for it in a stream.

Hyperscan says that a pattern may end here; Python's `re` then decides on a few hundred bytes
around it. So the pattern given to hyperscan may match more than the rule, never less. What is
loosened: optional ends, which would make it report every byte of a long match; look-around and
back references, which it does not have; large repetitions, which make its automata large.
"""

import re
from collections.abc import Iterable, Sequence
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")
_BIG = 300  # repetitions above this are left open: cheaper for hyperscan, and looser
UNBOUNDED = int(_parser.MAXREPEAT)
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
Node = tuple[Any, Any]


def loosened(pattern: str) -> str:
    """Return a pattern for hyperscan that ends within every match of `pattern`.

    Args:
        pattern: Python `re` syntax; it is matched against UTF-8 bytes.

    Raises:
        re.error: when it is not valid.
    """
    tree = _parser.parse(pattern)
    body = _all_written(_trimmed(list(tree)), tree)
    return f"(?i){body}" if tree.state.flags & re.IGNORECASE else body


def assignment(pattern: str) -> tuple[tuple[str, ...], str] | None:
    """Return the words and the rest of a rule that says "a name, a gap, `token = `, characters".

    Many rules differ in the name alone. Without it, with their words joined and with any 16
    characters for the secret, they share one pattern for hyperscan; which of them it was is told
    by their keywords.

    Returns:
        The words behind the gap and what follows them, for hyperscan; None for other rules.
    """
    tree = _parser.parse(pattern)
    nodes = list(tree)
    for at in range(len(nodes) - 1, 0, -1):
        operation, argument = nodes[at]
        wide = "REPEAT" in str(operation) and argument[0] == 0 and _GAP <= argument[1] < UNBOUNDED
        if not wide or at + 1 >= len(nodes):
            continue
        words, rest = _choices(nodes[at + 1]), _with_any_secret(nodes[at + 2 :])
        if words and rest:
            return tuple(_all_written(word, tree) for word in words), _all_written(rest, tree)
    return None


def _all_written(nodes: Iterable[Node], tree: Any) -> str:  # noqa: ANN401
    dotall = bool(tree.state.flags & re.DOTALL)
    return "".join(_written(node, dotall=dotall) for node in nodes)


def reach(pattern: str) -> int:
    """Return how far before the end that hyperscan reports a match begins, at most."""
    nodes = list(_parser.parse(pattern))
    return min(sum(widest(node) for node in _without_end(nodes)), UNBOUNDED)


def widest(node: Node) -> int:  # noqa: PLR0911  (one an operation)
    """Return the greatest number of bytes a node matches."""
    operation, argument = str(node[0]), node[1]
    if "REPEAT" in operation:
        return min(int(argument[1]) * sum(map(widest, argument[2])), UNBOUNDED)
    if operation == "SUBPATTERN":
        return sum(map(widest, argument[3]))
    if operation == "ATOMIC_GROUP":
        return sum(map(widest, argument))
    if operation == "BRANCH":
        return max(sum(map(widest, branch)) for branch in argument[1])
    if operation == "LITERAL":
        return len(chr(argument).encode())
    if operation in ("NOT_LITERAL", "ANY", "IN"):
        return 1
    return 0 if operation in ("AT", "ASSERT", "ASSERT_NOT") else UNBOUNDED


def spells(pattern: str) -> bool:
    """Say whether every match holds a literal of some length, by which it is found fast."""
    return _spelled(list(_parser.parse(pattern))) >= _RUN


_RUN = 3  # a shorter literal stands everywhere
_FEW = 4  # a choice of so few characters is as good as one


def _spelled(nodes: Sequence[Node]) -> int:
    """Return how long a literal every match of the sequence holds at least."""
    longest = run = 0
    for operation, argument in nodes:
        name = str(operation)
        few = (
            name == "IN" and len(argument) <= _FEW and all(str(k) == "LITERAL" for k, _ in argument)
        )
        run = run + 1 if name == "LITERAL" or few else 0
        inner = 0
        if name == "SUBPATTERN":
            inner = _spelled(list(argument[3]))
        elif name == "BRANCH":
            inner = min(_spelled(list(branch)) for branch in argument[1])
        elif "REPEAT" in name and argument[0]:
            inner = _spelled(list(argument[2]))
        longest = max(longest, run, inner)
    return longest


_GAP = 24  # a gap may be at least so long


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


def _with_any_secret(nodes: list[Node]) -> list[Node]:
    """Let the secret be any 16 characters, and forget what must follow it; none without one."""
    for at, node in enumerate(nodes):
        if str(node[0]) == "SUBPATTERN" and _least([node]) >= _ANY_LENGTH and _token_like(node):
            return [*nodes[:at], *_ANY]
    return []


_ANY_LENGTH = 16
_TOKEN = frozenset(b"0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ+/_=.~-")
_ANY: list[Node] = list(_parser.parse(f"[0-9A-Za-z+/_=.~-]{{{_ANY_LENGTH}}}"))


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


def _least(nodes: Sequence[Node]) -> int:
    return sum(narrowest(node) for node in nodes)


def narrowest(node: Node) -> int:
    """Return the least number of characters a node matches."""
    operation, argument = str(node[0]), node[1]
    if "REPEAT" in operation:
        return int(argument[0]) * _least(list(argument[2]))
    if operation == "SUBPATTERN":
        return _least(list(argument[3]))
    if operation == "BRANCH":
        return min(_least(list(branch)) for branch in argument[1])
    return int(operation in ("LITERAL", "NOT_LITERAL", "ANY", "IN"))


def width(pattern: str) -> tuple[int, int]:
    """Return the least and the greatest number of characters that `pattern` matches."""
    least, greatest = _parser.parse(pattern).getwidth()
    return int(least), int(greatest)


def literals(pattern: str, least: int = 4) -> tuple[str, ...]:
    """Return the runs of literal characters, each `least` or longer, that the pattern spells out.

    Empty for a pattern that ignores case.
    """
    tree = _parser.parse(pattern)
    if tree.state.flags & re.IGNORECASE:
        return ()
    return tuple(dict.fromkeys(run for run in _runs(list(tree)) if len(run) >= least))


def _runs(nodes: Sequence[Node]) -> Iterable[str]:
    run = ""
    for operation, argument in nodes:
        name = str(operation)
        if name == "LITERAL":
            run += chr(argument)
            continue
        if name == "SUBPATTERN" and not run:
            yield from _runs(list(argument[3]))
            continue
        yield run
        run = ""
        if name == "SUBPATTERN":
            yield from _runs(list(argument[3]))
        elif name == "BRANCH":
            for branch in argument[1]:
                yield from _runs(list(branch))
    yield run


def _trimmed(nodes: list[Node]) -> list[Node]:
    """Cut what is optional off both ends, and off the beginning what only slows hyperscan down."""
    while len(nodes) > 1 and (_optional(nodes[0]) or _lookaround(nodes[0]) or _bound(nodes[0])):
        nodes = nodes[1:]
    return _without_end(_late(nodes))


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


def _without_end(nodes: list[Node]) -> list[Node]:
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
        return operation, (group, added, removed, _without_end(list(inner)))
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
    if greatest == UNBOUNDED or greatest > _BIG:
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
