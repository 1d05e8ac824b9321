"""A small ASGI application that takes webhooks in, and answers before anything is done with them.

ASGI: https://asgi.readthedocs.io/en/stable/specs/www.html.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, MutableMapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Engine

from database.transaction import transaction
from streams import repoqueue
from streams.sources import github
from vocabulary.errors import DatabaseError, FormatError, SignatureError
from vocabulary.repository import RepoEvent

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

BODY_TIMEOUT_S = 10.0
"""Seconds that a sender has for its whole body."""

_PATH = "/webhooks/github"


@dataclass(frozen=True, slots=True)
class _Answer:
    status: int
    said: str
    header: tuple[bytes, bytes] | None = None


class _Refused(Exception):  # noqa: N818  (an answer, not an error)
    def __init__(self, status: int, said: str, header: tuple[bytes, bytes] | None = None) -> None:
        super().__init__(said)
        self.answer = _Answer(status, said, header)


def app(
    engine: Engine,
    github_secrets: Sequence[str],
    *,
    clock: Callable[[], float] = time.time,
    tell: Callable[[str], None] = lambda _: None,
    body_timeout_s: float = BODY_TIMEOUT_S,
) -> Application:
    """Return the application: `POST /webhooks/github` puts a push into the queue.

    It answers 202 when the push is queued, 200 when there is nothing to do (a ping, a delivery
    that is known), 401 for a signature that does not fit, 400, 404, 405, 408, 413 for what
    is no webhook, and 503 when the database does not take it.

    Args:
        engine: the database with the queue.
        github_secrets: what GitHub signs with; without one everything is refused.
        clock: epoch seconds.
        tell: called with what a person should know.
        body_timeout_s: see BODY_TIMEOUT_S.
    """
    intake = _Intake(engine, github_secrets, clock, tell, body_timeout_s)

    async def application(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            try:
                answer = await intake.take_in(scope, receive)
            except _Refused as refused:
                answer = refused.answer
            await _send(send, answer)

    return application


@dataclass(frozen=True, slots=True)
class _Intake:
    engine: Engine
    secrets: Sequence[str]
    clock: Callable[[], float]
    tell: Callable[[str], None]
    body_timeout_s: float

    async def take_in(self, scope: Message, receive: Receive) -> _Answer:
        headers = _headers(scope)
        _expect(scope, headers)
        event = self._event(scope, headers, await self._body(receive))
        if event is None:
            return _Answer(200, "nothing to do")
        try:
            queued = await asyncio.to_thread(self._put, event)
        except DatabaseError as error:
            self.tell(str(error))
            raise _Refused(503, "try again", (b"retry-after", b"10")) from None
        return _Answer(202, "queued") if queued else _Answer(200, "known")

    async def _body(self, receive: Receive) -> bytes:
        try:
            return await asyncio.wait_for(_body(receive), self.body_timeout_s)
        except TimeoutError:
            raise _Refused(408, "the body did not come in time") from None

    def _event(self, scope: Message, headers: dict[str, str], body: bytes) -> RepoEvent | None:
        try:
            return github.repo_event(headers, body, self.secrets, self.clock())
        except SignatureError as error:
            self.tell(f"{error}; from {_peer(scope)}")
            raise _Refused(401, error.what) from None
        except FormatError as error:
            raise _Refused(400, error.what) from None

    def _put(self, event: RepoEvent) -> bool:
        with transaction(self.engine) as connection:
            return repoqueue.put(connection, event)


def _headers(scope: Message) -> dict[str, str]:
    return {name.decode("latin-1").lower(): v.decode("latin-1") for name, v in scope["headers"]}


def _peer(scope: Message) -> str:
    return str((scope.get("client") or ("an unknown address",))[0])


def _expect(scope: Message, headers: dict[str, str]) -> None:
    """Refuse what cannot be a delivery before its body is read."""
    if scope["path"] != _PATH:
        raise _Refused(404, "not here")
    if scope["method"] != "POST":
        raise _Refused(405, "only POST", (b"allow", b"POST"))
    if not headers.get(github.SIGNATURE):
        raise _Refused(401, "no signature")
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise _Refused(400, "no length")
    if int(length[:20]) > github.MAX_BODY:
        raise _Refused(413, "too large")


async def _body(receive: Receive) -> bytes:
    parts = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise _Refused(400, "cut off")
        parts += message.get("body", b"")
        if len(parts) > github.MAX_BODY:
            raise _Refused(413, "too large")
        if not message.get("more_body", False):
            return bytes(parts)


async def _send(send: Send, answer: _Answer) -> None:
    body = json.dumps({"status": answer.said}).encode()
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    headers += [answer.header] if answer.header else []
    await send({"type": "http.response.start", "status": answer.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _lifespan(receive: Receive, send: Send) -> None:
    while True:
        message = await receive()
        await send({"type": f"{message['type']}.complete"})
        if message["type"] == "lifespan.shutdown":
            return
