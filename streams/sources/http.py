"""Access events that others post: taken in at once, acknowledged when they are committed."""

import asyncio
import gzip
import hmac
import io
import re
import threading
import zlib
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_hex

import msgspec

from streams.asgi import (
    BODY_TIMEOUT_S,
    Answer,
    Application,
    Message,
    Receive,
    Refused,
    application,
    body_of,
    expect_post,
    headers_of,
)
from streams.checkpoint import Position
from streams.chunk import Chunk
from streams.sources.closing import Closing
from vocabulary.errors import DatabaseError

PATH = "/events"
MAX_BODY = 8 << 20
MAX_UNPACKED = 32 << 20
MAX_WAITING = 64 << 20
"""Bytes that wait to be committed; who sends more is told to come again (429)."""

COMMIT_S = 30.0
"""How long a sender is kept waiting for the commit."""

_KEY = re.compile(r"[\x21-\x7e]{1,200}")
_ARRAY = msgspec.json.Decoder(list[msgspec.Raw])

_MOST_SETTLED = 10_000

Known = Callable[[Sequence[str]], set[str]]
"""Idempotency keys → those whose batch is committed."""


@dataclass(slots=True)
class _Batch:
    key: str
    lines: list[bytes]
    size: int
    done: "Future[bool]" = field(default_factory=Future)


class HttpSource(Closing):
    """Lines that are posted; a batch is answered when the transaction that holds it is committed.

    A batch counts once, whoever sends it again and however often: its idempotency key, the header
    `Idempotency-Key` or else the hash of its body, is committed with it.

    Args:
        name: of the source.
        known: asked whether a batch is committed already.
        max_waiting: see MAX_WAITING.
    """

    done = False

    def __init__(self, name: str, known: Known, max_waiting: int = MAX_WAITING) -> None:
        self.name, self._known, self._max_waiting = f"http:{name}", known, max_waiting
        self._lock = threading.Lock()
        self._waiting: deque[_Batch] = deque()
        self._given: list[_Batch] = []
        self._settled: dict[str, None] = {}
        self._size = 0
        self._closed = False
        self._run, self._number = token_hex(8), 0

    def open(self, position: Position | None) -> None:
        """Give again what was given last and not committed."""
        del position
        given = self._given
        known = self._known([batch.key for batch in given]) if given else set()
        for batch in reversed(given):
            if batch.key in known:
                self._settle(batch)
            else:
                with self._lock:
                    self._waiting.appendleft(batch)
        self._given = []

    def read(self, max_lines: int, timeout_s: float) -> Chunk | None:
        """Return what was posted, whole batches at a time; what was given before is committed."""
        del timeout_s
        # Settled before it is forgotten: who sends the same meanwhile finds it in one or the other.
        for batch in self._given:
            self._settle(batch)
        self._given = []
        lines: list[bytes] = []
        with self._lock:
            while self._waiting and (
                not lines or len(lines) + len(self._waiting[0].lines) <= max_lines
            ):
                batch = self._waiting.popleft()
                self._given.append(batch)
                lines += batch.lines
        if not self._given:
            return None
        numbers = list(range(self._number + 1, self._number + len(lines) + 1))
        self._number += len(lines)
        keys = [batch.key for batch in self._given]
        position = {"run": self._run, "lines": self._number, "deliveries": keys}
        return Chunk(self.name, lines, numbers, position, {"run": self._run})

    def close(self) -> None:
        """Leave senders without their answer: they come again, and what was committed is known."""
        with self._lock:
            self._closed = True
            left = [*self._given, *self._waiting]
            self._waiting.clear()
            self._given = []
        for batch in left:
            batch.done.cancel()

    def offer(self, key: str, lines: list[bytes]) -> "Future[bool]":
        """Put a batch into the queue; the result comes when it is committed.

        Raises:
            Refused: when too much waits already, or nothing is taken in any more.
        """
        batch = _Batch(key, lines, sum(map(len, lines)))
        with self._lock:
            if self._closed:
                raise Refused(503, "closing", (b"retry-after", b"5"))
            if key in self._settled:  # since the sender's batch was looked for in the database
                return _true()
            same = next((one for one in (*self._waiting, *self._given) if one.key == key), None)
            if same is not None:
                return same.done
            if self._size and self._size + batch.size > self._max_waiting:
                raise Refused(429, "too much waits to be committed", (b"retry-after", b"1"))
            self._waiting.append(batch)
            self._size += batch.size
        return batch.done

    def is_known(self, key: str) -> bool:
        """Say whether a batch is committed."""
        return bool(self._known([key]))

    def _settle(self, batch: _Batch) -> None:
        with self._lock:
            self._size -= batch.size
            self._settled[batch.key] = None
            if len(self._settled) > _MOST_SETTLED:
                del self._settled[next(iter(self._settled))]
        if not batch.done.done():
            batch.done.set_result(True)


