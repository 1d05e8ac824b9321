"""Reports: one file a format, known by being in this folder.

A file here holds `write(report, out)`, which writes a whole report to a text stream. Nothing in a
report shows a secret, unless the scan itself was asked to leave secrets readable; nothing of a
scanned repository reaches a terminal as a control character.
"""

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from vocabulary.finding import Finding

if TYPE_CHECKING:
    from scanner.run import Report

Writer = Callable[["Report", TextIO], None]


def names() -> list[str]:
    """Return the names of all report formats."""
    here = Path(__file__).parent
    return sorted(file.stem for file in here.glob("*.py") if file.stem != "__init__")


def find(name: str) -> Writer:
    """Return the writer of a report format."""
    writer: Writer = import_module(f"scanner.reports.{name}").write
    return writer


def public(finding: Finding) -> dict[str, Any]:
    """Return the JSON contract of a finding: without what leads to the key store."""
    fields: dict[str, Any] = msgspec.to_builtins(finding)
    del fields["credential"]
    return fields


def printable(said: str) -> str:
    """Return text without control characters: paths and authors are hostile."""
    return "".join(c if c.isprintable() else f"\\x{ord(c):02x}" for c in said)
