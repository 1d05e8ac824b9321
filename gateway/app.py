"""The gateway as raw ASGI: in front of an application, it lets through, throttles or denies."""

import os
import time
from collections.abc import Awaitable, Callable, Iterable, MutableMapping, Sequence
from itertools import count
from typing import Any
from urllib.parse import quote

import msgspec

from gateway.access import Access, Sink
from gateway.answers import REFUSALS, Refusal
from gateway.asked import Asked, Verdict
from gateway.clients import trust_in
from gateway.extract import QUERY_NAMES, Extracted, Header, without_secrets
from gateway.judge import Judge
from gateway.ledger import Ledger
from gateway.models import fault_of, whole
from gateway.options import Clock, Options, Ticks
from gateway.problems import suited
from gateway.querykeys import QueryWarnings
from gateway.reader import Reader
from gateway.tally import Tally
from gateway.uses import Uses
from gateway.validate import Validator
from keystore.unregistered import name_of_secret

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

QUESTION = "keywatch.forward"
"""Entry of the scope of a request that only asks for another one."""


def ignore(access: Access) -> None:
    """Write it nowhere: the sink of who wants no access log."""
    del access


class Gateway:
    """Checks the API key of each request before `inner` sees it.

    The application finds the key's id in the header `X-Api-Key-Id`, which no client can set.
    It is started by the lifespan protocol, or else by the first request.

    Args:
        inner: the application.
        reader: reads the key store; the gateway starts and stops it.
        options: the operator's.
        clock: epoch seconds.
        sink: where accesses are written to.
        ticks: nanoseconds that never go back.
    """

    def __init__(
        self,
        inner: App,
        reader: Reader,
        options: Options = Options(),  # noqa: B008  (frozen)
        clock: Clock = time.time,
        sink: Sink = ignore,
        ticks: Ticks = time.monotonic_ns,
    ) -> None:
        self._inner, self._sink = inner, sink
        self._query_keys = options.query_keys
        self.tokens_header = options.tokens_header.lower().encode("ascii", "replace")
        """Name of the header by which the application says what an answer cost; lower case."""
        self._is_trusted = trust_in(options.trusted_proxies)
        uses = Uses(clock, options.count_uses, options.uses_kept_s)
        self._ledger = ledger = Ledger(reader.engine.url, clock, options.cached_s, uses=uses)
        self._validator = Validator(reader, ledger, options, clock, ticks)
        self._judge = Judge(self._validator, options, clock, ticks)
        self._started = self._ready = False
        self._query_warnings = QueryWarnings(ticks)
        self._run_id = os.urandom(10).hex()
        self._numbers = count()
        self.tally = Tally()
        """What became of requests, for metrics."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request, websocket or lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        asked = asked_of(scope)
        verdict = (self._ready and self._judge.at_once(asked)) or await self.judge(asked)
        answer = _Answer(send, verdict.headers, self.tokens_header)
        if verdict.refusal is None and (models := _models_of(verdict)):
            fault = "model_unknown"
            if scope["type"] == "http":
                body, receive = await whole(receive)
                faults = (fault_of(body, patterns, asked.method) for patterns in models)
                fault = next((one for one in faults if one), "")
            if fault:
                refusal = suited(REFUSALS[fault], scope["headers"])
                verdict = msgspec.structs.replace(verdict, refusal=refusal)
        try:
            if verdict.refusal is None:
                await self._inner(self._passed_on(scope, verdict), receive, answer.send)
            elif scope["type"] == "http":
                await answer.refuse(verdict.refusal)
            else:
                await answer.refuse_websocket(verdict.refusal, scope, receive)
        finally:
            if answer.tokens:
                self.spent(verdict, answer.tokens)
            self.note(asked, verdict, answer.status, answer.size, answer.tokens)

    async def judge(self, asked: Asked) -> Verdict:
        """Judge a request, and wait for what must be waited for. The caller calls `note`."""
        if not self._ready:
            await self._start()
        return self._judge.at_once(asked) or await self._judge.in_time(asked)

    def at_once(self, asked: Asked) -> Verdict | None:
        """Judge a request without waiting; None when that cannot be. The caller calls `note`."""
        return self._judge.at_once(asked) if self._ready else None

    def spent(self, verdict: Verdict, tokens: int) -> None:
        """Note that an answer cost so many AI tokens; any thread may."""
        self._judge.spent(verdict, tokens)

    def is_current(self) -> bool:
        """Whether keys can be checked: the key store was heard of lately."""
        return self._validator.is_current()

    @property
    def cached_keys(self) -> int:
        """Number of keys in memory."""
        return self._validator.cached_keys

    async def close(self) -> None:
        """End what was started; the next request would start it again."""
        self._started = self._ready = False
        self._validator.stop()
        await self._judge.close()

    async def _start(self) -> None:
        if not self._started:
            self._started = True
            self._validator.start()
        await self._validator.ready()
        self._ready = True

    async def _lifespan(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Start before the application and stop after it."""

        async def started(message: Message) -> None:
            if message["type"] == "lifespan.startup.complete":
                await self._start()
            elif message["type"] == "lifespan.shutdown.complete" and self._started:
                # Now: once the server has been told, it ends whatever still waits.
                await self.close()
            await send(message)

        try:
            await self._inner(scope, receive, started)
        finally:
            if self._started:
                await self.close()

    def _passed_on(self, scope: Scope, verdict: Verdict) -> Scope:
        """Return the request as the application sees it; the server's own is left alone."""
        passed = dict(scope)
        passed["headers"] = [*verdict.extracted.headers, *identity_of(verdict)]
        if self._query_keys:
            passed["query_string"] = without_secrets(scope["query_string"], QUERY_NAMES)
        return passed

    def note(self, asked: Asked, verdict: Verdict, status: int, size: int, tokens: int = 0) -> None:
        """Count a request and its answer, and tell the access log of it."""
        extracted, refusal = verdict.extracted, verdict.refusal
        at, client, method = verdict.at, verdict.client, asked.method
        noted, target = extracted.noted, asked.path
        agent, given = noted.get(b"user-agent", b""), noted.get(b"x-request-id")
        request_id = _plain_id(given) if given and self._is_trusted(asked.peer) else ""
        key_id = verdict.standing.key_id
        credential = ""
        if asked.query:
            target = _target(asked, extracted)
        if len(target) + len(agent) > _MOST_LOGGED:
            target, agent = cut(target), cut(agent)
        if not key_id and (shown := extracted.secret or extracted.token):
            credential = _token(shown).decode()
        if refusal is None and not extracted.from_query:
            self.tally.allowed += 1
        else:
            self.tally.add(verdict)
        counted = self._ledger.count(at, key_id, method, status, client, tokens)
        if extracted.from_query:
            self._query_warnings.note(verdict)
        self._sink(
            Access(
                at,
                client,
                method,
                target,
                asked.version,
                status,
                size,
                agent,
                request_id or f"{self._run_id}-{next(self._numbers)}",
                key_id,
                credential if extracted.secret else "",
                refusal.code if refusal is not None else "",
                credential,
                counted,
                bool(request_id),
                tokens,
            )
        )