def _true() -> "Future[bool]":
    done: Future[bool] = Future()
    done.set_result(True)
    return done


def app(
    source: HttpSource,
    tokens: Sequence[str],
    *,
    body_timeout_s: float = BODY_TIMEOUT_S,
    commit_s: float = COMMIT_S,
) -> Application:
    """Return the application: `POST /events` with `Authorization: Bearer TOKEN`.

    The body is lines, or a JSON array with an element a line; `Content-Encoding: gzip` is read.
    200 says that all of it is committed. 401, 404, 405, 408, 413, 400 say what is wrong; 429 and
    503 say to send the same again.

    Args:
        source: gets what is posted.
        tokens: each of them lets in; without one nobody is.
        body_timeout_s: for the whole body.
        commit_s: how long to wait for the commit.
    """
    hashes = [sha256(token.encode()).digest() for token in tokens if token]

    async def take_in(scope: Message, receive: Receive) -> Answer:
        if scope["path"] != PATH:
            raise Refused(404, "not here")
        headers = headers_of(scope)
        _authenticate(headers, hashes)
        expect_post(scope, headers, MAX_BODY)
        body = await body_of(receive, MAX_BODY, body_timeout_s)
        key = _idempotency_key(headers, body)
        lines = await asyncio.to_thread(_lines, headers, body)
        if not lines:
            return Answer(200, "committed", body={"status": "committed", "lines": 0})
        return await _committed(source, key, lines, commit_s)

    return application(take_in)


async def _committed(source: HttpSource, key: str, lines: list[bytes], commit_s: float) -> Answer:
    again = (b"retry-after", b"5")
    try:
        if await asyncio.to_thread(source.is_known, key):
            return Answer(200, "known")
        future = asyncio.wrap_future(source.offer(key, lines))
        await asyncio.wait_for(asyncio.shield(future), commit_s)
    except (TimeoutError, asyncio.CancelledError, DatabaseError):
        raise Refused(503, "not committed yet: send it again", again) from None
    return Answer(200, "committed", body={"status": "committed", "lines": len(lines)})


def _authenticate(headers: dict[str, str], hashes: Sequence[bytes]) -> None:
    kind, _, token = headers.get("authorization", "").partition(" ")
    given = sha256(token.strip().encode("latin-1", "replace")).digest()
    # Every token is tried, whichever fits: the time tells nothing.
    fits = [hmac.compare_digest(given, one) for one in hashes]
    if kind.lower() != "bearer" or not any(fits):
        raise Refused(401, "no token that is known here", (b"www-authenticate", b"Bearer"))


def _idempotency_key(headers: dict[str, str], body: bytes) -> str:
    given = headers.get("idempotency-key", "").strip('"')
    if not given:
        return f"sha256:{sha256(body).hexdigest()}"
    if not _KEY.fullmatch(given):
        raise Refused(400, "Idempotency-Key: not 1 to 200 printable characters")
    return f"key:{given}"


def _lines(headers: dict[str, str], body: bytes) -> list[bytes]:
    encoding = headers.get("content-encoding", "identity").lower()
    if encoding not in {"identity", "gzip"}:
        raise Refused(415, "Content-Encoding: only gzip", (b"accept-encoding", b"gzip"))
    text = _unpacked(body) if encoding == "gzip" else body
    if text.lstrip()[:1] == b"[" and headers.get("content-type", "").startswith("application/json"):
        try:
            return [bytes(one).replace(b"\n", b" ") for one in _ARRAY.decode(text)]
        except (msgspec.MsgspecError, ValueError, RecursionError):
            raise Refused(400, "no JSON array") from None
    return [line for line in text.split(b"\n") if line.strip()]


def _unpacked(body: bytes) -> bytes:
    """Unpack one or more gzip members."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(body)) as packed:
            text = packed.read(MAX_UNPACKED + 1)
    except EOFError:
        raise Refused(400, "gzip data ends too early") from None
    except (zlib.error, OSError):
        raise Refused(400, "gzip data is damaged") from None
    if len(text) > MAX_UNPACKED:
        raise Refused(413, "too large when unpacked")
    return text
