"""Hostile text made harmless: paths, authors and messages of what is scanned."""

from scanner.lazy import lazy

_RAW_BYTE = lazy("[\udc80-\udcff]")


def text(said: str) -> str:
    """Return text that UTF-8 can hold: a byte of a path that is none is written in hexadecimal."""
    if said.isascii():
        return said
    shown = _RAW_BYTE.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", said)
    return shown.encode("utf-8", "backslashreplace").decode()


def printable(said: str) -> str:
    """Return text without control characters, on one line."""
    if said.isascii() and said.isprintable():
        return said
    return "".join(c if c.isprintable() else _escaped(c) for c in text(said))


def _escaped(character: str) -> str:
    number = ord(character)
    return f"\\x{number:02x}" if number < 0x100 else f"\\u{number:04x}"  # noqa: PLR2004
