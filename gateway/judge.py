"""What is done with a request: the one path through extraction, look-up, grants and limits.

All faces (ASGI, WSGI, forward authentication) ask here. Most requests are judged at once, from
memory; only those whose key must be looked up wait.
"""

from collections.abc import Sequence

import msgspec

from gateway.answers import REFUSALS, Refusal, throttled
from gateway.asked import NO_PAPERS, Asked, Papers, Verdict
from gateway.clients import client_of, is_within, trust_in
from gateway.endpoints import Endpoint, applying, matcher
from gateway.extract import (
    CERTIFICATE_HEADERS,
    MAX_HEADER_BYTES,
    OVERRIDES,
    Extracted,
    Header,
    extractor,
)
from gateway.extras import desk_of, shared_of
from gateway.levels import Levels
from gateway.limits import Allowance, Buckets, Claim, tighter
from gateway.options import Clock, Options, Ticks
from gateway.problems import suited
from gateway.quota import headers_of
from gateway.standing import NOBODY, Grant, Standing
from gateway.validate import Validator
from vocabulary.errors import ServiceError

_QUERY_WARNING: Header = (b"x-keywatch-warning", b"api-key-in-query")
_Case = tuple[float, str, Extracted]
"""A request as far as it alone tells: when it came, from which client, with which credential."""

_NO_CERTIFICATE = frozenset({b"", b"NONE"})
"""What proxies say of a client that showed none."""

_MOST_OVERRIDES = 4
"""Methods that a request may name beside its own: each is judged, and nobody has use for more."""

