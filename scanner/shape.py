"""What can be told of a value by its look alone: whether it is made by a machine, or strong."""

from base64 import b64decode
from binascii import Error as NotBase64
from functools import lru_cache

from scanner.entropy import shannon
from scanner.lazy import lazy

_MADE, _EVEN = 16, 3.0  # signs, and bits for each, of what machines make
_CHOSEN = 8
UUID = lazy(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_PIECE = r"(?:[A-Z]?[a-z]{2,14}(?:[A-Z][a-z]{1,14}){0,5}|[A-Z]{2,14}|[a-z])"
_WORDED = lazy(_PIECE + r"\d{0,4}(?:[ _.:/-]{1,2}(?:" + _PIECE + r"\d{0,4}|\d{1,4})){1,12}")
"""Words and short numbers with signs between them: `lineHeights.100`, `unknown_subject_003`."""
_HUMPED = lazy(r"(?=(?:.*[A-Z][a-z]{2}){2})(?:[A-Z]{1,6}\d{1,5}|[A-Z][a-z]{1,14}\d{0,5}){2,10}")
"""Words and acronyms with numbers: `ERC1155BurnableMock`."""


@lru_cache(maxsize=8192)
def machine_made(value: str) -> bool:
    """Say whether a value is long and mixed, so that no person thought of it."""
    if len(value) < _MADE or not any(map(str.isalpha, value)):
        return False
    digits = sum(map(str.isdigit, value))
    return digits > 1 and shannon(value.encode()) >= _EVEN


def worded(value: str) -> bool:
    """Say whether a value is words and short numbers, with signs or humps between them."""
    return _WORDED.fullmatch(value) is not None or _HUMPED.fullmatch(value) is not None


def strong(value: str) -> bool:
    """Say whether a password keeps the rules of those who set rules: eight signs of three kinds."""
    kinds = (str.isupper, str.islower, str.isdigit, lambda sign: not sign.isalnum())
    return len(value) >= _CHOSEN and sum(any(map(kind, value)) for kind in kinds) > 2  # noqa: PLR2004


def decoded(value: str) -> str:
    """Return what a value says in base64; empty where it is none."""
    try:
        return b64decode(value + "=" * (-len(value) % 4), validate=True).decode("utf-8", "replace")
    except (NotBase64, ValueError):
        return ""
