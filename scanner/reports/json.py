"""JSON: one document with the findings and the receipt."""

from typing import TextIO

import msgspec

from scanner.reports import public
from scanner.run import Report


def write(report: Report, out: TextIO) -> None:
    """Write the document."""
    document = {"findings": list(map(public, report)), "receipt": report.receipt.json()}
    out.write(msgspec.json.format(msgspec.json.encode(document)).decode() + "\n")
