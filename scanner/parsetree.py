"""What the parse tree of a pattern says: how long its matches are, what they spell out."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

_parser: Any = import_module("re._parser")
UNBOUNDED = int(_parser.MAXREPEAT)
Node = tuple[Any, Any]


@lru_cache(maxsize=2048)
def parsed(pattern: str) -> Any:  # noqa: ANN401  (re's own, without types)
    """Return the tree of a pattern: iterable for its nodes, with its flags under `state`.

    Many ask about the same pattern while rules are compiled; nobody may change a tree.

    Raises:
        re.error: when it is not valid.
    """
    return _parser.parse(pattern)


def width(pattern: str) -> tuple[int, int]:
    """Return the least and the greatest number of characters that `pattern` matches."""
    least, greatest = parsed(pattern).getwidth()
    return int(least), int(greatest)


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


def _least(nodes: Sequence[Node]) -> int:
    return sum(narrowest(node) for node in nodes)


def narrowest(node: Node) -> int:
    """Return the least number of characters a node matches."""
    operation, argument = str(node[0]), node[1]
    if "REPEAT" in operation:
        return int(argument[0]) * _least(list(argument[2]))
    if operation == "SUBPATTERN":
        return _least(list(argument[3]))
    if operation == "ATOMIC_GROUP":
        return _least(list(argument))
    if operation == "BRANCH":
        return min(_least(list(branch)) for branch in argument[1])
    return int(operation in ("LITERAL", "NOT_LITERAL", "ANY", "IN"))


def spells(pattern: str) -> bool:
    """Say whether every match holds a literal of some length, by which it is found fast."""
    return _spelled(list(parsed(pattern))) >= _RUN


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


def literals(pattern: str, least: int = 4) -> tuple[str, ...]:
    """Return the runs of literal characters, each `least` or longer, that the pattern spells out.

    Empty for a pattern that ignores case.
    """
    tree = parsed(pattern)
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
