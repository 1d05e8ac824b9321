"""A reverse proxy as ASGI application: what the gateway lets through goes on to one server."""

import asyncio
from contextlib import suppress
from ssl import create_default_context
from typing import NamedTuple
from urllib.parse import urlsplit

import httptools

from gateway.app import Receive, Scope, Send
from gateway.clients import Trust
from gateway.exchange import Incoming, chunk_of, head_of
from gateway.problems import refuse
from vocabulary.errors import ConfigError

_READ_BYTES = 64 * 1024
_IDLE = 64
_SAFE = frozenset({"GET", "HEAD", "OPTIONS"})

Peer = tuple[asyncio.StreamReader, asyncio.StreamWriter]


class Upstream:
    """Hands requests on to a server, over connections that are kept.

    Args:
        url: http:// or https://, host and port.
        is_trusted: whose X-Forwarded-For is continued.
        timeout_s: seconds that the server may take to connect, and then to begin to answer.

    Raises:
        ConfigError: for another kind of URL.
    """

    def __init__(self, url: str, is_trusted: Trust, timeout_s: float = 60.0) -> None:
        scheme, self._host, self._port = _parts(url)
        self._ssl = create_default_context() if scheme == "https" else None
        self._is_trusted, self._timeout_s = is_trusted, timeout_s
        self._idle: list[Peer] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Hand one request on and its answer back."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
        elif scope["type"] != "http":
            await send({"type": "websocket.close", "code": 1011})
        else:
            await self._request(scope, receive, send)

    async def _request(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            head, chunked = head_of(scope, self._is_trusted)
        except ValueError:
            await refuse(send, "bad_target", scope["headers"])
            return
        bodiless = not chunked and not any(n == b"content-length" for n, _ in scope["headers"])
        request = _Request(head, receive, bodiless=bodiless, chunked=chunked)
        incoming = Incoming(scope["method"])
        may_repeat = bodiless and scope["method"] in _SAFE
        try:
            peer, sending = await self._begin(request, incoming, may_repeat=may_repeat)
        except TimeoutError:
            await refuse(send, "upstream_timeout", scope["headers"])
        except (OSError, httptools.HttpParserError):
            await refuse(send, "upstream_unreachable", scope["headers"])
        else:
            await self._answer(peer, sending, incoming, send)

    async def _begin(
        self, request: "_Request", incoming: Incoming, *, may_repeat: bool
    ) -> tuple[Peer, asyncio.Task[None]]:
        """Send the request and wait for the head of the answer, while the body is still sent."""
        while True:
            peer, is_fresh = await self._peer()
            sending = asyncio.create_task(_send(peer[1], request))
            try:
                async with asyncio.timeout(self._timeout_s):
                    while not incoming.has_head:
                        incoming.feed(await _read(peer[0]))
            except BaseException as error:
                sending.cancel()
                peer[1].close()
                # The server may have closed a kept connection just as we took it.
                closed = isinstance(error, ConnectionError) and not incoming.status
                if not (closed and may_repeat and not is_fresh):
                    raise
            else:
                return peer, sending

    async def _answer(
        self, peer: Peer, sending: asyncio.Task[None], incoming: Incoming, send: Send
    ) -> None:
        is_whole = False
        try:
            is_whole = await _hand_back(peer[0], incoming, send)
        finally:
            # An answer that is complete before the request was ends the request with it.
            is_sent = sending.done()
            sending.cancel()
            if is_whole and is_sent and incoming.is_reusable and len(self._idle) < _IDLE:
                self._idle.append(peer)
            else:
                peer[1].close()

    async def _peer(self) -> tuple[Peer, bool]:
        while self._idle:
            reader, writer = self._idle.pop()
            if not reader.at_eof() and not writer.is_closing():
                return (reader, writer), False
            writer.close()
        async with asyncio.timeout(self._timeout_s):
            return await asyncio.open_connection(self._host, self._port, ssl=self._ssl), True

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for _, writer in self._idle:
            writer.close()
        await send({"type": "lifespan.shutdown.complete"})


async def _read(reader: asyncio.StreamReader) -> bytes:
    raw = await reader.read(_READ_BYTES)
    if not raw:
        raise ConnectionResetError
    return raw


def _parts(url: str) -> tuple[str, str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        plain = not (parts.path.strip("/") or parts.query or parts.username)
    except (ValueError, KeyError):
        plain = False
    if not plain or not parts.hostname:
        raise ConfigError(
            "this is no upstream", where="upstream", remedy="write it like http://127.0.0.1:8000"
        )
    return parts.scheme, parts.hostname, port


class _Request(NamedTuple):
    head: bytes
    receive: Receive
    bodiless: bool
    chunked: bool


async def _send(writer: asyncio.StreamWriter, request: _Request) -> None:
    """Write the request; a failure shows when the answer is read."""
    with suppress(OSError):
        writer.write(request.head)
        more = not request.bodiless
        while more:
            message = await request.receive()
            if message["type"] != "http.request":
                writer.close()  # the client went away in the middle
                return
            body, more = message.get("body", b""), message.get("more_body", False)
            if body:
                writer.write(chunk_of(body) if request.chunked else body)
            await writer.drain()
        if request.chunked:
            writer.write(chunk_of(b""))
        await writer.drain()


async def _hand_back(reader: asyncio.StreamReader, incoming: Incoming, send: Send) -> bool:
    """Hand the answer to the client as it comes; tell whether all of it came."""
    start = {"status": incoming.status, "headers": incoming.headers}
    await send({"type": "http.response.start", **start})
    while not incoming.is_complete:
        body = incoming.take_body()
        if body:
            await send({"type": "http.response.body", "body": body, "more_body": True})
        try:
            raw = await reader.read(_READ_BYTES)
            incoming.feed(raw)
        except (OSError, httptools.HttpParserError):
            return False
        if not raw:
            break
    if incoming.is_cut_off:
        # No end is sent: the client must not take a part for the whole.
        return False
    await send({"type": "http.response.body", "body": incoming.take_body()})
    return True
