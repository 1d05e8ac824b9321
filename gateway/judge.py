"""What is done with a request: the one path through extraction, look-up, grants and limits.

All faces (ASGI, WSGI, forward authentication) ask here. Most requests are judged at once, from
memory; only those whose key must be looked up wait.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import msgspec

from gateway.answers import REFUSALS, Refusal, throttled
from gateway.asked import NO_PAPERS, Asked, Papers, Verdict
from gateway.clients import client_of, is_within, trust_in
from gateway.endpoints import Endpoint, applying, matcher
from gateway.extract import CERTIFICATE_HEADERS, MAX_HEADER_BYTES, Extracted, Header, extractor
from gateway.levels import Levels
from gateway.limits import Allowance, Buckets, Claim
from gateway.options import Clock, Options, Ticks
from gateway.quota import headers_of
from gateway.standing import NOBODY, Standing
from gateway.validate import Validator

if TYPE_CHECKING:
    from gateway.papers import Desk

_QUERY_WARNING: Header = (b"x-keywatch-warning", b"api-key-in-query")
_HUGE = Extracted(b"", [], {}, "headers_too_large")


class Judge:
    """Judges requests; lives on one event loop.

    Args:
        validator: knows the keys.
        options: the operator's.
        clock: epoch seconds.
        ticks: nanoseconds that never go back.
    """

    def __init__(self, validator: Validator, options: Options, clock: Clock, ticks: Ticks) -> None:
        self._validator, self._clock, self._ticks = validator, clock, ticks
        self._desk = _desk(validator, options)
        self._extract = extractor(
            options.headers,
            query_keys=options.query_keys,
            noted_too=CERTIFICATE_HEADERS if options.certificates else (),
        )
        self._is_trusted = trust_in(options.trusted_proxies)
        self._levels = Levels(options)
        self._buckets = Buckets()
        self._endpoints = applying(options.endpoints) if options.endpoints else None

    def at_once(self, asked: Asked) -> Verdict | None:
        """Judge from memory; None when the key must be looked up, or there is more than a key."""
        case = self._open(asked)
        if self._has_papers(case):
            return None
        if case.extracted.fault:
            return self._faulty(case)
        standing = self._validator.cached(case.extracted.secret, case.at)
        return None if standing is None else self._settled(asked, case, standing)

    async def in_time(self, asked: Asked) -> Verdict:
        """Judge, and wait for what must be waited for."""
        case = self._open(asked)
        # Whoever invents keys has used up an address's limit before the key store is asked.
        taken = self._take(self._levels.before(case.client))
        if taken is not None and not taken.allowed:
            return _closed(case, NOBODY, "", taken)
        papers = NO_PAPERS
        if self._desk is not None and self._has_papers(case):
            papers = await self._desk.look(
                case.extracted.token,
                case.extracted.noted,
                is_trusted=self._is_trusted(asked.peer),
                now=case.at,
            )
        fault = case.extracted.fault
        if papers.fault or (fault and not (fault == "missing_api_key" and papers.carried)):
            return _closed(case, papers.standing, papers.fault or fault, taken)
        standing = papers.standing if fault else await self._standing(case)
        verdict = self._settled(asked, case, standing, papers, is_taken=True, taken=taken)
        told = tuple((b"x-keywatch-warning", one.encode()) for one in papers.warnings)
        return msgspec.structs.replace(verdict, headers=verdict.headers + told)

    async def _standing(self, case: Verdict) -> Standing:
        standing = self._validator.cached(case.extracted.secret, case.at)
        return standing or await self._validator.look_up(case.extracted.secret)

    def _has_papers(self, case: Verdict) -> bool:
        """Whether a token or a certificate came that is to be looked at."""
        if self._desk is None:
            return False
        extracted = case.extracted
        return bool(extracted.token) or not CERTIFICATE_HEADERS.isdisjoint(extracted.noted)

    def _open(self, asked: Asked) -> Verdict:
        """Return the case as far as the request alone tells."""
        at = self._clock()
        huge = len(asked.path) + len(asked.query) > MAX_HEADER_BYTES
        extracted = _HUGE if huge else self._extract(asked.headers, asked.query)
        client = asked.peer
        if self._is_trusted(client):
            forwarded = extracted.noted.get(b"x-forwarded-for", b"")
            client = client_of(client, forwarded, self._is_trusted)
        elif self._desk is not None and not CERTIFICATE_HEADERS.isdisjoint(extracted.noted):
            extracted = _without_certificate(extracted)
        return Verdict(at, client, extracted, NOBODY, None, ())

    def _faulty(self, case: Verdict) -> Verdict:
        taken = self._take(self._levels.before(case.client))
        return _closed(case, NOBODY, case.extracted.fault, taken)

    def _settled(
        self,
        asked: Asked,
        case: Verdict,
        standing: Standing,
        papers: Papers = NO_PAPERS,
        *,
        is_taken: bool = False,
        taken: Allowance | None = None,
    ) -> Verdict:
        """Judge a request whose key is known, or known not to be.

        `is_taken` says that the claims of `before` were made already; `taken` is what they said.
        """
        endpoints = self._endpoints(asked.method, asked.path) if self._endpoints else ()
        fault = standing.grant.fault or _narrowed(
            asked, case.client, standing, endpoints, papers.carried
        )
        claims = [] if fault else self._levels.after(standing, case.client, endpoints)
        if not is_taken:
            claims += self._levels.before(case.client)
        allowance = self._take(claims)
        if allowance is None or (
            taken is not None and allowance.allowed and taken.remaining < allowance.remaining
        ):
            allowance = taken
        return _closed(case, standing, fault, allowance)

    def _take(self, claims: Sequence[Claim]) -> Allowance | None:
        return self._buckets.take(claims, self._ticks()) if claims else None


def _without_certificate(extracted: Extracted) -> Extracted:
    """Return what is left when somebody told of a certificate who is no trusted proxy."""
    headers = [header for header in extracted.headers if header[0] not in CERTIFICATE_HEADERS]
    noted = {n: value for n, value in extracted.noted.items() if n not in CERTIFICATE_HEADERS}
    return msgspec.structs.replace(extracted, headers=headers, noted=noted)


def _desk(validator: Validator, options: Options) -> "Desk | None":
    """Return who looks at tokens and certificates, where any are taken."""
    if not (options.issuers or options.certificates):
        return None
    from gateway.papers import Desk  # noqa: PLC0415  (needs the extra `tokens`)
    from gateway.tokens import Tokens  # noqa: PLC0415  (likewise)

    tokens = Tokens(options.issuers) if options.issuers else None
    return Desk(
        validator,
        tokens,
        certificates=options.certificates,
        unregistered=options.unregistered,
    )


def _narrowed(
    asked: Asked,
    client: str,
    standing: Standing,
    endpoints: tuple[Endpoint, ...],
    carried: frozenset[str],
) -> str:
    """Return the code of the refusal when the key is not for this; empty when it is."""
    grant = standing.grant
    if grant.is_narrow:
        if grant.networks and not is_within(client, grant.networks):
            return "ip_not_allowed"
        if grant.endpoints and not matcher(grant.endpoints)(asked.method, asked.path):
            return "endpoint_not_allowed"
        for paper in grant.requires:
            if paper not in carried:
                return f"{paper}_required"
    for one in endpoints:
        if not set(one.scopes) <= set(grant.scopes):
            return "insufficient_scope"
    return ""


def _closed(case: Verdict, standing: Standing, fault: str, allowance: Allowance | None) -> Verdict:
    """Return the case with its end: let through, throttled or refused."""
    headers = standing.grant.headers
    refusal: Refusal | None = None
    if allowance is not None and not allowance.allowed:
        refusal = throttled(allowance, case.at)
    else:
        if fault:
            refusal = REFUSALS[fault]
        if allowance is not None:
            headers += headers_of(allowance, case.at)
    if case.extracted.from_query:
        headers = (*headers, _QUERY_WARNING)
    return Verdict(case.at, case.client, case.extracted, standing, refusal, headers)
