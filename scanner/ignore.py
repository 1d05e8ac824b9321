"""Marks by which the author of a line says that what stands on it is no secret.

A mark speaks for its own line alone (`nextline` for the one after it), and every use of one is
counted in the receipt. A scanned repository may be hostile: whoever asserts on a scan turns the
marks off with `--no-inline-ignores`.
"""

import re

_MARKS = re.compile(
    rb"keywatch:\s?allow|gitleaks:\s?allow|betterleaks:\s?allow|kingfisher:\s?ignore|"
    rb"trufflehog:\s?ignore|pragma:\s?(?:allow|white)list[ -]secret|ggignore|nosec-secret",
    re.IGNORECASE,
)
_NEXT = re.compile(rb"pragma:\s?(?:allow|white)list[ -]nextline[ -]secret", re.IGNORECASE)
_REACH = 4096  # a mark stands within so many bytes of the secret


def ignored(data: bytes | bytearray, start: int, end: int, low: int, high: int) -> bool:
    """Say whether a mark covers what stands at `start`…`end`.

    Args:
        data: a buffer.
        start: where the secret begins.
        end: where it ends.
        low: where the text that holds it begins.
        high: where that text ends.
    """
    line = max(data.rfind(b"\n", low, start) + 1, low)
    stop = data.find(b"\n", end, high)
    stop = high if stop < 0 else stop
    if _MARKS.search(data, max(line, start - _REACH), min(stop, end + _REACH)):
        return True
    if line == low:
        return False
    before = max(data.rfind(b"\n", low, line - 1) + 1, low, line - _REACH)
    return _NEXT.search(data, before, line) is not None
