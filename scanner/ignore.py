"""Marks by which the author of a line says that what stands on it is no secret.

A mark speaks for its own line alone (`nextline` for the one after it), and every use of one is
counted in the receipt. A scanned repository may be hostile: whoever asserts on a scan turns the
marks off with `--no-inline-ignores`.
"""

import re

from scanner.lazy import lazy

_MARKS = lazy(
    rb"keywatch:\s?allow|gitleaks:\s?allow|betterleaks:\s?allow|kingfisher:\s?ignore|"
    rb"trufflehog:\s?ignore|pragma:\s?(?:allow|white)list[ -]secret|ggignore|nosec-secret",
    re.IGNORECASE,
)
_NEXT = lazy(rb"pragma:\s?(?:allow|white)list[ -]nextline[ -]secret", re.IGNORECASE)
_REACH = 4096  # a mark stands within so many bytes of the secret
_TELLING = (b"leaks:", b"watch:", b"pragma:", b"fisher:", b"hog:", b"ggignore", b"nosec-secret")
"""Every mark holds one of these."""


def ignored(data: bytes | bytearray, start: int, end: int, low: int, high: int) -> bool:
    """Say whether a mark covers what stands at `start`…`end`.

    Args:
        data: a buffer.
        start: where the secret begins.
        end: where it ends.
        low: where the text that holds it begins.
        high: where that text ends.
    """
    least, most = max(low, start - _REACH), min(high, end + _REACH)
    line = _begin(data, least, start)
    stop = min(
        (at for at in (data.find(end_, end, most) for end_ in _ENDS) if at >= 0), default=most
    )
    if _told(data, line, stop) and _MARKS.search(data, line, stop):
        return True
    if line == least:
        return False
    last = line - 2 if data[line - 2 : line] == b"\r\n" else line - 1
    before = _begin(data, max(low, line - _REACH), last)
    return _told(data, before, line) and _NEXT.search(data, before, line) is not None


_ENDS = (b"\n", b"\r")
"""Ends of lines: a lone carriage return shows as one, too, and nobody looks behind it."""


def _begin(data: bytes | bytearray, low: int, at: int) -> int:
    """Return where the line that holds `at` begins, not before `low`."""
    return max(low, *(data.rfind(end, low, at) + 1 for end in _ENDS))


def _told(data: bytes | bytearray, first: int, last: int) -> bool:
    """Say whether there can be a mark: nearly nowhere is one, and this is soon seen."""
    text = data[first:last].lower()
    return any(word in text for word in _TELLING)
