"""The gateway as raw ASGI: in front of an application, it lets through, throttles or denies."""

import os
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from hashlib import sha256
from itertools import count
from typing import Any

from gateway.accesslog import Access, Sink
from gateway.answers import REFUSALS, Refusal, throttled
from gateway.clients import client_of, trust_in
from gateway.extract import (
    MAX_HEADER_BYTES,
    QUERY_NAMES,
    Extracted,
    Header,
    extractor,
    without_secrets,
)
from gateway.limits import Buckets, headers_of
from gateway.options import Clock, Options, Ticks
from gateway.reader import Reader
from gateway.standing import Standing
from gateway.validate import Validator

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_NOBODY = Standing("", "")
_QUERY_WARNING: Header = (b"x-keywatch-warning", b"api-key-in-query")
_CUT = 1024


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
        self._inner, self._clock, self._sink, self._ticks = inner, clock, sink, ticks
        self._extract = extractor(options.headers, query_keys=options.query_keys)
        self._query_keys = options.query_keys
        self._is_trusted = trust_in(options.trusted_proxies)
        self._limits = options.limits
        self._buckets = Buckets()
        self._validator = Validator(reader, options, clock, ticks)
        self._started = self._ready = False
        self._run_id = os.urandom(10).hex()
        self._numbers = count()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer or pass on one request, websocket or lifespan."""
        if scope["type"] == "lifespan":
            await self._lifespan(scope, receive, send)
            return
        if not self._ready:
            await self._start()
        now = self._clock()
        extracted = self._read(scope)
        standing, refusal, headers = await self._decide(extracted, now)
        answer = _Answer(send, headers)
        try:
            if refusal is None:
                await self._inner(self._passed_on(scope, extracted, standing), receive, answer)
            elif scope["type"] == "http":
                await answer.refuse(refusal)
            else:
                await answer.refuse_websocket(refusal, scope, receive)
        finally:
            self._sink(self._access(scope, extracted, standing, answer, now))

    def is_current(self) -> bool:
        """Whether keys can be checked: the key store was heard of lately."""
        return self._validator.is_current()

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
            await send(message)

        try:
            await self._inner(scope, receive, started)
        finally:
            if self._started:
                self._started = self._ready = False
                self._validator.stop()

    def _read(self, scope: Scope) -> Extracted:
        query = scope["query_string"]
        if len(scope.get("raw_path") or b"") + len(query) > MAX_HEADER_BYTES:
            return Extracted(b"", [], {}, "headers_too_large")
        return self._extract(scope["headers"], query)

    async def _decide(
        self, extracted: Extracted, now: float
    ) -> tuple[Standing, Refusal | None, Sequence[Header]]:
        """Return how the key stands, the refusal if there is one, and headers of the answer."""
        if extracted.fault:
            return _NOBODY, REFUSALS[extracted.fault], ()
        standing = self._validator.cached(extracted.secret, now)
        if standing is None:
            standing = await self._validator.look_up(extracted.secret)
        if standing.fault:
            return standing, REFUSALS[standing.fault], standing.headers
        headers: Sequence[Header] = standing.headers
        limits = self._limits
        if standing.throttle is not None:
            limits = (*limits, standing.throttle)
        if limits:
            allowance = self._buckets.take(standing.key_id, limits, self._ticks())
            assert allowance is not None
            if not allowance.allowed:
                return standing, throttled(allowance, now), headers
            headers = (*headers, *headers_of(allowance, now))
        if extracted.from_query:
            headers = (*headers, _QUERY_WARNING)
        return standing, None, headers

    def _passed_on(self, scope: Scope, extracted: Extracted, standing: Standing) -> Scope:
        """Return the request as the application sees it; the server's own is left alone."""
        identity = [
            (b"x-api-key-id", standing.key_id.encode()),
            (b"x-api-key-environment", standing.environment.encode()),
        ]
        passed = {**scope, "headers": extracted.headers + identity}
        if self._query_keys:
            passed["query_string"] = without_secrets(scope["query_string"], QUERY_NAMES)
        return passed

    def _access(
        self, scope: Scope, extracted: Extracted, standing: Standing, answer: "_Answer", at: float
    ) -> Access:
        noted = extracted.noted
        peer = scope.get("client")
        client = peer[0] if peer else ""
        request_id = ""
        if self._is_trusted(client):
            client = client_of(client, noted.get(b"x-forwarded-for", b""), self._is_trusted)
            request_id = _plain_id(noted.get(b"x-request-id", b""))
        return Access(
            at,
            client,
            scope.get("method", "GET"),
            _target(scope, extracted),
            scope.get("http_version", "1.1"),
            answer.status,
            answer.size,
            noted.get(b"user-agent", b""),
            request_id or f"{self._run_id}{next(self._numbers):012x}",
            standing.key_id,
        )


class _Answer:
    """The way back: adds headers to the answer and counts what is sent."""

    __slots__ = ("_headers", "_send", "size", "status")

    def __init__(self, send: Send, headers: Sequence[Header]) -> None:
        self._send, self._headers = send, headers
        # What a server answers for an application that says nothing.
        self.status = 500
        self.size = 0

    async def __call__(self, message: Message) -> None:
        kind = message["type"]
        if kind in {"http.response.body", "websocket.http.response.body"}:
            self.size += len(message.get("body", b""))
        elif kind in {"http.response.start", "websocket.http.response.start"}:
            self.status = message["status"]
            message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
        elif kind == "websocket.accept":
            self.status = 101
            message = {**message, "headers": [*message.get("headers", ()), *self._headers]}
        elif kind == "websocket.close" and self.status != 101:  # noqa: PLR2004
            self.status = 403
        await self._send(message)

    async def refuse(self, refusal: Refusal, prefix: str = "") -> None:
        """Answer in the application's place."""
        start = f"{prefix}http.response.start"
        await self({"type": start, "status": refusal.status, "headers": list(refusal.headers)})
        await self({"type": f"{prefix}http.response.body", "body": refusal.body})

    async def refuse_websocket(self, refusal: Refusal, scope: Scope, receive: Receive) -> None:
        """Refuse the handshake, with the real status where the server can send one."""
        await receive()
        if "websocket.http.response" in (scope.get("extensions") or {}):
            await self.refuse(refusal, "websocket.")
        else:
            await self({"type": "websocket.close", "code": 1008})
            self.status = refusal.status


def _target(scope: Scope, extracted: Extracted) -> bytes:
    """Return path and query for the log, the values of key parameters replaced by tokens."""
    path: bytes = scope.get("raw_path") or scope["path"].encode()
    if extracted.fault == "headers_too_large":
        return path[:_CUT]
    query: bytes = scope["query_string"]
    return path + b"?" + without_secrets(query, replacement=_token) if query else path


def _token(secret: bytes) -> bytes:
    """Return the name under which an unknown credential is followed; see `Credential.token`."""
    return b"credential:" + sha256(secret).hexdigest()[:16].encode()


def _plain_id(value: bytes) -> str:
    """Return a proxy's request id if it is harmless in a log: visible ASCII, not too long."""
    harmless = len(value) <= 128 and value.isascii() and value.decode("ascii").isprintable()  # noqa: PLR2004
    return value.decode("ascii") if harmless else ""