_HUGE = Extracted(b"", [], {}, "headers_too_large")
_NUL = Extracted(b"", [], {}, "bad_target")
"""Programs in C read a path up to it, others all of it; nginx and Apache refuse it, too."""


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
        self._desk = desk_of(validator, options)
        self._extract = extractor(options.headers, query_keys=options.query_keys)
        self._extract_of_proxy = extractor(
            options.headers,
            query_keys=options.query_keys,
            certificate_header=options.certificate_header,
            from_proxy=True,
        )
        self._is_trusted = trust_in(options.trusted_proxies)
        self._of_certificate = CERTIFICATE_HEADERS.get(options.certificate_header, frozenset())
        self._levels = Levels(options)
        self._buckets = Buckets()
        # What an answer costs is known when it is there: budgets are paid afterwards.
        self._ledger = validator.ledger
        self._shared = shared_of(options)
        self._is_closed_without_redis = options.closed_without_redis
        self._endpoints = applying(options.endpoints) if options.endpoints else None
        self._limit = options.limits[0] if options.limits else None
        # Nearly every gateway has one limit a key and no more, and nearly every key no own one.
        more = options.account_limits or options.ip_limits or options.global_limits
        simple = not (more or options.endpoints or self._shared)
        self._is_usual = simple and len(options.limits) < 2  # noqa: PLR2004

    async def close(self) -> None:
        """Give connections back."""
        if self._shared is not None:
            await self._shared.close()

    def at_once(self, asked: Asked) -> Verdict | None:
        """Judge from memory; None when the key must be looked up, or there is more than a key."""
        case = at, client, extracted = self._open(asked)
        if self._desk is not None and self._has_papers(extracted):
            return None
        if extracted.fault:
            return self._faulty(case)
        now_ns = self._ticks()
        standing = self._validator.cached(extracted.secret, at, now_ns)
        if standing is None:
            return None
        grant = standing.grant
        if not (grant.is_plain and self._is_usual) or extracted.from_query:
            return self._of_known(asked, case, standing)
        limit, taken = self._limit, None
        if limit is not None:
            taken = self._buckets.take_one(limit, standing.key_id, now_ns)
            if not taken.allowed:
                return _closed(case, standing, "", taken)
        return Verdict(at, client, extracted, standing, None, grant.headers, (), taken)

    def _of_known(self, asked: Asked, case: _Case, standing: Standing) -> Verdict | None:
        """Judge whoever is known; None when what is counted elsewhere must be asked for."""
        overspent = self._overspent(standing)
        if overspent is not None:
            return _closed(case, standing, "", overspent)
        fault, claims = self._weighed(asked, case, standing)
        claims += self._levels.before(case[1])
        if claims and self._shared is not None:
            return None
        taken = self._buckets.take(claims, self._ticks()) if claims else None
        return _closed(case, standing, fault, taken)

    async def in_time(self, asked: Asked) -> Verdict:
        """Judge, and wait for what must be waited for."""
        case = at, client, extracted = self._open(asked)
        before = self._levels.before(client)
        standing, papers, taken = None, NO_PAPERS, None
        if not extracted.fault and not self._has_papers(extracted):
            standing = self._validator.cached(extracted.secret, at, self._ticks())
        try:
            if standing is None:
                # Whoever invents keys has used up an address's limit before anybody is asked.
                taken, before = await self._take(before), ()
                if taken is not None and not taken.allowed:
                    return _closed(case, NOBODY, "", taken)
                standing, papers = await self._identified(case)
            beside = _beside(standing, papers)
            for one in (standing, *beside):
                overspent = self._overspent(one)
                if overspent is not None:
                    return _closed(case, standing, "", overspent)
            fault, claims = self._weighed(asked, case, standing, papers, beside)
            allowance = await self._take((*claims, *before))
        except ServiceError:
            return _closed(case, standing or NOBODY, "limits_unavailable", None)
        verdict = _closed(case, standing, fault, tighter(allowance, taken))
        told = tuple((b"x-keywatch-warning", one.encode()) for one in papers.warnings)
        return msgspec.structs.replace(verdict, plain=verdict.plain + told, beside=beside)

    async def _identified(self, case: _Case) -> tuple[Standing, Papers]:
        """Look up who sends the request; a fault of what it shows is a standing, too."""
        papers, (at, _, extracted) = NO_PAPERS, case
        if self._desk is not None and self._has_papers(extracted):
            papers = await self._desk.look(extracted.token, extracted.noted, now=at)
        fault = extracted.fault
        if fault == "missing_api_key" and papers.carried:
            fault = ""
            standing = papers.standing
        elif not fault:
            standing = await self._standing(extracted.secret, at)
        if papers.fault or fault:
            return Standing(papers.standing.key_id, Grant(papers.fault or fault)), papers
        return standing, papers

    async def _standing(self, secret: bytes, at: float) -> Standing:
        standing = self._validator.cached(secret, at, self._ticks())
        return standing or await self._validator.look_up(secret)

    def _has_papers(self, extracted: Extracted) -> bool:
        """Whether a token or a certificate came that is to be looked at."""
        if self._desk is None:
            return False
        if extracted.token:
            return True
        noted = extracted.noted
        return any(noted.get(name, b"") not in _NO_CERTIFICATE for name in self._of_certificate)

    def _open(self, asked: Asked) -> _Case:
        """Return the case as far as the request alone tells."""
        at, client = self._clock(), asked.peer
        is_trusted = self._is_trusted(client)
        if len(asked.path) + len(asked.query) > MAX_HEADER_BYTES:
            extracted = _HUGE
        elif b"%00" in asked.path:
            extracted = _NUL
        elif is_trusted:
            extracted = self._extract_of_proxy(asked.headers, asked.query)
        else:
            extracted = self._extract(asked.headers, asked.query)
        if is_trusted and (forwarded := extracted.noted.get(b"x-forwarded-for")):
            client = client_of(client, forwarded, self._is_trusted)
        return at, client, extracted

    def _faulty(self, case: _Case) -> Verdict | None:
        _, client, extracted = case
        claims = self._levels.before(client)
        if claims and self._shared is not None:
            return None
        taken = self._buckets.take(claims, self._ticks())
        return _closed(case, NOBODY, extracted.fault, taken)

    def spent(self, verdict: Verdict, tokens: int) -> None:
        """Note that an answer cost so many AI tokens, of each identity that the request showed."""
        everyone = (verdict.standing, *verdict.beside)
        claims = [(budget, one.key_id) for one in everyone for budget in one.grant.budgets]
        self._ledger.charge(claims, tokens)

    def _overspent(self, standing: Standing) -> Allowance | None:
        """Return the word of a budget that is used up; None when there is room in all."""
        budgets = standing.grant.budgets
        return self._ledger.overspent(budgets, standing.key_id) if budgets else None

    def _weighed(
        self,
        asked: Asked,
        case: _Case,
        standing: Standing,
        papers: Papers = NO_PAPERS,
        beside: tuple[Standing, ...] = (),
    ) -> tuple[str, list[Claim]]:
        """Return why an identity may not do this, and what it claims when it may.

        Scopes are what is allowed: those of who speaks count. All else holds back, and counts of
        everybody who is named `beside`.
        """
        grant = standing.grant
        if grant.fault:
            return grant.fault, []
        is_asked = grant.is_narrow or beside or self._endpoints
        overrides = _overrides(case[2]) if is_asked else ()
        if len(overrides) > _MOST_OVERRIDES:
            return "ambiguous_request", []
        endpoints: tuple[Endpoint, ...] = ()
        if self._endpoints:
            endpoints = self._endpoints(asked.method, asked.path, *overrides)
        if grant.is_narrow or endpoints:
            fault = _narrowed(asked, case[1], standing, endpoints, papers.carried, overrides)
            if fault:
                return fault, []
        claims = self._levels.after(standing, case[1], endpoints)
        for one in beside:
            fault = _narrowed(asked, case[1], one, (), papers.carried, overrides)
            if fault:
                return fault, []
            claims += self._levels.after(one, case[1], endpoints)
        # What two of them share (an account, an endpoint) is claimed once.
        return "", list(dict.fromkeys(claims)) if beside else claims

    async def _take(self, claims: Sequence[Claim]) -> Allowance | None:
        """Take the tokens where they are counted.

        Raises:
            ServiceError: when the shared ones cannot be read, and that is to close the door.
        """
        now_ns = self._ticks()
        if self._shared is None or not claims:
            return self._buckets.take(claims, now_ns)
        # What this gateway alone let through is never more than all did: should Redis lose what
        # it counted, at least that is known. The times are chosen so that otherwise it never
        # refuses what Redis allows.
        own = self._buckets.take(claims, now_ns, only_look=True)
        if own is not None and not own.allowed:
            return own
        try:
            allowance = await self._shared.take(claims)
        except ServiceError:
            if self._is_closed_without_redis:
                raise
            return self._buckets.take(claims, now_ns)
        if allowance.allowed:
            own = self._buckets.take(claims, self._ticks(), since_ns=now_ns)
            if own is not None and not own.allowed:
                return own
        return allowance


