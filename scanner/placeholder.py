"""Values that only stand where a secret would: templates, examples, repeated characters."""

import re

from scanner.lazy import lazy

_TEMPLATE = lazy(
    rb"\$\{|\{\{|\}\}|\$\(|<%|%>|\$[A-Za-z_]\w*|%[A-Z_]{3,}%|^%\(?\w*\)?[sd]?$|^<[^<>]*>$|^&lt;.*&gt;$|^\[[^\]]*\]$"
    rb"|^\{\w*\}$|#\{|@@|\{\w+\}|__[A-Z_]{3,}__|^:[a-z_]+$|^\*+$|^\.+$|^-+$|\.\.\.|\xe2\x80\xa6|^@[A-Z_]{3,}@?$"
)
_STRONG_WORDS = lazy(
    rb"(?i)example|placeholder|(?:change|replace)[_-]?me|your[-_](?:\w|api|key|token)|yourtoken|your(?:api|secret|key)"
    rb"|x{5}|\*{4}|redacted|dummy|insert_|_here\b|my[-_](?:secret|password|token|key|api)"
)
_NAMES_IT = lazy(
    rb"(?=.*(?:KEY|TOKEN|SECRET|PASS))[A-Z]{2,}(?:_[A-Z]{2,}){1,6}|[a-z]{2,}(?:_[a-z]{2,}){2,8}"
)
_WORD_FOR_IT = lazy(
    rb"(?i)(?:my|your|the|some|key|store|user|db|new|old)?[-_ ]?"
    rb"(?:password|passwd|secret|token|api[-_]?key)"
)
_SEQUENCES = (
    b"0123456789", b"1234567890", b"abcdefghij", b"9876543210", b"0a1b2c3d4e", b"abcdef0123",
    b"123456789a", b"deadbeefdeadbeef", b"qwertyuiop",
)  # fmt: skip
_HEX = lazy(rb"(?:0x)?[0-9a-f]{24,}")
_RUN = lazy(rb"(.)\1{6,}", re.DOTALL)
_AWS = (b"AKIAIOSFODNN7", b"wJalrXUtnFEMI")
"""What the keys of AWS' manuals begin with, however people have changed their ends."""
_FEW = 4  # a secret of ten characters or more has more distinct ones than this
_LONG = 10


def template(value: bytes) -> bool:
    """Say whether a value is filled in elsewhere: `${TOKEN}`, `{{ token }}`, `<token>`."""
    return _TEMPLATE.search(value) is not None


def invented(value: bytes) -> str:
    """Say why a value in a provider's format is none that was issued; empty where nothing does.

    Strict: a random secret hits none of it by chance (below one in a million).
    """
    if _STRONG_WORDS.search(value) or _WORD_FOR_IT.fullmatch(value) or value.startswith(_AWS):
        return "is or holds an example"
    if _RUN.search(value):
        return "repeats one character"
    if len(value) >= _LONG and len(set(value)) <= _FEW:
        return "is made of very few characters"
    low = value.lower()
    if _counts(low):
        return "counts up"
    if len(value) >= _LONG and _NAMES_IT.fullmatch(value):
        return "is the name of what belongs there"
    return ""


def _counts(low: bytes) -> bool:
    """Say whether a value counts up, or every other sign of it: `1a2b3c4d5e…`."""
    if any(sequence in text for sequence in _SEQUENCES for text in (low, low[::2], low[1::2])):
        return True
    return counts_apart(low)


def counts_apart(low: bytes) -> bool:
    """Say whether letters and digits of hex count, each for themselves: `a123b45c6d78e90f`."""
    if _HEX.fullmatch(low) is None:
        return False
    digits, letters = low.translate(None, b"abcdefx"), low.translate(None, b"0123456789")
    return b"1234567890" in digits and b"abcdefabc" in letters


_HUMPS = lazy(rb"[A-Za-z][a-z0-9]*(?:[A-Z]{1,2}[a-z0-9]{2,20}){1,8}(?:I[dD])?")
_CAPITALS = lazy(rb"[A-Z]+")
_WORD = 6  # letters of the words of a name, on average; letters drawn by lot change case sooner
_DIGITS = lazy(rb"[0-9]")
_GOES_ON = lazy(rb"[.(;,)][A-Za-z(\s),;]|[(;)]|[ \t]{1,4}=[^=]")
_MEMBER = lazy(rb"\.[A-Za-z_]|\(|::|->")
_SUBSCRIPT = lazy(rb"[\w\])]\[\\?[\"']\Z")
_QUOTES = (b'"', b"'", b"`", b"\\")
_NAMED = 2  # digits that a name may have


def in_code(piece: bytes, span: tuple[int, int]) -> bool:
    """Say whether a value is a name of the code around it: `getToken(resetPasswordRequest)`.

    Args:
        piece: some lines.
        span: where the value stands in them.
    """
    value, before = piece[slice(*span)], piece[max(0, span[0] - 4) : span[0]]
    if value.isalpha() and _MEMBER.match(piece, span[1]):
        return True
    if len(_DIGITS.findall(value)) > _NAMED or not _HUMPS.fullmatch(value):
        return False
    if before[-1:] in _QUOTES:
        return _SUBSCRIPT.search(before) is not None
    wordy = len(value) >= _WORD * len(_CAPITALS.findall(value))
    return wordy and _GOES_ON.match(piece, span[1]) is not None


_IN_URI = lazy(rb";base64,[0-9A-Za-z+/]*\Z")
_RUN_OF_BASE64 = lazy(rb"[0-9A-Za-z+/]*")
_AROUND, _ENOUGH = 80, 100


def in_data(piece: bytes, span: tuple[int, int]) -> bool:
    """Say whether a value is a stretch of a long run of base64: a picture holds every prefix.

    Args:
        piece: some lines.
        span: where the value stands in them.
    """
    before = piece[max(0, span[0] - _AROUND) : span[0]]
    after = piece[span[1] : span[1] + _AROUND]
    if _IN_URI.search(before):
        return after[:1] in (b"/", b"+")
    whole = _RUN_OF_BASE64.fullmatch(before) and _RUN_OF_BASE64.fullmatch(after)
    return bool(whole) and len(before) + len(after) >= _ENOUGH
