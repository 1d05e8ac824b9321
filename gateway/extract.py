"""The credential of a request, from its headers and query: a pure function of both.

Order: `Authorization` (Bearer, ApiKey, Basic's user name), `X-API-Key`, the configured headers,
the query if that is configured. All that are there are read: two that differ are refused, since
a proxy in between may have meant the other one.
"""

from base64 import b64decode
from collections.abc import Callable, Iterable, Sequence
from urllib.parse import unquote_to_bytes

import msgspec

from vocabulary.secretnames import CARRY_KEYS, IN_QUERIES

Header = tuple[bytes, bytes]

QUERY_NAMES = frozenset(name.encode() for name in CARRY_KEYS)
"""Names of query parameters that carry keys, lower case."""

SECRET_NAMES = IN_QUERIES
"""Names of query parameters whose values no log may hold, lower case."""

REDACTED = b"REDACTED"

MAX_KEY_BYTES = 512
_MAX_NAMES, _MAX_NAME_BYTES = 1024, 64
MAX_HEADER_BYTES = 64 * 1024
"""Names and values of all headers together; servers in the field take 8 to 64 KiB."""

CERTIFICATE_HEADERS = {
    "x-ssl-client-cert": frozenset({b"x-ssl-client-cert", b"x-ssl-client-verify"}),
    "x-forwarded-client-cert": frozenset({b"x-forwarded-client-cert"}),
    "client-cert": frozenset({b"client-cert"}),
}
"""Header by which a proxy tells of a client certificate → what of it is read, lower case."""

_OF_CERTIFICATES = frozenset({b"x-forwarded-client-cert", b"client-cert", b"client-cert-chain"})
_OF_CERTIFICATES_TOO = (
    *(b"x-ssl-client-", b"ssl-client-", b"x-client-cert", b"x-forwarded-tls-client-cert"),
    *(b"x-amzn-mtls-clientcert", b"x-arr-clientcert"),
)
"""How names begin by which proxies tell applications of a client certificate."""
_REWRITES = frozenset({b"x-original-url", b"x-rewrite-url"})
"""Some applications take their path from these, whatever was asked for."""

_ORIGINS = frozenset(
    {
        *(b"forwarded", b"x-real-ip", b"x-client-ip", b"x-cluster-client-ip", b"true-client-ip"),
        *(b"cf-connecting-ip", b"fastly-client-ip"),
    }
)
_ORIGINS_TOO = (b"x-forwarded-", b"x-original-")
"""By these proxies tell applications where a request comes from, and what it asked for."""

_MANY, _SHORT = 64, 512
assert _MANY * 2 * _SHORT <= MAX_HEADER_BYTES

_OWN_PREFIX = b"x-keywatch-"
_IDENTITY = frozenset({b"x-api-key-id", b"x-api-key-environment", b"x-key-status"})
OVERRIDES = (b"x-http-method-override", b"x-http-method", b"x-method-override")
"""Headers from which some applications take another method than the request has."""
_NOTED = frozenset({b"user-agent", b"x-forwarded-for", b"x-request-id", *OVERRIDES})
_IGNORED, _STRIPPED, _AUTHORIZATION, _KEY, _NOTE = range(5)


class Extracted(msgspec.Struct, frozen=True):
    """What a request says about who sends it.

    Attributes:
        secret: the API key in full, empty when there is none.
        headers: the headers that go on, without those that only the gateway may set.
        noted: what the access log tells of: user-agent, x-forwarded-for, x-request-id, and what
            is judged: `OVERRIDES`, headers of certificates; the values of a repeated header are
            joined by commas.
        fault: empty, or the code of the refusal.
        from_query: whether the key stood in the query.
        token: a JSON Web Token that came as Bearer, empty when there is none.
    """

    secret: bytes
    headers: Sequence[Header]
    noted: dict[bytes, bytes]
    fault: str = ""
    from_query: bool = False
    token: bytes = b""

    def __repr__(self) -> str:
        """Show nothing of the secret, nor of headers, which hold it."""
        return f"Extracted(fault={self.fault!r}, from_query={self.from_query})"


