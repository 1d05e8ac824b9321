"""Precision, recall and F1 on labelled lines: keywatch at each confidence, and peers beside it.

Usage: python bench/accuracy/creddata.py LINES.jsonl.gz [--held-out] [--weights FILE] [--peers]

With --held-out give the weights of `train.py --hold-out`: those shipped have seen everything.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent))

from lines import Corpus, Line, read, tally, write
from peers import PEERS, Span

from scanner.options import ScanOptions
from scanner.run import scan
from scanner.trees import parsed as model_of
from vocabulary.finding import Confidence, Finding

LEVELS = ("low", "medium", "high")


def main() -> None:
    arguments = parsed()
    lines = [line for line in read(arguments.lines) if line.held_out or not arguments.held_out]
    with tempfile.TemporaryDirectory(prefix="keywatch-accuracy-") as folder:
        root = Path(folder)
        corpus = write(lines, root)
        with weights(arguments.weights):
            found = scan(root, ScanOptions(confidence=Confidence.LOW)).findings
        print(f"{len(lines)} lines, {sum(line.true for line in lines)} with a credential")
        print(f"{'':28s} prec.  recall     F1   right  wrong missed")
        for level in LEVELS:
            reported = numbers(corpus, ours(found, LEVELS[LEVELS.index(level) :]))
            print(f"{'keywatch, ' + level:28s}{tally(lines, reported).row()}")
        if arguments.peers:
            for name, run in PEERS.items():
                spans = run(root)
                if spans is not None:
                    print(f"{name:28s}{tally(lines, numbers(corpus, spans)).row()}")
        by_category(lines, numbers(corpus, ours(found, LEVELS)))
        if arguments.misses:
            write_misses(arguments.misses, lines, corpus, found)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("lines", type=Path)
    parser.add_argument("--held-out", action="store_true", help="repositories never trained on")
    parser.add_argument("--weights", type=Path, help="instead of those that are shipped")
    parser.add_argument("--peers", action="store_true", help="run the peers that are installed")
    parser.add_argument("--misses", type=Path, help="write wrong and missed lines there")
    return parser.parse_args()


def weights(path: Path | None) -> AbstractContextManager[object]:
    if path is None:
        return nullcontext()
    model = model_of(json.loads(path.read_bytes()))
    return patch("scanner.classify.shipped", lambda: model)


def ours(found: Iterable[Finding], levels: Iterable[str]) -> list[Span]:
    wanted = set(levels)
    return [
        (place.path, place.line, place.end_line)
        for finding in found
        if finding.confidence in wanted
        for place in finding.places
    ]


def numbers(corpus: Corpus, spans: Iterable[Span]) -> set[int]:
    return {line.number for path, first, last in spans for line in corpus.at(path, first, last)}


def by_category(lines: list[Line], reported: set[int]) -> None:
    groups: dict[str, list[Line]] = defaultdict(list)
    for line in lines:
        groups[line.category.split(":")[0]].append(line)
    print("\nby category, at low")
    for name, members in sorted(groups.items(), key=lambda pair: -len(pair[1])):
        print(f"{name:28s}{tally(members, reported).row()}")


def write_misses(path: Path, lines: list[Line], corpus: Corpus, found: Iterable[Finding]) -> None:
    """Write what went wrong; it holds the data's lines and belongs nowhere in the project."""
    said: dict[int, list[str]] = defaultdict(list)
    for finding in found:
        for place in finding.places:
            for line in corpus.at(place.path, place.line, place.end_line):
                said[line.number].append(f"{finding.rule}/{finding.confidence}@{place.column}")
    with path.open("w", encoding="utf-8") as stream:
        for line in lines:
            if line.true != (line.number in said):
                row = {
                    "kind": "missed" if line.true else "wrong",
                    "rules": said.get(line.number, []),
                    **{name: getattr(line, name) for name in Line.__slots__},
                }
                stream.write(json.dumps(row, ensure_ascii=False) + "\n")


if __name__ == "__main__":
    main()