def _models_of(verdict: Verdict) -> Sequence[tuple[str, ...]]:
    """Return which models each identity may ask, where that is narrowed."""
    own = verdict.standing.grant.models
    if not verdict.beside:
        return (own,) if own else ()
    return [one for one in (own, *(other.grant.models for other in verdict.beside)) if one]


def asked_of(scope: Scope) -> Asked:
    """Return an ASGI request as the judge reads it."""
    peer = scope.get("client")
    return Asked(
        scope.get("method", "GET"),
        scope.get("raw_path") or quote(scope["path"]).encode(),
        scope["query_string"],
        scope["headers"],
        peer[0] if peer else "",
        scope.get("http_version", "1.1"),
        has_body=QUESTION not in scope,
    )


def identity_of(verdict: Verdict) -> tuple[Header, ...]:
    """Return the headers that tell the application who it is."""
    standing = verdict.standing
    return (b"x-api-key-id", standing.key_id.encode()), standing.grant.told


_BODIES = frozenset({"http.response.body", "websocket.http.response.body"})
_STARTS = frozenset({"http.response.start", "websocket.http.response.start"})


class _Answer:
    """The way back: adds headers to the answer and counts what is sent."""

    __slots__ = ("_headers", "_send", "_tokens_header", "size", "status", "tokens")

    def __init__(self, send: Send, headers: Sequence[Header], tokens_header: bytes = b"") -> None:
        self._tokens_header, self.tokens = tokens_header, 0
        self._send, self._headers = send, headers
        # What a server answers for an application that says nothing.
        self.status = 500
        self.size = 0

    def send(self, message: Message) -> Awaitable[None]:
        """Send it on; no coroutine of its own, which would cost each message another frame."""
        kind = message["type"]
        if kind in _BODIES:
            self.size += len(message.get("body", b""))
        elif kind in _STARTS:
            self.status = message["status"]
            headers = message.get("headers", ())
            if self._tokens_header:
                self._count(headers)
            message = {**message, "headers": [*headers, *self._headers]}
        elif kind == "websocket.accept":
            self.status = 101
            message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
        elif kind == "websocket.close" and self.status != 101:  # noqa: PLR2004
            self.status = 403
        return self._send(message)

    def _count(self, headers: Iterable[Header]) -> None:
        """Note how many AI tokens the application says that its answer cost."""
        self.tokens += tokens_in(headers, self._tokens_header)

    async def refuse(self, refusal: Refusal, prefix: str = "") -> None:
        """Answer in the application's place."""
        start = f"{prefix}http.response.start"
        await self.send({"type": start, "status": refusal.status, "headers": list(refusal.headers)})
        await self.send({"type": f"{prefix}http.response.body", "body": refusal.body})

    async def refuse_websocket(self, refusal: Refusal, scope: Scope, receive: Receive) -> None:
        """Refuse the handshake, with the real status where the server can send one."""
        await receive()
        if "websocket.http.response" in (scope.get("extensions") or {}):
            await self.refuse(refusal, "websocket.")
        else:
            await self.send({"type": "websocket.close", "code": 1008})
            self.status = refusal.status