def _overrides(extracted: Extracted) -> tuple[str, ...]:
    """Return the methods that an application may take in the place of the request's own."""
    told = [extracted.noted[name] for name in OVERRIDES if name in extracted.noted]
    words = b",".join(told).decode("latin-1").upper().split(",") if told else ()
    return tuple(dict.fromkeys(word.strip() for word in words if word.strip()))


def _beside(standing: Standing, papers: Papers) -> tuple[Standing, ...]:
    """Return who is named beside the identity that speaks; of a refused request nobody counts."""
    if standing.grant.fault:
        return ()
    return tuple(one for one in papers.standings if one is not standing)


def _narrowed(
    asked: Asked,
    client: str,
    standing: Standing,
    endpoints: tuple[Endpoint, ...],
    carried: frozenset[str],
    overrides: tuple[str, ...],
) -> str:
    """Return the code of the refusal when the key is not for this; empty when it is."""
    grant = standing.grant
    if grant.is_narrow:
        if grant.networks and not is_within(client, grant.networks):
            return "ip_not_allowed"
        if grant.endpoints:
            is_allowed = matcher(grant.endpoints)
            # It must be for whatever the application may take for the method.
            if not all(is_allowed(method, asked.path) for method in (asked.method, *overrides)):
                return "endpoint_not_allowed"
        if grant.models and not asked.has_body:
            return "model_unknown"
        for paper in grant.requires:
            if paper not in carried:
                return f"{paper}_required"
    for one in endpoints:
        if not set(one.scopes) <= set(grant.scopes):
            return "insufficient_scope"
    return ""


def _closed(case: _Case, standing: Standing, fault: str, allowance: Allowance | None) -> Verdict:
    """Return how a case ends: let through, throttled or refused."""
    at, client, extracted = case
    headers = standing.grant.headers
    refusal: Refusal | None = None
    if allowance is not None and not allowance.allowed:
        refusal = throttled(allowance, at)
    else:
        if fault:
            refusal = REFUSALS[fault]
        if allowance is not None:
            headers += headers_of(allowance, at)
    if refusal is not None:
        refusal = suited(refusal, extracted.headers)
    if extracted.from_query:
        headers = (*headers, _QUERY_WARNING)
    return Verdict(at, client, extracted, standing, refusal, headers)
