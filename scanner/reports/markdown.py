"""Markdown: for a pull request's comment or a CI job's summary.

Whatever comes from what was scanned stands in a code span, where GitHub and GitLab see no link,
mention, image or HTML; a span's fence is longer than any run of backticks within.
"""

import re
from collections.abc import Iterator
from typing import TextIO

from scanner.printable import printable
from scanner.reports import summary, where
from scanner.run import Report
from vocabulary.finding import Finding, Place

_SHOWN = 10
_RUN = re.compile("`+")


def write(report: Report, out: TextIO) -> None:
    """Write a section a finding, the worst first."""
    out.writelines(f"{line}\n" for line in _lines(report))


def _lines(report: Report) -> Iterator[str]:
    yield f"## keywatch: {summary(report)}"
    yield ""
    for finding in report:
        yield from _section(finding)
    yield from (f"- {code(line)}" for line in report.receipt.text())


def _section(finding: Finding) -> Iterator[str]:
    yield f"### {finding.severity}: {code(finding.name)}"
    yield f"- {code(finding.secret)}, {finding.confidence} confidence"
    yield from (f"- {code(reason)}" for reason in finding.reasons)
    if finding.key_id:
        yield f"- key {code(finding.key_id)}: {finding.key_state}, {code(finding.environment)}"
    yield from (f"- {_place(place)}" for place in finding.places[:_SHOWN])
    if finding.count > _SHOWN:
        yield f"- and in {finding.count - _SHOWN} more places"
    yield f"- fingerprint {code(finding.fingerprint)}, rule {code(finding.rule)}"
    yield ""


def _place(place: Place) -> str:
    commit = f" in {code(place.commit[:12])} by {code(place.author)}" if place.commit else ""
    return f"{code(where(place))}{commit}"


def code(said: str) -> str:
    """Return text as a code span (CommonMark 0.31, 6.1)."""
    shown = printable(said) or " "
    fence = "`" * (max(map(len, _RUN.findall(shown)), default=0) + 1)
    return f"{fence} {shown} {fence}" if "`" in shown else f"{fence}{shown}{fence}"
