"""Count the verdicts of judged.tsv: findings of real repositories, read by a person one by one.

Usage: python bench/accuracy/judged.py

The table names repository, revision, confidence, rule, path and line; it holds nothing of the text.
"""

import csv
from collections import Counter
from pathlib import Path

TABLE = Path(__file__).with_name("judged.tsv")
RIGHT = ("issued", "made", "hash")
"""Verdicts that count as right: issued by a service; made for a test, an example, a container; the
hash of a password. The others are `placeholder` and `nothing`."""


def main() -> None:
    with TABLE.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    verdicts = sorted({row["verdict"] for row in rows})
    print(f"{'':10s}{'judged':>8s}{'right':>8s}  " + "".join(f"{v:>13s}" for v in verdicts))
    for level in ("high", "medium", "both"):
        chosen = [row["verdict"] for row in rows if level in ("both", row["confidence"])]
        counts = Counter(chosen)
        right = sum(counts[verdict] for verdict in RIGHT) / max(1, len(chosen))
        print(
            f"{level:10s}{len(chosen):8d}{right:8.1%}  "
            + "".join(f"{counts[v]:13d}" for v in verdicts)
        )


if __name__ == "__main__":
    main()
