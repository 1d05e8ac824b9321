"""The gateway as a server of its own: what it answers on which path.

`/auth` for nginx, `/verify` and what is below it for proxies that hand answers on whole, `/healthz`
for whoever looks after it; every other path is guarded, and what is let in goes on to the
application behind it, or is told the id of its key where there is none. Where there is one, only
trusted proxies find the first two: the application may have such paths, too.
"""

import time
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import msgspec

from gateway import forward
from gateway.access import Sink
from gateway.app import QUESTION, App, Gateway, Receive, Scope, Send, ignore
from gateway.asked import Asked, Verdict
from gateway.clients import Trust, is_within, trust_in
from gateway.extract import Header
from gateway.instant import Instant, written
from gateway.mounts import mounts
from gateway.options import Clock, Options
from gateway.reader import Reader

_JSON = (b"content-type", b"application/json")


class Faces(NamedTuple):
    """What a server runs: an application, and what answers before it."""

    app: App
    instant: Instant
    gateway: Gateway


def standalone(
    reader: Reader,
    options: Options,
    *,
    clock: Clock = time.time,
    sink: Sink = ignore,
    upstream: App | None = None,
    more: Mapping[str, App] | None = None,
) -> Faces:
    """Put the applications of the server together.

    Args:
        reader: reads the key store.
        options: the operator's.
        clock: epoch seconds.
        sink: where accesses are written to.
        upstream: the application behind the gateway.
        more: path → further application, which does its own authentication.
    """
    # One gateway for all paths: one cache, one bucket a key.
    gateway = Gateway(_by_question(upstream or _greeting), reader, options, clock, sink)
    is_trusted = trust_in(options.trusted_proxies)
    marked = _marked(gateway)
    asked: Trust = is_trusted if upstream else lambda _: True

    def face(app: App) -> App:
        return _of_proxies(app, gateway, asked)

    exactly = {
        "/auth": face(forward.for_nginx(forward.original(marked, is_trusted, "/auth"))),
        "/healthz": _health(gateway),
    }
    if options.metrics:
        exactly["/metrics"] = _metrics(gateway)
    below = {"/verify": face(forward.original(marked, is_trusted, "/verify"))}
    app = mounts(gateway, below | dict(more or {}), exactly)
    return Faces(app, _instant(gateway, is_trusted, asked), gateway)


def _of_proxies(face: App, gateway: App, asked: Trust) -> App:
    """Return what answers the questions of proxies; of others it is a request like any other.

    The application behind the gateway may have these paths, too.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("client")
        chosen = face if asked(peer[0] if peer else "") else gateway
        await chosen(scope, receive, send)

    return app


def _instant(gateway: Gateway, is_trusted: Trust, may_ask: Trust) -> Instant:
    """Return what answers proxies' questions about keys that are in memory."""

    def instant(peer: str, method: bytes, url: bytes, headers: list[Header]) -> bytes | None:
        path, _, query = url.partition(b"?")
        place = _PLACES.get(path)
        if place is None or method != b"GET" or not may_ask(peer):
            return None
        question = Asked("GET", path, query, headers, peer, has_body=False)
        asked: Asked | None = question
        if is_trusted(peer):
            asked = forward.original_of(question, place)
        elif forward.asks_for_another(question, place):
            return None
        verdict = gateway.at_once(asked) if asked is not None else None
        if asked is None or verdict is None:
            return None
        return _answered(gateway, asked, verdict, place)

    return instant


_PLACES = {b"/auth": "/auth", b"/verify": "/verify"}


def _answered(gateway: Gateway, asked: Asked, verdict: Verdict, place: str) -> bytes:
    refusal = verdict.refusal
    status: int
    headers: Sequence[Header]
    if refusal is None and (passed := forward.passed(verdict, place)):
        gateway.note(asked, verdict, 200, 0)
        return passed
    if refusal is None:
        status, headers, body = 200, forward.allowed_headers(verdict), b""
    else:
        status, headers, body = refusal.status, (*refusal.headers, *verdict.headers), refusal.body
    gateway.note(asked, verdict, status, len(body))
    if place == "/auth":
        status, headers = forward.narrowed(status, headers)
    return written(status, headers, body)


def _marked(inner: App) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await inner({**scope, QUESTION: True}, receive, send)

    return app


def _by_question(inner: App) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer = forward.allowed if QUESTION in scope else inner
        await answer(scope, receive, send)

    return app


async def _greeting(scope: Scope, receive: Receive, send: Send) -> None:
    """Tell the caller which key it came with; the embedded default has no other application."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    if scope["type"] != "http":
        await send({"type": "websocket.close", "code": 1000})
        return
    key_id = next(value for name, value in scope["headers"] if name == b"x-api-key-id")
    await _json(send, 200, {"key_id": key_id.decode(), "status": "allowed"})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        kind = (await receive())["type"]
        await send({"type": f"{kind}.complete"})
        if kind == "lifespan.shutdown":
            return


def _health(gateway: Gateway) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del scope, receive
        current = gateway.is_current()
        said = "ok" if current else "the key store cannot be read"
        await _json(send, 200 if current else 503, {"status": said})

    return app


def _metrics(gateway: Gateway) -> App:
    """Answer this machine alone: how many keys are refused and why is nobody else's affair."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        del receive
        peer = scope.get("client")
        forwarded = any(name == b"x-forwarded-for" for name, _ in scope["headers"])
        if not peer or forwarded or not is_within(peer[0], _HERE):
            await _json(send, 403, {"status": "forbidden"})
            return
        said = gateway.tally.text(
            is_current=gateway.is_current(), cached_keys=gateway.cached_keys
        ).encode()
        headers = [
            (b"content-type", b"text/plain; version=0.0.4"),
            (b"content-length", b"%d" % len(said)),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": said})

    return app


_HERE = ("127.0.0.0/8", "::1/128")


async def _json(send: Send, status: int, document: dict[str, str]) -> None:
    body = msgspec.json.encode(document)
    headers = [_JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
