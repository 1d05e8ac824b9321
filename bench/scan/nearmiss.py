"""What each rule's pattern costs on texts that nearly match it, made of the pattern itself.

Usage: python bench/scan/nearmiss.py [--size BYTES] [--worst COUNT] [--rule ID ...]

For each rule: its longest spelled-out part over and over, its keyword before the longest run that
it may hold, and an example without its last characters over and over. Each is timed, in processor
time, in the whole engine: hyperscan with all rules, then `re` around their hits. A text of twice
the size says whether the cost is linear.
"""

import argparse
import re
import sys
import time
import warnings
from collections.abc import Iterator

from scanner.engine import Engine, engine_of
from scanner.parsetree import UNBOUNDED, literals, parsed
from scanner.prefilter import member
from scanner.rulecheck import examples
from scanner.rules import Rule, load_rules

_LETTERS = b"aA0_-.=/+ \n\"'{"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=20 << 10)
    parser.add_argument("--worst", type=int, default=10)
    parser.add_argument("--rule", action="append")
    arguments = parser.parse_args()
    rules = [rule for rule in load_rules().rules if not arguments.rule or rule.id in arguments.rule]
    engine = engine_of(load_rules())
    engine.search(b"password = 'x'")
    rows = [row for rule in rules for row in measured(engine, rule, arguments.size)]
    print(
        f"{len(rules)} rules, {len(rows)} texts of {arguments.size} and {2 * arguments.size} bytes"
    )
    print(f"{'rule':40s} {'text':10s} {'ms':>9s} {'twice':>9s}")
    for rule, kind, *cost in sorted(rows, key=lambda row: -row[3])[: arguments.worst]:
        print(f"{rule:40s} {kind:10s}", *(f"{ms:9.1f}" for ms in cost))
    sys.stdout.flush()
    steep = [row for row in rows if row[3] > _STEEP * row[2] and row[3] > _FLOOR]
    print(f"{len(steep)} texts of twice the size cost the engine more than {_STEEP} times as much")
    for rule, kind, *cost in steep:
        print(f"{rule:40s} {kind:10s}", *(f"{ms:9.1f}" for ms in cost))


_STEEP, _FLOOR = 3, 20.0  # times, milliseconds


def measured(engine: Engine, rule: Rule, size: int) -> Iterator[tuple[str, str, float, float]]:
    """Yield what each text of a rule costs, once and at twice the size."""
    for kind, text in texts(rule):
        whole = text * (2 * size // len(text) + 1)
        yield rule.id, kind, timed(engine, whole[:size]), timed(engine, whole[: 2 * size])


def timed(engine: Engine, text: bytes) -> float:
    """Return milliseconds of the processor."""
    start = time.process_time()
    engine.search(text)
    return 1000 * (time.process_time() - start)


def texts(rule: Rule) -> Iterator[tuple[str, bytes]]:
    """Yield texts that are repeated until they are long enough."""
    openings = [run.encode() for run in literals(rule.pattern, 3)]
    if openings:
        yield "opening", max(openings, key=len)
    word = (rule.keywords or ("a",))[0].encode()
    yield "run", (word + b" = " + longest(rule.pattern) * 4000)[:4000]
    for example in examples(rule)[:1]:
        yield "example", example.encode().rstrip()[:-3]


def longest(pattern: str) -> bytes:
    """Return a letter of the class that may repeat most."""
    best, chosen = 0, b"a"
    for most, letters in _runs(list(parsed(pattern))):
        if most > best:
            best, chosen = most, letters
    return chosen


def _runs(nodes: list) -> Iterator[tuple[int, bytes]]:
    for operation, argument in nodes:
        name = str(operation)
        if "REPEAT" in name:
            inner = list(argument[2])
            if len(inner) == 1 and str(inner[0][0]) in ("IN", "ANY", "NOT_LITERAL"):
                yield min(argument[1], UNBOUNDED), _letter(inner[0])
            yield from _runs(inner)
        elif name == "SUBPATTERN":
            yield from _runs(list(argument[3]))
        elif name == "BRANCH":
            for branch in argument[1]:
                yield from _runs(list(branch))


def _letter(node: tuple) -> bytes:
    operation, argument = node
    if str(operation) != "IN":
        return b"a"
    inside = "".join(member(str(kind), value) for kind, value in argument)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        fits = re.compile(f"[{inside}]".encode("latin-1"))
    return next((bytes([byte]) for byte in _LETTERS if fits.match(bytes([byte]))), b"a")


if __name__ == "__main__":
    main()