Extractor = Callable[[Sequence[Header], bytes], Extracted]


def extractor(  # noqa: C901  (one pass over the headers, on every request)
    custom_headers: Iterable[str] = (),
    *,
    query_keys: bool = False,
    certificate_header: str = "",
    from_proxy: bool = False,
) -> Extractor:
    """Return the function that reads headers and a query string.

    Args:
        custom_headers: further headers whose value is a key.
        query_keys: whether the query may carry a key.
        certificate_header: by which a trusted proxy tells of client certificates, one of
            `CERTIFICATE_HEADERS`; it is noted, every other one of that kind is stripped. Empty
            where none are taken.
        from_proxy: whether the headers come from a trusted proxy; whoever else tells of client
            certificates, of another path or of where it comes from is not heard, neither here nor
            behind.
    """
    seen: dict[bytes, int] = {}
    told = CERTIFICATE_HEADERS[certificate_header] if certificate_header and from_proxy else None
    role_of = _roles(custom_headers, told, seen, from_proxy=from_proxy)
    known = seen.get

    def extract(  # noqa: C901, PLR0912  (likewise)
        headers: Sequence[Header], query: bytes
    ) -> Extracted:
        noted: dict[bytes, bytes] = {}
        found: list[bytes | None] = []
        tokens: list[bytes] = []
        stripped = False
        # So many short ones cannot be too large together; counting them all costs more.
        is_short = len(headers) <= _MANY
        for name, value in headers:
            if len(value) > _SHORT:
                is_short = False
            role = known(name)
            if role is None:
                is_short = is_short and len(name) <= _SHORT
                role = role_of(name)
            if not role:
                continue
            if role == _STRIPPED:
                stripped = True
            elif role == _NOTE:
                noted[name] = noted[name] + b", " + value if name in noted else value
            elif role == _KEY:
                found.append(_checked(value.strip()))
            else:
                found += _of_authorization(value, tokens)
        if not is_short and sum([len(n) + len(value) for n, value in headers]) > MAX_HEADER_BYTES:
            return Extracted(b"", [], {}, "headers_too_large")
        kept = headers
        if stripped:
            kept = [one for one in headers if (seen.get(one[0]) or role_of(one[0])) != _STRIPPED]
        if len(found) == 1 and found[0] and not (tokens or query_keys):
            return Extracted(found[0], kept, noted)
        in_headers = len(found)
        if query_keys and query:
            found += (_checked(value) for value in _of_query(query))
        secret, fault = _settled(found)
        from_query = bool(found) and not in_headers
        if not tokens:
            return Extracted(secret, kept, noted, fault, from_query)
        if any(token != tokens[0] for token in tokens):
            fault = "ambiguous_credentials"
        return Extracted(secret, kept, noted, fault, from_query, tokens[0])

    return extract


def without_secrets(
    query: bytes,
    names: frozenset[bytes] = SECRET_NAMES,
    replacement: Callable[[bytes], bytes] = lambda _: REDACTED,
) -> bytes:
    """Return the query string with the values of some parameters replaced.

    Args:
        query: as it stands in the URL, without `?`.
        names: of the parameters, lower case.
        replacement: decoded value → what takes its place, safe in a URL.
    """
    parts = query.split(b"&")
    for index, part in enumerate(parts):
        name, equals, value = part.partition(b"=")
        if value and _plain_name(name) in names:
            parts[index] = name + equals + replacement(unquote_to_bytes(value))
    return b"&".join(parts)


