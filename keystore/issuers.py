"""Issuers of OAuth 2.0 tokens: what is expected of theirs, and what is asked of them.

Revocation after RFC 7009, introspection after RFC 7662. Whether a token is genuine is not told
here: the gateway verifies its signature with the keys of `keystore.jwks`.
"""

from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

import msgspec

from keystore.web import Answer, Site, basic
from vocabulary.errors import ConfigError, ServiceError

ALGORITHMS = frozenset(
    "RS256 RS384 RS512 PS256 PS384 PS512 ES256 ES384 ES512 EdDSA HS256 HS384 HS512".split()
)
LONGEST_TOKEN = 16_384
_SHORTEST_SECRET = 32
_FORM = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
_UNAUTHORIZED, _BAD_REQUEST, _UNAVAILABLE = 401, 400, 503


@dataclass(frozen=True, slots=True)
class Issuer:
    """What is expected of an issuer's tokens, and where it is asked.

    Attributes:
        name: how the configuration calls it.
        issuer: the `iss` of its tokens, compared byte by byte.
        audiences: one of them must be in `aud`.
        algorithms: the only ones that are believed; `none` never is.
        jwks_url: where its public keys are.
        shared_secret: for HS algorithms, of 32 bytes or more; empty for public keys.
        types: the only `typ` that are believed, "" for none; DPoP proofs, logout tokens and the
            like are signed by the same keys.
        leeway_s: seconds by which clocks may differ.
        max_life_s: longest `exp` - `iat` that is believed.
        client_max_life_s: likewise, of tokens that speak for an OAuth client and nobody else; 0
            for the same.
        revocation_url, introspection_url: RFC 7009 and RFC 7662; empty where it has none.
        client_id, client_secret: who asks.
    """

    name: str
    issuer: str
    audiences: tuple[str, ...]
    algorithms: tuple[str, ...] = ("RS256", "ES256")
    jwks_url: str = ""
    shared_secret: str = field(default="", repr=False)
    types: tuple[str, ...] = ("JWT", "at+jwt", "")
    leeway_s: float = 30.0
    max_life_s: float = 3600.0
    client_max_life_s: float = 0.0
    revocation_url: str = ""
    introspection_url: str = ""
    client_id: str = ""
    client_secret: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        """Refuse what would let forged tokens in."""
        where = f"issuers.{self.name}"
        if not self.issuer or not self.audiences:
            raise ConfigError("an issuer has an `issuer` and `audiences`", where=where)
        if not self.algorithms or not set(self.algorithms) <= ALGORITHMS:
            known = ", ".join(sorted(ALGORITHMS))
            raise ConfigError("an algorithm cannot be believed", where=where, remedy=known)
        symmetric = [name.startswith("HS") for name in self.algorithms]
        if any(symmetric) != all(symmetric) or (any(symmetric) and self.jwks_url):
            raise ConfigError(
                "public keys and HMAC are not believed side by side: a forger would sign with "
                "the public key",
                where=where,
                remedy="name RS, PS, ES and EdDSA algorithms alone",
            )
        if any(symmetric) and len(self.shared_secret.encode()) < _SHORTEST_SECRET:
            raise ConfigError("`shared_secret` has 32 bytes or more", where=where)
        lives = (self.max_life_s, self.client_max_life_s or self.max_life_s)
        if not 0 <= self.leeway_s <= 300 or not all(60 <= life <= 86_400 for life in lives):  # noqa: PLR2004
            raise ConfigError("leeway is at most 300 s, a token's life 60 s to a day", where=where)


class Introspection(msgspec.Struct, frozen=True):
    """What an issuer says of a token (RFC 7662, 2.2); times are epoch seconds.

    Attributes:
        active: whether it is good right now; when it is not, nothing else is said.
    """

    active: bool
    scope: str = ""
    client_id: str = ""
    username: str = ""
    token_type: str = ""
    exp: float | None = None
    iat: float | None = None
    nbf: float | None = None
    sub: str = ""
    aud: str | list[str] = ""
    iss: str = ""
    jti: str = ""


def revoke_token(issuer: Issuer, token: str, hint: str = "") -> None:
    """Have an issuer revoke a token; one that it does not know is no error (RFC 7009, 2.2).

    Args:
        issuer: has a `revocation_url`.
        token: an access or refresh token.
        hint: `access_token`, `refresh_token` or empty.

    Raises:
        ConfigError: when the issuer has no such service, or does not take this kind of token.
        ServiceError: when it was not reached, asks for patience, or does not know us.
    """
    answer = _posted(issuer, issuer.revocation_url, "revocation_url", token, hint)
    if not answer.is_ok:
        raise _refusal(issuer, answer)


def introspect(issuer: Issuer, token: str, hint: str = "") -> Introspection:
    """Ask an issuer whether a token is good; what is no clear yes is a no.

    Raises:
        ConfigError: when the issuer has no such service.
        ServiceError: when it was not reached, or its answer cannot be read.
    """
    answer = _posted(issuer, issuer.introspection_url, "introspection_url", token, hint)
    if not answer.is_ok:
        raise _refusal(issuer, answer)
    try:
        said = msgspec.json.decode(answer.body, type=Introspection)
    except (msgspec.DecodeError, RecursionError):
        raise ServiceError(
            "the answer is no introspection response", where=f"issuers.{issuer.name}"
        ) from None
    if said.active and said.iss and said.iss != issuer.issuer:
        return Introspection(active=False)
    return said if said.active else Introspection(active=False)


def _posted(issuer: Issuer, url: str, entry: str, token: str, hint: str) -> Answer:
    where = f"issuers.{issuer.name}.{entry}"
    if not url:
        raise ConfigError("the issuer has no such service configured", where=where)
    if not token or len(token) > LONGEST_TOKEN:
        raise ConfigError("this is no token", where=where)
    form = {"token": token} | ({"token_type_hint": hint} if hint else {})
    known = basic(issuer.client_id, issuer.client_secret) if issuer.client_secret else {}
    if issuer.client_id and not known:
        form["client_id"] = issuer.client_id
    return Site(url, where).ask("POST", "", urlencode(form).encode(), {**_FORM, **known})


def _refusal(issuer: Issuer, answer: Answer) -> ConfigError | ServiceError:
    """Put an error response (RFC 6749, 5.2) into words; it is not trusted to hold no secret."""
    where = f"issuers.{issuer.name}"
    if answer.status == _UNAUTHORIZED:
        return ServiceError("the issuer does not know us", where=where, remedy="see `client_id`")
    if answer.status == _UNAVAILABLE:
        return ServiceError("the issuer asks for patience (503)", where=where)
    code = _error_code(answer.body)
    if answer.status == _BAD_REQUEST and code == "unsupported_token_type":
        return ConfigError("the issuer does not revoke this kind of token", where=where)
    return ServiceError(f"the issuer answered {answer.status} {code}".rstrip(), where=where)


def _error_code(body: bytes) -> str:
    try:
        said: Any = msgspec.json.decode(body)
    except (msgspec.DecodeError, RecursionError):
        return ""
    code = said.get("error") if isinstance(said, dict) else None
    return code if code in _ERRORS else ""


_ERRORS = frozenset(
    "invalid_request invalid_client invalid_grant unauthorized_client unsupported_grant_type "
    "invalid_scope unsupported_token_type".split()
)
