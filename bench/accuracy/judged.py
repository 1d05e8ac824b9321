"""Count verdicts on findings of real repositories, read by a person one by one.

Usage: python bench/accuracy/judged.py

judged.tsv names repository, revision, confidence, rule, path and line of 200 findings drawn by lot;
unread.tsv counts all findings of whole histories that were read for the first time, in the order of
the mends: set B after those that A led to, and so on. There a place is named for what was wrong
alone: copies of these repositories hold credentials that may still work. Neither file
holds anything of a text.
"""

import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

DRAWN = Path(__file__).with_name("judged.tsv")
UNREAD = Path(__file__).with_name("unread.tsv")
RIGHT = ("issued", "made", "hash")
"""Verdicts that count as right: issued by a service; made for a test, an example, a container; the
hash of a password. The others are `placeholder` and `nothing`."""
KNOWN_BY_FORM = ("private-key", "password-hash")
"""What rules begin with that nothing is mistaken for: fixtures of tests come in hundreds."""
WORTH = 5
"""So many wrong ones of a rule are worth a row."""
Row = dict[str, str]


def main() -> None:
    rows = read(DRAWN)
    verdicts = sorted({row["verdict"] for row in rows})
    print(f"{'':24s}{'judged':>8s}{'right':>8s}  " + "".join(f"{v:>13s}" for v in verdicts))
    table(rows, verdicts)
    rows = read(UNREAD)
    for name in sorted({row["set"] for row in rows}):
        members = [row for row in rows if row["set"] == name]
        print(f"\nset {name}, at first sight")
        table(members, verdicts)
        told = [row for row in members if not row["rule"].startswith(KNOWN_BY_FORM)]
        line("without keys and hashes", told, verdicts)
        for repository in sorted({row["repository"] for row in members}):
            line(repository, [r for r in members if r["repository"] == repository], verdicts)
    print("\nrules with most that was wrong: right and wrong of all, and in each set")
    by_rule(rows)


def read(path: Path) -> list[Row]:
    with path.open(encoding="utf-8", newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t"))


def table(rows: Iterable[Row], verdicts: list[str]) -> None:
    rows = list(rows)
    for level in ("high", "medium"):
        line(level, [row for row in rows if row["confidence"] == level], verdicts)
    line("both", rows, verdicts)


def by_rule(rows: list[Row]) -> None:
    """Print what was right and wrong of each rule and confidence, those that err most first."""
    sets = sorted({row["set"] for row in rows})
    counts: dict[tuple[str, str], Counter[tuple[str, bool]]] = {}
    for row in rows:
        counted = counts.setdefault((row["confidence"], row["rule"]), Counter())
        for name in (row["set"], ""):
            counted[name, row["verdict"] in RIGHT] += int(row["count"])
    for (level, rule), counted in sorted(counts.items(), key=lambda item: -item[1]["", False]):
        if counted["", False] >= WORTH:
            each = "".join(f"{counted[n, True]:5d}/{counted[n, False]:<3d}" for n in ("", *sets))
            print(f"{level:8s}{rule:28s}{each}")


def line(name: str, rows: list[Row], verdicts: list[str]) -> None:
    """Print how many there are, how many are right, and each verdict."""
    counts: Counter[str] = Counter()
    for row in rows:
        counts[row["verdict"]] += int(row.get("count", 1))
    right = sum(counts[verdict] for verdict in RIGHT) / max(1, counts.total())
    print(
        f"{name:24.24s}{counts.total():8d}{right:8.1%}  "
        + "".join(f"{counts[v]:13d}" for v in verdicts)
    )


if __name__ == "__main__":
    main()
