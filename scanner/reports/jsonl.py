"""JSON lines: one finding a line."""

from typing import TextIO

from scanner.reports import json_text, public
from scanner.run import Report


def write(report: Report, out: TextIO) -> None:
    """Write a line for each finding."""
    out.writelines(json_text(public(finding), indent=False) + "\n" for finding in report)