def tokens_in(headers: Iterable[Header], name: bytes) -> int:
    """Return how many AI tokens an application says that its answer cost.

    Args:
        headers: of the answer.
        name: of the header that says so, lower case.
    """
    said = [value for one, value in headers if one.lower() == name]
    return sum(int(value) for value in said if value.isdigit() and len(value) < 16)  # noqa: PLR2004


def _target(asked: Asked, extracted: Extracted) -> bytes:
    """Return path and query for the log, the values of key parameters replaced by tokens."""
    if extracted.fault == "headers_too_large" or not asked.query:
        return asked.path
    return asked.path + b"?" + without_secrets(asked.query, replacement=_token)


def cut(said: bytes) -> bytes:
    """Return what a client chose as the log tells it: of what is very long the first whole parts.

    To look through 64 KB for secrets takes hundreds of milliseconds, and anybody can send them. No
    part is cut in two: half of a secret would not be known for one.
    """
    if len(said) <= _MOST_LOGGED:
        return said
    end = max(said.rfind(sign, 0, _MOST_LOGGED) for sign in (b"/", b"?", b"&", b" ", b";"))
    return said[: end + 1] + b"..."


_MOST_LOGGED = 4096


def _token(secret: bytes) -> bytes:
    """Return the name under which an unknown credential is followed; see `Credential.token`."""
    return name_of_secret(secret).encode()


def _plain_id(value: bytes) -> str:
    """Return a proxy's request id if it is harmless in a log: visible ASCII, not too long."""
    harmless = len(value) <= 128 and value.isascii() and value.decode("ascii").isprintable()  # noqa: PLR2004
    return value.decode("ascii") if harmless else ""
