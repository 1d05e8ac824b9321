"""Texts written byte by byte: `{0x67, 0x68, …}`, `{'g', 'h', …}`, `[103, 104, …]`, `chr(103)`."""

import re
from collections.abc import Iterable, Sequence

from scanner.batch import Data
from scanner.lazy import lazy
from scanner.region import RUN, Region, beginning

_BYTE = lazy(rb"0[xX]([0-9a-fA-F]{1,2})(?![0-9a-fA-F])")
_BYTES = lazy(rb"(?:0[xX][0-9a-fA-F]{1,2}[uUlL]?[,\s]{0,40}(?:\(byte\)\s?)?)*")
_BYTES_BACKWARDS = lazy(rb"(?:(?:\s?\)etyb\()?[,\s]{0,40}[uUlL]?[0-9a-fA-F]{1,2}[xX]0)*")
_LETTER = lazy(rb"'(\\?)([^\n])'")
_LETTERS = lazy(rb"(?:'(?:\\[^\n]|[^\n\\])'[,\s]{0,40})*")
_LETTERS_BACKWARDS = lazy(rb"(?:[,\s]{0,40}'[^\n]\\?')*")
_DECIMALS = lazy(rb"\s{0,40}(?:\d{1,3}[,\s]{1,40})*(?:\d{1,3})?")
_DECIMALS_BACKWARDS = lazy(rb"(?:[,\s]{0,40}\d{1,3})*")
_CALL = rb"(?:n?cha?r[wb$]?\(|\[char\]\(?)\s?(\d{2,3})\s?\)?[\s.&+,|]{0,9}"
_CALLED, _CALLS = lazy(rb"(?i)" + _CALL), lazy(rb"(?i)(?:" + _CALL + rb")*")
_CALLS_BACKWARDS = lazy(rb"(?i)(?:[\s.&+,|]{0,9}\)?\s?\d{2,3}\s?(?:\([wb$]?ra?hcn?|\(?\]rahc\[))*")


def byte_triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield eight characters of a token in hex, and how a private key in DER begins."""
    del words
    yield r"(?i)(?:0x(?:2d|3\d|[46][1-9a-f]|[57][0-9a]|5f)[,\s]+(?:\(byte\)\s?)?){8}"
    yield r"(?i)0x30[,\s]+0x8[12][,\s]+(?:0x..[,\s]+){1,2}0x02[,\s]+0x01[,\s]+0x0[01]"


def letter_triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield eight characters of a token, each in quotes."""
    del words
    yield r"(?:'[\w.-]',\s?){8}"


def number_triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield how arrays of bytes begin whose numbers are decimal, and ten characters of a token."""
    del words
    opened = r"fromcharcode\(|bytes\(\[|bytearray\(\[|byte\[?\]?\s?\{|buffer\.from\(\[|8array\(\["
    yield rf"(?i)(?:{opened})\s{{0,9}}\d{{2,3}}\s{{0,3}},"
    yield r"(?:(?:4[5-9]|5[0-7]|6[5-9]|[78]\d|9[0578]|99|1[01]\d|12[0-2]),\s*){10}"


def call_triggers(words: Sequence[bytes]) -> Iterable[str]:
    """Yield eight characters, each made by a call of its number."""
    del words
    yield r"(?i)(?:(?:cha?r[wb$]?\(|\[char\]\(?)\s?\d{2,3}\s?\)?[\s.&+,|]*n?){8}"


def in_bytes(data: Data, at: int, low: int, high: int) -> Region | None:
    """Read an array of bytes in hex."""
    start = beginning(_BYTES_BACKWARDS, data, at, low)
    text = _run(_BYTES, data, start, min(high, at + RUN))
    return _region(start, text, bytes(int(byte, 16) for byte in _BYTE.findall(text)))


def in_letters(data: Data, at: int, low: int, high: int) -> Region | None:
    """Read an array of characters."""
    start = beginning(_LETTERS_BACKWARDS, data, at, low)
    text = _run(_LETTERS, data, start, min(high, at + RUN))
    letters = _LETTER.findall(text)  # of escapes only the zero at the end matters
    said = b"".join(b"\0" if escaped else letter for escaped, letter in letters)
    return _region(start, text, said)


def in_numbers(data: Data, at: int, low: int, high: int) -> Region | None:
    """Read an array of bytes in decimal."""
    start = beginning(_DECIMALS_BACKWARDS, data, at, low)
    text = _run(_DECIMALS, data, start, min(high, at + RUN))
    return _counted(start, text, text.replace(b",", b" ").split())


def in_calls(data: Data, at: int, low: int, high: int) -> Region | None:
    """Read characters that calls make of decimal numbers."""
    start = beginning(_CALLS_BACKWARDS, data, at, low)
    text = _run(_CALLS, data, start, min(high, at + RUN))
    return _counted(start, text, _CALLED.findall(text))


def _counted(start: int, text: bytes, told: Sequence[bytes]) -> Region | None:
    """Make bytes of numbers; where they are none, say so once for all of the array."""
    numbers = [int(number) for number in told]
    if numbers and max(numbers) >= _CODES:
        return Region(start, start + len(text), b"")
    return _region(start, text, bytes(numbers))


_CODES = 256


def _run(pattern: re.Pattern[bytes], data: Data, start: int, stop: int) -> bytes:
    found = pattern.match(data, start, stop)
    return bytes(found[0]) if found else b""


def _region(start: int, text: bytes, said: bytes) -> Region | None:
    whole = text.rstrip(b" \t\r\n,")
    return Region(start, start + len(whole), said) if said else None
