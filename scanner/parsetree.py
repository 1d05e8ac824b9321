"""What the parse tree of a pattern says: how long its matches are, what they spell out."""

import re
from collections.abc import Iterable, Sequence
from functools import lru_cache, reduce
from importlib import import_module
from typing import Any, NamedTuple

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
    return _run(list(parsed(pattern))).longest >= _RUN


_RUN = 3  # a shorter literal stands everywhere
_FEW = 5  # a choice of so few characters is as good as one


class _Run(NamedTuple):
    """What every match of a part of a pattern spells out at least, in characters.

    Attributes:
        longest: literal in it.
        lead, trail: literals with which it begins and ends.
        whole: it is one literal.
    """

    longest: int
    lead: int
    trail: int
    whole: bool

    def then(self, after: "_Run") -> "_Run":
        """Return this and what comes after it."""
        return _Run(
            max(self.longest, after.longest, self.trail + after.lead),
            self.lead + (after.lead if self.whole else 0),
            after.trail + (self.trail if after.whole else 0),
            self.whole and after.whole,
        )


_NOTHING, _ONE, _ANYTHING = _Run(0, 0, 0, True), _Run(1, 1, 1, True), _Run(0, 0, 0, False)


def _run(nodes: Sequence[Node]) -> _Run:
    return reduce(_Run.then, map(_run_of, nodes), _NOTHING)


def _run_of(node: Node) -> _Run:
    operation, argument = str(node[0]), node[1]
    if operation == "LITERAL":
        return _ONE
    if operation == "IN":
        few = len(argument) <= _FEW and all(str(kind) == "LITERAL" for kind, _ in argument)
        return _ONE if few else _ANYTHING
    if operation == "SUBPATTERN":
        return _run(list(argument[3]))
    if operation == "BRANCH":
        branches = [_run(list(branch)) for branch in argument[1]]
        return _Run(*(min(column) for column in zip(*branches, strict=True)))
    if "REPEAT" in operation and argument[0]:
        return _run(list(argument[2]))._replace(whole=argument[1] == 1)
    return _NOTHING if operation in ("AT", "ASSERT", "ASSERT_NOT") else _ANYTHING


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
