"""What a refused request is told: a status, a code that programs can read, a sentence."""

from types import MappingProxyType
from typing import Any

import msgspec

from gateway.extract import Header
from gateway.limits import Allowance
from gateway.quota import headers_of

_JSON: Header = (b"content-type", b"application/json")
_NO_STORE: Header = (b"cache-control", b"no-store")


class Refusal(msgspec.Struct, frozen=True, gc=False):
    """An answer that is given in place of the application's.

    Attributes:
        code: what programs tell refusals apart by.
        policy: name of the limit that is used up, empty for other refusals.
    """

    status: int
    headers: tuple[Header, ...]
    body: bytes
    code: str = ""
    policy: str = ""


_SENTENCES = {
    "missing_api_key": (401, "No API key was sent."),
    "ambiguous_credentials": (401, "The request carries credentials that differ."),
    "malformed_credentials": (401, "What was sent cannot be an API key."),
    "api_key_not_found": (401, "The API key is not known."),
    "credential_denied": (401, "The credential is refused, whoever's it is."),
    "api_key_revoked": (401, "The API key was revoked."),
    "api_key_expired": (401, "The API key has expired."),
    # 403: the key is genuine and may come back; another key is not what the client should try.
    "api_key_suspended": (403, "The API key is suspended."),
    "ip_not_allowed": (403, "The API key may not be used from this address."),
    "endpoint_not_allowed": (403, "The API key may not be used for this endpoint."),
    "model_not_allowed": (403, "The API key may not ask this model."),
    "model_unknown": (403, "The API key is for some models, and the request names none or two."),
    "insufficient_scope": (403, "The API key lacks a scope that this endpoint needs."),
    "identity_not_found": (401, "The token or certificate names nobody that is known."),
    "token_invalid": (401, "The token is not to be believed."),
    "token_key_unknown": (401, "The token is signed with a key that its issuer does not show."),
    "client_unbound": (401, "The token's client is bound to no issuer, and there are several."),
    "token_expired": (401, "The token has expired."),
    "token_not_yet_valid": (401, "The token is not valid yet."),
    "token_lives_too_long": (401, "The token lives longer than any may."),
    "token_revoked": (401, "The token was revoked."),
    "certificate_invalid": (401, "The client certificate is not to be believed."),
    "certificate_not_shown": (401, "The proxy tells of a client certificate, and shows it not."),
    "certificate_expired": (401, "The client certificate has expired."),
    "certificate_lives_too_long": (401, "The client certificate lives longer than any may."),
    "certificate_not_yet_valid": (401, "The client certificate is not valid yet."),
    "certificate_revoked": (401, "The client certificate was revoked."),
    "token_required": (401, "The API key needs a token beside it."),
    "certificate_unchecked": (503, "Whether the certificate was revoked cannot be checked now."),
    "certificate_required": (401, "The API key needs a client certificate beside it."),
    "proxy_not_trusted": (403, "This proxy is not among those that the gateway believes."),
    "ambiguous_request": (400, "The request, or its proxy, tells of more than one."),
    "headers_too_large": (431, "The request's headers are too large."),
    "limits_unavailable": (503, "Limits cannot be checked right now."),
    "key_store_unavailable": (503, "API keys cannot be checked right now."),
    "bad_target": (400, "The request's target, host or coding cannot be handed on."),
    "upstream_unreachable": (502, "The server behind the gateway cannot be reached."),
    "upstream_timeout": (504, "The server behind the gateway did not answer in time."),
}


def _body(code: str, message: str, **more: Any) -> bytes:  # noqa: ANN401
    return msgspec.json.encode({"error": {"code": code, "message": message, **more}})


def _refusal(code: str, status: int, message: str) -> Refusal:
    body = _body(code, message)
    headers = [
        _JSON,
        (b"content-length", b"%d" % len(body)),
        _NO_STORE,
        # Beside the body, for proxies that see headers alone.
        (b"x-keywatch-code", code.encode()),
    ]
    if status == 401:  # noqa: PLR2004  (RFC 9110, 15.5.2: it must name a scheme)
        why = b' error="invalid_token"' if code.startswith("token_") else b""  # RFC 6750, 3.1
        headers.append((b"www-authenticate", b"Bearer" + why))
    if code == "insufficient_scope":  # likewise
        headers.append((b"www-authenticate", b'Bearer error="insufficient_scope"'))
    if status == 503:  # noqa: PLR2004
        headers.append((b"retry-after", b"1"))
    return Refusal(status, tuple(headers), body, code)


REFUSALS = MappingProxyType({code: _refusal(code, *answer) for code, answer in _SENTENCES.items()})
"""Code → the answer; made once, since refusing must be as cheap as letting through."""


_MESSAGES = {
    "key": "Too many requests with this API key.",
    "tokens": "This API key has spent its budget of AI tokens.",
    "account": "Too many requests of this account.",
    "plan": "Too many requests of this plan.",
    "endpoint": "Too many requests for this endpoint.",
    "ip": "Too many requests from this address.",
    "global": "Too many requests.",
}


def throttled(allowance: Allowance, now: float) -> Refusal:
    """Return the 429 of a limit that is used up.

    Args:
        allowance: what the limit said.
        now: epoch seconds.
    """
    details = {
        "limit": allowance.limit.amount,
        "window": allowance.limit.window_s,
        "reset_at": round(now + allowance.reset_s, 3),
    }
    message = _MESSAGES[allowance.limit.level]
    body = _body("rate_limit_exceeded", message, details=details)
    length = (b"content-length", b"%d" % len(body))
    code = (b"x-keywatch-code", b"rate_limit_exceeded")
    headers = (_JSON, length, _NO_STORE, code, *headers_of(allowance, now))
    return Refusal(429, headers, body, "rate_limit_exceeded", allowance.limit.name)
