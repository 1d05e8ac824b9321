"""Tokens and certificates beside keys, or in their place: who they are, and what forbids them.

A request may carry a key, a token and a certificate: each that is there must be good. The key
speaks for the request where there is one, else the token, else the certificate; but what holds
one of them back holds the request back, whatever comes with it: who has stolen a token that is
slowed down must not be quicker by a key of their own.
"""

import asyncio
import logging
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import msgspec

from gateway.asked import Papers
from gateway.certificates import Certificate, CertificateError, check, shown
from gateway.recall import Recall
from gateway.spellings import spellings
from gateway.standing import Grant, Standing, throttle
from gateway.tokens import Fetch, Passport, TokenError, Tokens
from gateway.validate import Validator
from keystore.identities import Name, client_name, token_name
from keystore.keys import Kind
from keystore.unregistered import name_of_identity, name_of_secret

if TYPE_CHECKING:
    from keystore.jwks import Jwk, Jwks


class Desk:
    """Looks at tokens and certificates; lives on one event loop.

    Args:
        validator: knows the identities, and what is denied.
        tokens: the issuers; None where no tokens are taken.
        certificate_header: by which trusted proxies tell of certificates, one of
            `gateway.extract.CERTIFICATE_HEADERS`; empty where none are taken.
        hash_suffices: see `gateway.certificates.shown`.
        max_life_s: of certificates, see `gateway.certificates.check`.
        unregistered: whether a good token or certificate is enough where the key store knows no
            identity of its name.
        recall: tells which certificates their CA took back; None where nobody is asked.
    """

    def __init__(
        self,
        validator: Validator,
        tokens: Tokens | None,
        *,
        certificate_header: str = "",
        hash_suffices: bool = False,
        max_life_s: float = 0.0,
        unregistered: bool = False,
        recall: Recall | None = None,
    ) -> None:
        self._validator, self._tokens = validator, tokens
        self._certificates = bool(certificate_header)
        self._hash_suffices, self._unregistered = hash_suffices, unregistered
        self._max_life_s = max_life_s
        self._recall = recall or Recall(None, None)
        self._said: set[str] = set()
        self._flights: dict[Jwks, asyncio.Future[Jwk | None]] = {}

    async def look(self, token: bytes, noted: Mapping[bytes, bytes], *, now: float) -> Papers:
        """Judge what is there.

        Args:
            token: a JWT, or empty.
            noted: headers; one of a certificate is there only if a trusted proxy sent it.
            now: epoch seconds.
        """
        found: list[Standing] = []
        carried: set[str] = set()
        warnings: tuple[str, ...] = ()
        try:
            if token and self._tokens is not None:
                found += await self._of_token(self._tokens, token, now)
                carried.add("token")
            certificate = None
            if self._certificates:
                certificate = shown(noted, hash_suffices=self._hash_suffices)
            if certificate is not None:
                found += await self._of_certificate(certificate, now)
                carried.add("certificate")
                warnings = certificate.warnings(now)
        except (TokenError, CertificateError) as error:
            return Papers(error.code)
        fault = next((one.grant.fault for one in found if one.grant.fault), "")
        return Papers(fault, tuple(found), frozenset(carried), warnings)

    async def _of_token(self, tokens: Tokens, token: bytes, now: float) -> list[Standing]:
        fetch = tokens.to_fetch(token)
        if fetch is not None:
            await asyncio.shield(self._flight(fetch))
        passport = tokens.verify(token, self._validator.denials, now)
        name = Name(Kind.TOKEN, token_name(passport.issuer, passport.subject))
        known = await self._known([name], now)
        known += await self._clients(passport, now, several=tokens.are_several)
        known = self._admitted(known, name)
        speaking, *others = known
        called = (*map(name_of_secret, spellings(token)), _name(name))
        issued_at = passport.issued_at
        standing = _narrowed(speaking, known, passport)
        return [
            self._by_deny_lists(standing, called, "token_revoked", issued_at, now),
            *others,
        ]

    def _flight(self, fetch: Fetch) -> "asyncio.Future[Jwk | None]":
        """Return the fetch of the issuer's keys that is under way; all who wait share one.

        In a thread: an issuer that does not answer must not hold up anybody else.
        """
        flight = self._flights.get(fetch.keys)
        if flight is None:
            loop = asyncio.get_running_loop()
            flight = loop.run_in_executor(None, fetch.keys.key, fetch.kid)
            self._flights[fetch.keys] = flight
            flight.add_done_callback(lambda _: self._flights.pop(fetch.keys, None))
        return flight

    async def _clients(self, passport: Passport, now: float, *, several: bool) -> list[Standing]:
        """Return the client that a token was given to, where it is known.

        Client ids are each issuer's own: where there are several, a client that is bound to none
        may be anybody's.

        Raises:
            TokenError: when it is such a one.
        """
        client = passport.client
        if not client or " " in client:  # no registered id has a blank in it
            return []
        bound = Name(Kind.OAUTH_CLIENT, client_name(passport.issuer, client))
        if known := await self._known([bound], now):
            return known
        known = await self._known([Name(Kind.OAUTH_CLIENT, client)], now)
        if known and several:
            self._say_unbound(known[0].key_id)
            raise TokenError("client_unbound")
        return known

    def _say_unbound(self, key_id: str) -> None:
        if key_id not in self._said and len(self._said) < _MOST_SAID:
            self._said.add(key_id)
            _log.warning(
                "tokens for the client %s are refused: it names no issuer, and several are "
                "configured; add it again by `keywatch identities add-client --id … --issuer …`",
                key_id,
            )

    async def _of_certificate(self, certificate: Certificate, now: float) -> list[Standing]:
        check(certificate, self._validator.denials, now, max_life_s=self._max_life_s)
        await self._recall.check(certificate, now)
        names = [Name(Kind.CERTIFICATE, text) for text in certificate.names]
        standing, *others = self._admitted(await self._known(names, now), names[0])
        called, begins = [_name(name) for name in names], certificate.begins
        return [
            self._by_deny_lists(standing, called, "certificate_revoked", begins, now),
            *others,
        ]

    def _by_deny_lists(
        self,
        standing: Standing,
        names: Sequence[str],
        code: str,
        issued_at: float | None,
        now: float,
    ) -> Standing:
        """Return the standing, refused or slowed down where the deny lists say so of its names."""
        denied = self._validator.denials
        if not standing.grant.fault and denied.credential(names, now, issued_at):
            return Standing(standing.key_id, Grant(code))
        slowed = denied.pace(names, now)
        if slowed is None:
            return standing
        pace, own = throttle(slowed.per_min), standing.grant.throttle
        if own is not None and own.amount <= pace.amount:
            return standing
        grant = msgspec.structs.replace(standing.grant, throttle=pace)
        return Standing(standing.key_id, grant, standing.until)

    async def _known(self, names: Sequence[Name], now: float) -> list[Standing]:
        standings = [await self._validator.named(name, now) for name in names]
        return [one for one in standings if one.grant.fault != "api_key_not_found"]

    def _admitted(self, known: list[Standing], name: Name) -> list[Standing]:
        """Return the identities, the first that is refused before the others; never none."""
        if known:
            return sorted(known, key=lambda one: not one.grant.fault)
        if not self._unregistered:
            return [Standing("", Grant("identity_not_found"))]
        return [Standing(_name(name), _FREE)]


_FREE = Grant()
_MOST_SAID = 1000
_log = logging.getLogger(__name__)


def _name(name: Name) -> str:
    """Return what logs call somebody who is not registered."""
    return name_of_identity(name.kind.value, name.hash)


def _narrowed(standing: Standing, known: Sequence[Standing], passport: Passport) -> Standing:
    """Return the standing with the scopes that the token has, none that an identity lacks.

    Args:
        standing: who speaks.
        known: all whom the token names; without scopes of their own they lack none.
        passport: the token's.
    """
    grant = standing.grant
    limiting = [set(one.grant.scopes) for one in known if one.grant.scopes]
    scopes = tuple(scope for scope in passport.scopes if all(scope in own for own in limiting))
    narrowed = Grant(
        grant.fault, grant.headers, grant.environment, grant.throttle, grant.limits, grant.shared,
        grant.account, scopes, grant.networks, grant.endpoints, grant.requires, grant.models,
        grant.budgets,
    )  # fmt: skip
    return Standing(standing.key_id, narrowed, standing.until)
