"""JSON lines: one finding a line."""

from typing import TextIO

import msgspec

from scanner.reports import public
from scanner.run import Report


def write(report: Report, out: TextIO) -> None:
    """Write a line for each finding."""
    out.writelines(msgspec.json.encode(public(finding)).decode() + "\n" for finding in report)
