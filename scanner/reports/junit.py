"""JUnit XML: a failed test case a finding, for the test views of CI servers.

One case always says whether everything was scanned, so that a clean report is no empty one,
which CI servers take for a mistake. Format: the schema that Jenkins and GitLab read.
"""

from collections.abc import Iterator
from html import escape
from typing import TextIO

from scanner.printable import printable
from scanner.receipt import Receipt
from scanner.reports import where
from scanner.run import Report
from vocabulary.finding import Finding


def write(report: Report, out: TextIO) -> None:
    """Write one test suite."""
    out.writelines(f"{line}\n" for line in _document(report))


def _document(report: Report) -> Iterator[str]:
    receipt = report.receipt
    counts = (
        f'tests="{len(report) + 1}" failures="{len(report)}" '
        f'errors="{int(bool(receipt.incomplete))}" time="{receipt.seconds:.3f}"'
    )
    yield '<?xml version="1.0" encoding="UTF-8"?>'
    yield f'<testsuites name="keywatch" {counts}>'
    yield (
        f'  <testsuite name="keywatch scan" {counts} skipped="0" '
        f'timestamp="{receipt.time(receipt.began)[:-1]}">'
    )
    yield from _coverage(receipt)
    for finding in report:
        yield from _case(finding)
    yield "  </testsuite>"
    yield "</testsuites>"


def _coverage(receipt: Receipt) -> Iterator[str]:
    opening = '    <testcase classname="keywatch" name="everything was scanned" time="0"'
    if not receipt.incomplete:
        yield f"{opening}/>"
        return
    yield f"{opening}>"
    count = len(receipt.incomplete)
    yield f'      <error type="incomplete" message="{count} things were not scanned">'
    yield from (_xml(reason) for reason in receipt.incomplete)
    yield "</error>"
    yield "    </testcase>"


def _case(finding: Finding) -> Iterator[str]:
    name = f"{where(finding.places[0])} {finding.fingerprint}"
    yield f'    <testcase classname="{_xml(finding.rule)}" name="{_xml(name)}" time="0">'
    said = f"{finding.name}: {finding.secret}"
    yield f'      <failure type="{_xml(finding.severity)}" message="{_xml(said)}">'
    yield _xml(f"{finding.confidence} confidence: {'; '.join(finding.reasons)}")
    for place in finding.places:
        commit = f" in commit {place.commit} by {place.author}" if place.commit else ""
        yield _xml(f"{where(place)}{commit}")
    if finding.key_id:
        yield _xml(f"key {finding.key_id}: {finding.key_state}, {finding.environment}")
    yield "</failure>"
    yield "    </testcase>"


def _xml(said: str) -> str:
    return escape(printable(said))