def _roles(
    custom_headers: Iterable[str],
    told: frozenset[bytes] | None,
    seen: dict[bytes, int],
    *,
    from_proxy: bool,
) -> Callable[[bytes], int]:
    """Return the function that tells a header's role by its name, and notes it in `seen`.

    Args:
        custom_headers: see `extractor`.
        told: headers of client certificates that are believed; None where none are taken.
        seen: what was found out already.
        from_proxy: see `extractor`.
    """
    roles = {b"authorization": _AUTHORIZATION, b"x-api-key": _KEY}
    roles |= dict.fromkeys(_NOTED | (told or frozenset()), _NOTE)
    roles |= {_plain(name.encode("ascii", "replace")): _KEY for name in custom_headers}

    def role_of(name: bytes) -> int:
        plain = _plain(name)
        role = roles.get(plain, _IGNORED)
        # Only the exact spelling counts: servers behind us fold `_` into `-`, and would see a
        # second credential that we did not check.
        proxys = not role and _is_proxys(plain)
        origins = not proxys and tells_of_origin(plain)
        disguised = (role or proxys or origins) and plain != name.lower()
        forged = proxys and (not from_proxy or (told is not None and plain not in _REWRITES))
        if origins and not from_proxy:
            role = _STRIPPED
        if disguised or forged or plain in _IDENTITY or plain.startswith(_OWN_PREFIX):
            role = _STRIPPED
        # The names that a flood of requests invents must not fill memory.
        if len(name) <= _MAX_NAME_BYTES and len(seen) < _MAX_NAMES:
            seen[name] = role
        return role

    return role_of


def tells_of_origin(plain: bytes) -> bool:
    """Whether a header (lower case, hyphens) tells where a request comes from or was meant for."""
    return plain in _ORIGINS or plain.startswith(_ORIGINS_TOO)


def _is_proxys(plain: bytes) -> bool:
    """Whether only a proxy may tell an application this."""
    is_certificates = plain in _OF_CERTIFICATES or plain.startswith(_OF_CERTIFICATES_TOO)
    return is_certificates or plain in _REWRITES


def _plain(name: bytes) -> bytes:
    return name.lower().replace(b"_", b"-")


def _settled(found: list[bytes | None]) -> tuple[bytes, str]:
    """Return the one key that was found and no fault, or no key and why."""
    if not found:
        return b"", "missing_api_key"
    first = found[0]
    if len(found) > 1 and any(other != first for other in found):
        return b"", "ambiguous_credentials"
    return (b"", "malformed_credentials") if first is None else (first, "")


def _checked(value: bytes) -> bytes | None:
    """Return the key, or None for what no key can be: empty, huge, not visible ASCII."""
    if not value or len(value) > MAX_KEY_BYTES:
        return None
    return value if value.translate(_VISIBLE) == value else None


_VISIBLE = bytes(byte if 0x21 <= byte <= 0x7E else 0x21 for byte in range(256))  # noqa: PLR2004
"""Turns what is visible into itself, and all else into something else."""


def _of_authorization(value: bytes, tokens: list[bytes]) -> list[bytes | None]:
    """Return the key of one Authorization value; nothing where the scheme is not ours.

    A JSON Web Token is no key: it goes to `tokens`.
    """
    # Whatever parts them: servers behind us take a tab for a space.
    scheme, rest = [*value.split(None, 1), b"", b""][:2]
    rest = rest.strip()
    match scheme.lower():
        case b"bearer":
            if not _is_jwt(rest):
                return [_checked(rest)]
            tokens.append(rest)
            return []
        case b"apikey":
            return [_checked(rest)]
        case b"basic":
            return [_user_of_basic(rest)]
        case _:
            return []


def _user_of_basic(encoded: bytes) -> bytes | None:
    """Return the user name of Basic credentials (RFC 7617); padding is not optional there."""
    if len(encoded) > 2 * MAX_KEY_BYTES:
        return None
    try:
        user, colon, _ = b64decode(encoded, validate=True).partition(b":")
    except ValueError:
        return None
    return _checked(user) if colon else None


def _is_jwt(token: bytes) -> bool:
    """Tell a JSON Web Token (`{"` in base64url, three parts) from a key: it is no key."""
    return token.startswith(b"eyJ") and token.count(b".") == 2  # noqa: PLR2004  (RFC 7515 3.1)


def _of_query(query: bytes) -> list[bytes]:
    pairs = (part.partition(b"=") for part in query.split(b"&"))
    return [unquote_to_bytes(value) for name, _, value in pairs if _plain_name(name) in QUERY_NAMES]


def _plain_name(name: bytes) -> bytes:
    return (unquote_to_bytes(name) if b"%" in name else name).lower()
