"""Hostile text made harmless: paths, authors and messages of what is scanned."""

import re

from scanner.lazy import lazy

_RAW_BYTE = lazy("[\udc80-\udcff]")
_ORDER = lazy(r"##(?=\[|vso\[|teamcity\[)|^(\s*):(?=:)", re.IGNORECASE)


def text(said: str) -> str:
    """Return text that UTF-8 can hold: a byte of a path that is none is written in hexadecimal."""
    if said.isascii():
        return said
    shown = _RAW_BYTE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", said)
    return shown.encode("utf-8", "backslashreplace").decode()


def printable(said: str) -> str:
    """Return text without control characters and orders to CI servers, on one line."""
    if not (said.isascii() and said.isprintable()):
        said = "".join(c if c.isprintable() else _escaped(c) for c in text(said))
    return without_orders(said) if "##" in said or "::" in said else said


def without_orders(said: str, hidden: str = "\\x") -> str:
    """Return text that CI servers take no order from: they read a job's output for those.

    GitHub Actions (`::error::` at the beginning of a line, `##[error]`), Azure Pipelines
    (`##vso[task.setvariable …]`) and TeamCity (`##teamcity[…]`, both anywhere in it).

    Args:
        said: a line.
        hidden: how an escaped character begins, before two hexadecimal digits.
    """
    return _ORDER.sub(lambda found: _harmless(found[0], hidden), said)


def _harmless(order: str, hidden: str) -> str:
    return f"#{hidden}23" if order == "##" else f"{order[:-1]}{hidden}3a"


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"  # noqa: PLR2004
