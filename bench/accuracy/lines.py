"""Labelled lines as files, and findings as lines again: what every scanner is measured on."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

GAP = 6
"""Empty lines between two labelled ones: further than any rule looks for its context."""
HELD_OUT = 4
"""Every so many repositories, one is never trained on."""


@dataclass(frozen=True, slots=True)
class Line:
    """One labelled place of the data, of one line or more."""

    number: int
    repo: int
    folder: str
    ext: str
    category: str
    label: str
    text: str
    value_start: int
    value_end: int

    @property
    def true(self) -> bool:
        """Whether it holds a credential."""
        return self.label == "T"

    @property
    def held_out(self) -> bool:
        """Whether its repository is kept from training."""
        return self.repo % HELD_OUT == 1


def read(path: Path) -> list[Line]:
    """Read the data (gzip, JSON lines; see the README beside it)."""
    with gzip.open(path, "rt", encoding="utf-8") as stream:
        rows = [json.loads(row) for row in stream]
    return [
        Line(
            row["id"], row["repo"], row["folder"].strip("_"), row["ext"], row["category"],
            row["label"], row["text"], row["value_start"], row["value_end"],
        )
        for row in rows
    ]  # fmt: skip


@dataclass(slots=True)
class Corpus:
    """Files with labelled lines, and which labelled line stands where.

    Attributes:
        where: path → line number → the labelled lines there.
    """

    where: dict[str, dict[int, list[Line]]] = field(default_factory=lambda: defaultdict(dict))

    def at(self, path: str, first: int, last: int) -> Iterable[Line]:
        """Yield the labelled lines that a span of a file touches."""
        lines = self.where.get(path, {})
        for number in range(first, max(first, last) + 1):
            yield from lines.get(number, ())


def path_of(line: Line) -> str:
    """Return where a line's file stands: the kind of folder and the ending as they were."""
    return (
        f"{line.repo}/{line.folder}/file{line.ext}"
        if line.folder
        else f"{line.repo}/file{line.ext}"
    )


def write(lines: Iterable[Line], root: Path) -> Corpus:
    """Write the lines under `root`, those of one repository, folder and ending into one file."""
    files: Mapping[str, list[Line]] = defaultdict(list)
    for line in lines:
        files[path_of(line)].append(line)
    corpus = Corpus()
    for path, members in files.items():
        text, at = [], 1
        for line in members:
            height = line.text.count("\n") + 1
            for number in range(at, at + height):
                corpus.where[path].setdefault(number, []).append(line)
            text.append(line.text + "\n" * (GAP + 1))
            at += height + GAP
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text("".join(text), encoding="utf-8", newline="")
    return corpus


@dataclass(slots=True)
class Tally:
    """Right, wrong and missed lines."""

    right: int = 0
    wrong: int = 0
    missed: int = 0

    @property
    def precision(self) -> float:
        """Share of reported lines that hold a credential."""
        return self.right / (self.right + self.wrong) if self.right + self.wrong else 0.0

    @property
    def recall(self) -> float:
        """Share of lines with a credential that are reported."""
        return self.right / (self.right + self.missed) if self.right + self.missed else 0.0

    @property
    def f1(self) -> float:
        """Their harmonic mean."""
        total = self.precision + self.recall
        return 2 * self.precision * self.recall / total if total else 0.0

    def row(self) -> str:
        """Write the three beside the counts."""
        return (
            f"{self.precision:6.3f} {self.recall:6.3f} {self.f1:6.3f}"
            f"  {self.right:6d} {self.wrong:6d} {self.missed:6d}"
        )


def tally(lines: Iterable[Line], reported: set[int]) -> Tally:
    """Compare the numbers of reported lines with the labels."""
    counts = Tally()
    for line in lines:
        if line.number in reported:
            counts.right += line.true
            counts.wrong += not line.true
        else:
            counts.missed += line.true
    return counts
