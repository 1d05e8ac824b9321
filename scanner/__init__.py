"""Bytes in, findings out: rules, matching, decoding, confirmation, attribution, redaction.

May import: keystore, database, vocabulary. Its use in four lines:

    from scanner import scan
    report = scan("path/to/repository")
    for finding in report:
        print(finding.rule, finding.path, finding.line)

Importing it has no side effect and starts nothing.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from scanner.options import ScanOptions
    from scanner.run import Report, scan

__all__ = ["Report", "ScanOptions", "scan"]
_HOMES = {"scan": "scanner.run", "Report": "scanner.run", "ScanOptions": "scanner.options"}


def __getattr__(name: str) -> Any:  # noqa: ANN401
    """Load what is asked for when it is asked for: importing the room stays light."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    return getattr(import_module(_HOMES[name]), name)
