"""The gateway as a server of its own: what it answers on which path.

`/auth` for nginx, `/verify` for proxies that hand answers on whole, `/healthz` for whoever looks
after it; every other path is guarded, and what is let in goes on to the application behind it, or
is told the id of its key where there is none.
"""

import time
from collections.abc import Mapping

import msgspec

from gateway import forward
from gateway.accesslog import Sink
from gateway.app import App, Gateway, Receive, Scope, Send, ignore
from gateway.clients import trust_in
from gateway.mounts import mounts
from gateway.options import Clock, Options
from gateway.reader import Reader

_JSON = (b"content-type", b"application/json")


def standalone(
    reader: Reader,
    options: Options,
    *,
    clock: Clock = time.time,
    sink: Sink = ignore,
    upstream: App | None = None,
    more: Mapping[str, App] | None = None,
) -> App:
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
    asked = forward.original(_marked(gateway), trust_in(options.trusted_proxies))
    own: dict[str, App] = {
        "/auth": forward.for_nginx(asked),
        "/verify": asked,
        "/healthz": _health(gateway),
    }
    return mounts(gateway, own | dict(more or {}))


_MARK = "keywatch.forward"


def _marked(inner: App) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        await inner({**scope, _MARK: True}, receive, send)

    return app


def _by_question(inner: App) -> App:
    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        answer = forward.allowed if _MARK in scope else inner
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


async def _json(send: Send, status: int, document: dict[str, str]) -> None:
    body = msgspec.json.encode(document)
    headers = [_JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
