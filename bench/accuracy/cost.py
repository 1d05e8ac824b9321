"""What the classifier costs: processor time for each candidate that it has not seen before.

Usage: python bench/accuracy/cost.py LINES.jsonl.gz [--count N]
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path
from unittest.mock import patch

sys.path.insert(0, str(Path(__file__).parent))
sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from lines import read, write

from scanner import classify, confirm, elsewhere, rarity, refusal, shape, wording
from scanner import features as features_of
from scanner.candidate import Candidate
from scanner.features import features
from scanner.options import ScanOptions
from scanner.place import NOWHERE
from scanner.refusal import refused
from scanner.run import scan
from scanner.trees import shipped
from vocabulary.finding import Confidence


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("lines", type=Path)
    parser.add_argument("--count", type=int, default=4000)
    options = parser.parse_args()
    seen: dict[Candidate, None] = {}

    def noted(candidate: Candidate, *, known_place: bool = False) -> classify.Score | None:
        seen[candidate] = None
        return classify.possible(candidate, known_place=known_place)

    with tempfile.TemporaryDirectory(prefix="keywatch-cost-") as folder:
        write(list(read(options.lines))[: 2 * options.count], Path(folder))
        with (
            patch.object(confirm, "possible", noted),
            patch("scanner.filetexts.cores", lambda: 1),
        ):
            scan(Path(folder), ScanOptions(confidence=Confidence.LOW))
    candidates = [one for one in seen if not refused(one)][: options.count]
    vectors = {one: features(one, NOWHERE) for one in candidates}
    steps = {
        "refusals": refused,
        "features": lambda one: features(one, NOWHERE),
        "trees": lambda one: shipped().probability(vectors[one]),
    }
    print(f"{len(candidates)} candidates, microseconds of processor time for each")
    for name, step in steps.items():
        forget()
        begun = time.thread_time()
        for one in candidates:
            step(one)
        print(f"{name:10}{(time.thread_time() - begun) / len(candidates) * 1e6:7.1f}")


def forget() -> None:
    """Empty every cache of the modules that weigh."""
    for module in (classify, refusal, elsewhere, shape, features_of, wording, rarity):
        for value in vars(module).values():
            if hasattr(value, "cache_clear") and value is not shipped:
                value.cache_clear()


if __name__ == "__main__":
    main()
