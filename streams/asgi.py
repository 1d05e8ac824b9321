"""The little that our ASGI applications need: bounded bodies, short answers.

https://asgi.readthedocs.io/en/stable/specs/www.html
"""

import asyncio
import json
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
Application = Callable[[Message, Receive, Send], Awaitable[None]]

BODY_TIMEOUT_S = 10.0
"""Seconds that a sender has for its whole body."""

Header = tuple[bytes, bytes]


@dataclass(frozen=True, slots=True)
class Answer:
    """A status, and what is said with it: as `{"status": …}`, or a body of another kind."""

    status: int
    said: str
    header: Header | None = None
    body: Any = field(default=None)


class Refused(Exception):  # noqa: N818  (an answer, not an error)
    """The request ends here."""

    def __init__(self, status: int, said: str, header: Header | None = None) -> None:
        super().__init__(said)
        self.answer = Answer(status, said, header)


def application(take_in: Callable[[Message, Receive], Awaitable[Answer]]) -> Application:
    """Return an application that answers what `take_in` returns or raises as `Refused`."""

    async def answering(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await _lifespan(receive, send)
        elif scope["type"] == "http":
            try:
                answer = await take_in(scope, receive)
            except Refused as refused:
                answer = refused.answer
            await _send(send, answer)

    return answering


def headers_of(scope: Message) -> dict[str, str]:
    """Return the headers by their names in lower case."""
    return {name.decode("latin-1").lower(): v.decode("latin-1") for name, v in scope["headers"]}


def peer_of(scope: Message) -> str:
    """Return the address of who asks."""
    return str((scope.get("client") or ("an unknown address",))[0])


def expect_post(scope: Message, headers: dict[str, str], longest: int) -> None:
    """Refuse another method, or a body that says itself that it is too long, before it is read."""
    if scope["method"] != "POST":
        raise Refused(405, "only POST", (b"allow", b"POST"))
    length = headers.get("content-length", "0")
    if not (length.isascii() and length.isdigit()):
        raise Refused(400, "no length")
    if int(length[:20]) > longest:
        raise Refused(413, "too large")


class Room:
    """Memory for bodies whose senders have proven nothing yet: a signature is over the whole.

    Args:
        size: bytes that all large bodies may hold together.
        free: bytes of each that are not counted, so that who fills the room keeps no ordinary
            delivery out.
    """

    def __init__(self, size: int = 256 << 20, free: int = 256 << 10) -> None:
        self._left, self._free = size, free

    def take(self, before: int, after: int) -> None:
        """Make room for a body that grows from `before` to `after` bytes, or gives them back.

        Raises:
            Refused: there is none.
        """
        more = max(0, after - self._free) - max(0, before - self._free)
        if more > self._left:
            raise Refused(503, "too much comes at once", (b"retry-after", b"10"))
        self._left -= more


async def body_of(
    receive: Receive, longest: int, timeout_s: float = BODY_TIMEOUT_S, room: Room | None = None
) -> bytes:
    """Return the body; a sender that is slow or sends too much is refused.

    Args:
        receive: of the request.
        longest: bytes.
        timeout_s: for the whole body.
        room: what it shares with others; None for its sender's alone.
    """
    try:
        return await asyncio.wait_for(_body(receive, longest, room), timeout_s)
    except TimeoutError:
        raise Refused(408, "the body did not come in time") from None


async def _body(receive: Receive, longest: int, room: Room | None) -> bytes:
    parts, taken = bytearray(), 0
    try:
        while True:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise Refused(400, "cut off")
            parts += message.get("body", b"")
            if len(parts) > longest:
                raise Refused(413, "too large")
            if room:
                room.take(taken, len(parts))
                taken = len(parts)
            if not message.get("more_body", False):
                return bytes(parts)
    finally:
        if room:
            room.take(taken, 0)


async def _send(send: Send, answer: Answer) -> None:
    body = json.dumps({"status": answer.said} if answer.body is None else answer.body).encode()
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
