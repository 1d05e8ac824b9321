"""CSV: a row a finding, for spreadsheets; no cell is ever a formula.

A spreadsheet computes a cell that begins with `=`, `+`, `-` or `@`, also in their full-width
forms, so such a cell is led by an apostrophe (OWASP, "CSV Injection"). Every cell is quoted and
on one line, so that none can break out of its own.
"""

import csv
from typing import TextIO

from scanner.printable import printable
from scanner.run import Report
from vocabulary.finding import Finding

COLUMNS = (
    "severity", "confidence", "rule", "name", "secret", "path", "line", "column", "end_line",
    "commit", "blob", "author", "date", "places", "fingerprint", "store", "checksum", "key_id",
    "key_state", "environment", "reasons", "decoding", "source", "tags",
)  # fmt: skip
_COMPUTED = ("=", "+", "-", "@", "＝", "＋", "－", "＠")  # noqa: RUF001  (the forms that are meant)


def write(report: Report, out: TextIO) -> None:
    """Write a heading and a row for each finding, the worst first."""
    rows = csv.writer(out, quoting=csv.QUOTE_ALL, lineterminator="\n")
    rows.writerow(COLUMNS)
    rows.writerows([_cell(value) for value in _row(finding)] for finding in report)


def _row(finding: Finding) -> tuple[object, ...]:
    return (
        finding.severity, finding.confidence, finding.rule, finding.name, finding.secret,
        finding.path, finding.line, finding.column, finding.end_line, finding.commit,
        finding.blob, finding.author, finding.date, finding.count, finding.fingerprint,
        finding.verdict.store, finding.verdict.checksum, finding.key_id, finding.key_state,
        finding.environment, "; ".join(finding.reasons), " > ".join(finding.decoding),
        finding.source, " ".join(finding.tags),
    )  # fmt: skip


def _cell(value: object) -> str:
    said = printable(str(value))
    return f"'{said}" if said.lstrip().startswith(_COMPUTED) else said
