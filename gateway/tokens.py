"""JSON Web Tokens (RFC 7519, RFC 8725): is this one genuine, for us, of now, and of whom.

Only the algorithms that the issuer's configuration names are believed, only with a key of their
own kind; `none`, keys inside or named by the token (`jwk`, `jku`, `x5u`) and critical extensions
that nobody here knows are refused. Nothing of a token is shown in an error.
"""

from collections.abc import Callable, Iterable, Mapping
from hashlib import sha256
from typing import Any, NamedTuple

import jwt
import msgspec

from gateway.cache import Generations
from gateway.spellings import is_exact
from keystore.denials import DenyList
from keystore.issuers import LONGEST_TOKEN, Issuer
from keystore.jwks import Jwk, Jwks, jwks_of
from vocabulary.errors import KeywatchError

_MOST_HELD = 50_000
_KINDS = {"RS": "RSA", "PS": "RSA", "ES": "EC", "Ed": "OKP", "HS": "oct"}
_CURVES = {"ES256": "P-256", "ES384": "P-384", "ES512": "P-521"}
_LONGEST_KID = 256


class TokenError(KeywatchError):
    """A token is refused; `code` is what the client is told."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Passport(msgspec.Struct, frozen=True):
    """What a genuine token says; times are epoch seconds.

    Attributes:
        client: OAuth client that it was given to; empty when not said.
        issued_at: None when it does not say.
        until: from then on it is not good any more, the leeway counted in.
        scopes: empty where it has none.
    """

    issuer: str
    subject: str
    client: str
    jti: str
    issued_at: float | None
    until: float
    scopes: tuple[str, ...] = ()


class _Held(NamedTuple):
    """A token that was verified, and with which key: when that is withdrawn the token goes, too."""

    passport: Passport
    kid: str
    key: Jwk | None


class Fetch(NamedTuple):
    """What is to be asked of an issuer: `keys.key(kid)`, which may take long."""

    keys: Jwks
    kid: str


class Tokens:
    """The issuers that are believed, and the tokens of theirs that were seen lately; one thread.

    Args:
        issuers: by whatever name.
        keys: issuer → its public keys.
    """

    def __init__(
        self, issuers: Iterable[Issuer], keys: Callable[[Issuer], Jwks | None] | None = None
    ) -> None:
        found = keys or _keys_of
        self._issuers = {one.issuer: (one, found(one)) for one in issuers}
        self._seen: Generations[_Held] = Generations(_MOST_HELD)
        self.are_several = len(self._issuers) > 1
        """Whether a client id alone tells nobody whose client it is."""

    def to_fetch(self, token: bytes) -> Fetch | None:
        """Return what fetches the key that this token needs, None when all is at hand.

        Forged tokens cannot make it fetch more often than `Jwks` allows.
        """
        held = self._seen.get(sha256(token).digest())
        try:
            if held is not None:
                kid, (_, keys) = held.kid, self._issuers[held.passport.issuer]
            else:
                header, claims = _unverified(token)
                kid, (_, keys) = _kid(header), self._issuer_of(claims)
        except TokenError:
            return None
        if keys is None or not keys.needs_fetch(kid):
            return None
        return Fetch(keys, kid)

    def verify(self, token: bytes, denied: DenyList, now: float) -> Passport:
        """Return what the token says, with the keys that are at hand.

        Args:
            token: as it was sent.
            denied: what is refused although it is genuine.
            now: epoch seconds.

        Raises:
            TokenError: when it is not to be believed, or not any more.
        """
        digest = sha256(token).digest()
        held = self._seen.get(digest)
        if held is None or held.key != self._key(held.passport.issuer, held.kid):
            held = self._verified(token, now)
            self._seen.put(digest, held)
        passport = held.passport
        if now >= passport.until:
            raise TokenError("token_expired")
        told = (passport.issuer, passport.subject, passport.jti, passport.issued_at, now)
        if denied.token(*told):
            raise TokenError("token_revoked")
        return passport

    def _key(self, issuer: str, kid: str) -> Jwk | None:
        keys = self._issuers[issuer][1]
        return keys.held(kid) if keys is not None else None

    def _issuer_of(self, claims: Mapping[str, Any]) -> tuple[Issuer, Jwks | None]:
        name = claims.get("iss")
        found = self._issuers.get(name) if isinstance(name, str) else None
        if found is None:
            raise TokenError("token_invalid")
        return found

    def _verified(self, token: bytes, now: float) -> _Held:
        header, unproven = _unverified(token)
        issuer, keys = self._issuer_of(unproven)
        algorithm = header.get("alg")
        if algorithm not in issuer.algorithms or header.get("crit") is not None:
            raise TokenError("token_invalid")
        if not _is_of_type(header.get("typ", ""), issuer.types):
            raise TokenError("token_invalid")
        kid = _kid(header)
        found = keys.held(kid) if keys is not None else None
        key = _key_for(algorithm, issuer, found)
        try:
            claims = jwt.decode(
                token,
                key,
                algorithms=[algorithm],
                audience=issuer.audiences,
                issuer=issuer.issuer,
                # Times are judged below, by the clock that we were given.
                options={"verify_exp": False, "verify_nbf": False, "verify_iat": False},
            )
        except (jwt.PyJWTError, ValueError, TypeError, KeyError):
            # Which of its checks it was would only help who forges.
            raise TokenError("token_invalid") from None
        return _Held(_passport(claims, issuer, now), kid, found)


def _is_of_type(typ: object, types: Iterable[str]) -> bool:
    """Whether a token is meant for this (RFC 8725, 3.11); `typ` may be written out or short."""
    if not isinstance(typ, str):
        return False
    return _type(typ) in {_type(one) for one in types}


def _type(text: str) -> str:
    return text.lower().removeprefix("application/")


def _keys_of(issuer: Issuer) -> Jwks | None:
    return jwks_of(issuer.jwks_url, issuer.name) if issuer.jwks_url else None


def _unverified(token: bytes) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """Return header and claims as they are written; nothing of them is proven."""
    if len(token) > LONGEST_TOKEN or not is_exact(token):
        raise TokenError("token_invalid")
    try:
        parts = jwt.api_jwt.decode_complete(token, options={"verify_signature": False})
    except (jwt.PyJWTError, ValueError, TypeError, RecursionError):
        raise TokenError("token_invalid") from None
    return parts["header"], parts["payload"]


def _kid(header: Mapping[str, Any]) -> str:
    kid = header.get("kid", "")
    if not isinstance(kid, str) or len(kid) > _LONGEST_KID:
        return "?"
    return kid


def _key_for(algorithm: str, issuer: Issuer, found: Jwk | None) -> Any:  # noqa: ANN401
    """Return the key that the token must be signed with, of the algorithm's own kind."""
    if algorithm.startswith("HS"):
        return issuer.shared_secret.encode()
    if found is None:
        raise TokenError("token_key_unknown")
    if not _fits(found, algorithm):
        raise TokenError("token_invalid")
    try:
        return jwt.PyJWK(dict(found), algorithm).key
    except (jwt.PyJWTError, ValueError, TypeError, KeyError):
        raise TokenError("token_invalid") from None


