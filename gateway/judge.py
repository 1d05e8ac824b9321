"""What is done with a request: the one path through extraction, look-up, grants and limits.

All faces (ASGI, WSGI, forward authentication) ask here. Most requests are judged at once, from
memory; only those whose key must be looked up wait.
"""

from collections.abc import Sequence

from gateway.answers import REFUSALS, Refusal, throttled
from gateway.asked import Asked, Verdict
from gateway.clients import client_of, is_within, trust_in
from gateway.endpoints import Endpoint, applying, matcher
from gateway.extract import MAX_HEADER_BYTES, Extracted, Header, extractor
from gateway.levels import Levels
from gateway.limits import Allowance, Buckets, Claim
from gateway.options import Clock, Options, Ticks
from gateway.quota import headers_of
from gateway.standing import NOBODY, Standing
from gateway.validate import Validator

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
        self._extract = extractor(options.headers, query_keys=options.query_keys)
        self._is_trusted = trust_in(options.trusted_proxies)
        self._levels = Levels(options)
        self._buckets = Buckets()
        self._endpoints = applying(options.endpoints) if options.endpoints else None

    def at_once(self, asked: Asked) -> Verdict | None:
        """Judge from memory; None when the key must be looked up."""
        case = self._open(asked)
        if case.extracted.fault:
            return self._faulty(case)
        standing = self._validator.cached(case.extracted.secret, case.at)
        return None if standing is None else self._settled(asked, case, standing)

    async def in_time(self, asked: Asked) -> Verdict:
        """Judge, and wait for the look-up if there must be one."""
        case = self._open(asked)
        if case.extracted.fault:
            return self._faulty(case)
        standing = self._validator.cached(case.extracted.secret, case.at)
        if standing is not None:
            return self._settled(asked, case, standing)
        # Whoever invents keys has used up an address's limit before the key store is asked.
        taken = self._take(self._levels.before(case.client))
        if taken is not None and not taken.allowed:
            return _closed(case, NOBODY, "", taken)
        standing = await self._validator.look_up(case.extracted.secret)
        return self._settled(asked, case, standing, is_taken=True, taken=taken)

    def _open(self, asked: Asked) -> Verdict:
        """Return the case as far as the request alone tells."""
        at = self._clock()
        huge = len(asked.path) + len(asked.query) > MAX_HEADER_BYTES
        extracted = _HUGE if huge else self._extract(asked.headers, asked.query)
        client = asked.peer
        if self._is_trusted(client):
            forwarded = extracted.noted.get(b"x-forwarded-for", b"")
            client = client_of(client, forwarded, self._is_trusted)
        return Verdict(at, client, extracted, NOBODY, None, ())

    def _faulty(self, case: Verdict) -> Verdict:
        taken = self._take(self._levels.before(case.client))
        return _closed(case, NOBODY, case.extracted.fault, taken)

    def _settled(
        self,
        asked: Asked,
        case: Verdict,
        standing: Standing,
        *,
        is_taken: bool = False,
        taken: Allowance | None = None,
    ) -> Verdict:
        """Judge a request whose key is known, or known not to be.

        `is_taken` says that the claims of `before` were made already; `taken` is what they said.
        """
        endpoints = self._endpoints(asked.method, asked.path) if self._endpoints else ()
        fault = standing.grant.fault or _narrowed(asked, case.client, standing, endpoints)
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


def _narrowed(
    asked: Asked, client: str, standing: Standing, endpoints: tuple[Endpoint, ...]
) -> str:
    """Return the code of the refusal when the key is not for this; empty when it is."""
    grant = standing.grant
    if grant.is_narrow:
        if grant.networks and not is_within(client, grant.networks):
            return "ip_not_allowed"
        if grant.endpoints and not matcher(grant.endpoints)(asked.method, asked.path):
            return "endpoint_not_allowed"
        if grant.requires:
            return f"{grant.requires[0]}_required"
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
