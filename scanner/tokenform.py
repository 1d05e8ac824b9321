"""Values that have the form of a token and let nobody in: unsigned, sealed, or a page's number."""

import msgspec

from scanner.lazy import lazy
from scanner.shape import decoded
from scanner.wording import NAME_KINDS

_TOKEN = lazy(r"(eyJ[\w-]{8,})\.([\w-]*={0,2})(?:\.[\w-]*={0,2})?")
_SAYS = lazy(r"eyJ[0-9A-Za-z+/]{8,}={0,2}")
_SHORT, _FEW = 100, 16
_ENCRYPTED = lazy(r"[0-9A-Za-z+/]{43}=|(?:[0-9A-Za-z+/]{64}){1,16}")
"""A hash of 32 bytes, or whole blocks of a cipher, in base64."""
_GRANTS = frozenset({"exp", "aud", "scope", "scp", "role", "roles"})
_SEALED = 2  # claims, from which on a token is an envelope


def lets_nobody_in(value: str) -> bool:
    """Say whether a value is a token without a signature, or says plainly what it is for.

    `{"alg":"none"}` opens nothing (RFC 7519, section 6); neither does a header with signs behind it
    that claim nothing, nor `{"page":2}` in base64, nor an envelope of what is encrypted.
    """
    token = _TOKEN.fullmatch(value)
    if token is not None:
        return _is_unsigned(token[1], token[2]) or _is_sealed(token[2])
    return len(value) <= _SHORT and _SAYS.fullmatch(value) is not None and _names_no_secret(value)


def _is_unsigned(header: str, claims: str) -> bool:
    said = _object(header)
    if not isinstance(said, dict) or "alg" not in said or "enc" in said:
        return False
    nothing = len(claims) < _FEW and not _plain(claims).startswith("{")
    return nothing or said["alg"] == "none"


def _is_sealed(claims: str) -> bool:
    """Say whether a token is signed to keep what is encrypted, and grants nothing by itself."""
    said = _object(claims)
    if not isinstance(said, dict) or not _GRANTS.isdisjoint(said):
        return False
    return sum(map(_is_encrypted, said.values())) >= _SEALED


def _is_encrypted(value: object) -> bool:
    if not isinstance(value, str) or not _ENCRYPTED.fullmatch(value):
        return False
    return not decoded(value).isprintable() or "\ufffd" in decoded(value)


def _object(part: str) -> object:
    try:
        return msgspec.json.decode(_plain(part))
    except (msgspec.DecodeError, ValueError):
        return None


def _plain(part: str) -> str:
    return decoded(part.replace("-", "+").replace("_", "/"))


def _names_no_secret(value: str) -> bool:
    text = decoded(value)
    whole = text.startswith("{") and text.endswith("}")
    return whole and not any(kind.search(text) for _, kind in NAME_KINDS)
