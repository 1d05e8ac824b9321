"""JSON: one document with the findings and the receipt."""

from typing import TextIO

from scanner.reports import json_text, public
from scanner.run import Report


def write(report: Report, out: TextIO) -> None:
    """Write the document."""
    document = {"findings": list(map(public, report)), "receipt": report.receipt.json()}
    out.write(json_text(document) + "\n")