def _fits(key: Jwk, algorithm: str) -> bool:
    curve = _CURVES.get(algorithm)
    return (
        key.get("kty") == _KINDS[algorithm[:2]]
        and key.get("alg") in (None, algorithm)
        and curve in (None, key.get("crv"))
    )


def _passport(claims: Mapping[str, Any], issuer: Issuer, now: float) -> Passport:
    """Read the claims of a token whose signature is right.

    Raises:
        TokenError: when it is too old, too young, lives too long or says things that cannot be.
    """
    ends, issued, begins = (_moment(claims, name) for name in ("exp", "iat", "nbf"))
    leeway = issuer.leeway_s
    subject, client = _text(claims, "sub"), _text(claims, "client_id") or _text(claims, "azp")
    if ends is None or not (subject or client):
        raise TokenError("token_invalid")
    if now >= ends + leeway:
        raise TokenError("token_expired")
    if any(begin is not None and begin > now + leeway for begin in (issued, begins)):
        raise TokenError("token_not_yet_valid")
    begun = next((begin for begin in (issued, begins) if begin is not None), now)
    if ends - begun > _longest_life_s(issuer, subject, client) + leeway:
        raise TokenError("token_lives_too_long")
    return Passport(
        issuer=issuer.issuer,
        subject=subject or client,
        client=client,
        jti=_text(claims, "jti"),
        issued_at=issued,
        until=ends + leeway,
        scopes=_scopes(claims),
    )


def _longest_life_s(issuer: Issuer, subject: str, client: str) -> float:
    """Return how long a token may live: one that speaks for a client alone may have its own life.

    Its `sub` is the client's id, or it has none (RFC 9068, 2.2; client credentials).
    """
    is_of_client = bool(client) and subject in ("", client)
    return (is_of_client and issuer.client_max_life_s) or issuer.max_life_s


def _moment(claims: Mapping[str, Any], name: str) -> float | None:
    value = claims.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e12:  # noqa: PLR2004
        raise TokenError("token_invalid")
    return float(value)


def _text(claims: Mapping[str, Any], name: str) -> str:
    value = claims.get(name, "")
    if not isinstance(value, str) or len(value) > 1024 or not _is_text(value):  # noqa: PLR2004
        raise TokenError("token_invalid")
    return value


def _is_text(value: str) -> bool:
    """Whether it can be written in UTF-8: JSON may name half a character, which is none."""
    return value.isascii() or not any("\ud800" <= sign <= "\udfff" for sign in value)


def _scopes(claims: Mapping[str, Any]) -> tuple[str, ...]:
    """Return `scope` (RFC 8693, 4.2), or `scp` as others write it: words, or a list of them."""
    found = claims.get("scope", claims.get("scp", ""))
    if isinstance(found, str):
        return tuple(found.split())
    if isinstance(found, list) and all(isinstance(one, str) for one in found):
        return tuple(found)
    raise TokenError("token_invalid")
