"""For a person: each finding in a few lines."""

from collections.abc import Iterator
from typing import TextIO

from scanner.printable import printable
from scanner.reports import where
from scanner.run import Report
from vocabulary.finding import Finding, Place

_SHOWN = 5


def write(report: Report, out: TextIO) -> None:
    """Write every finding, the worst first."""
    for finding in report:
        out.writelines(f"{line}\n" for line in _lines(finding))


def _lines(finding: Finding) -> Iterator[str]:
    yield f"{finding.severity:8} {printable(finding.name)}  {printable(finding.secret)}"
    for place in finding.places[:_SHOWN]:
        yield f"         {_place(place)}"
    if finding.count > _SHOWN:
        yield f"         and in {finding.count - _SHOWN} more places"
    if finding.key_id:
        yield printable(
            f"{' ' * 9}key {finding.key_id}: {finding.key_state}, {finding.environment}"
        )
    yield f"         {finding.confidence} confidence: {'; '.join(map(printable, finding.reasons))}"
    yield f"         fingerprint {finding.fingerprint}"
    yield ""


def _place(place: Place) -> str:
    commit = (
        f"  {printable(place.commit[:12])} {printable(place.date[:10])}" if place.commit else ""
    )
    author = f" {printable(place.author)}" if place.author else ""
    return f"{where(place)}{commit}{author}"
