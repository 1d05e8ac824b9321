"""Reports: one file a format, known by being in this folder.

A file here holds `write(report, out)`, which writes a whole report to a text stream: the same
report gives the same bytes. Nothing in a report shows a secret, unless the scan itself was asked
to leave secrets readable; nothing of a scanned repository reaches a terminal as a control
character, or a viewer as anything but text.
"""

import re
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import msgspec

from scanner.printable import printable, text, without_orders
from vocabulary.finding import Finding, Place

if TYPE_CHECKING:
    from scanner.run import Report

Writer = Callable[["Report", TextIO], None]

SEVERITIES = ("critical", "high", "medium", "low")


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
    cleaned: dict[str, Any] = _clean(fields)
    return cleaned


def _clean(value: Any) -> Any:  # noqa: ANN401
    """Make every string within one that any encoder takes."""
    if isinstance(value, str):
        return text(value)
    if isinstance(value, dict):
        return {name: _clean(inner) for name, inner in value.items()}
    return [_clean(inner) for inner in value] if isinstance(value, list | tuple) else value


_BEYOND_ASCII = re.compile(r"[^\n -~]")


def json_text(document: object, *, indent: bool = True) -> str:
    """Return JSON in which every character that is not printable is escaped.

    A terminal, or a reader of lines, is never given a control character, a line separator, a
    change of direction or an order to a CI server; who decodes the JSON gets them as they are.
    """
    raw = msgspec.json.encode(document)
    shown = (msgspec.json.format(raw) if indent else raw).decode()
    shown = without_orders(shown, "\\u00") if "##" in shown else shown
    return shown if shown.isascii() and "\x7f" not in shown else _BEYOND_ASCII.sub(_escape, shown)


def _escape(found: re.Match[str]) -> str:
    if found[0].isprintable():
        return found[0]
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def where(place: Place) -> str:
    """Return `path:line`, printable."""
    path = printable(place.path)
    return f"{path}:{place.line}" if place.line else path


def summary(findings: "Report") -> str:
    """Say in a line how much was found."""
    counts = [
        f"{number} {severity}"
        for severity in SEVERITIES
        if (number := sum(finding.severity == severity for finding in findings))
    ]
    total = len(findings)
    found = f"{total} secret{'' if total == 1 else 's'}" if total else "no secret"
    return f"{found} ({', '.join(counts)})" if counts else found


def version() -> str:
    """Return the version of keywatch."""
    from importlib.metadata import version as installed  # noqa: PLC0415  (slow, rarely needed)

    return installed("keywatch")
