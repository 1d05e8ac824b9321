"""Access events that others post: taken in at once, acknowledged when they are committed."""

import asyncio
import hmac
import threading
from bisect import bisect_left, bisect_right
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from hashlib import sha256
from secrets import token_hex

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
from streams.posted import delivery_key, fingerprint_of, lines_of
from streams.sources.closing import Closing
from vocabulary.errors import DatabaseError

PATH = "/events"
MAX_BODY = 8 << 20
MAX_WAITING = 64 << 20
"""Bytes that wait to be committed; who sends more is told to come again (429)."""

COMMIT_S = 30.0
"""How long a sender is kept waiting for the commit."""

_MOST_SETTLED = 10_000

Known = Callable[[Sequence[str]], Mapping[str, str]]
"""Idempotency keys → of those whose batch is committed, the fingerprint of its lines."""


@dataclass(frozen=True, slots=True)
class Committed:
    """What came of a batch; `dead` of its lines were no events, None when nobody can tell."""

    dead: int | None = None


@dataclass(slots=True)
class _Batch:
    key: str
    fingerprint: str
    lines: list[bytes]
    size: int
    first: int = 0
    done: "Future[Committed]" = field(default_factory=Future)


class HttpSource(Closing):
    """Lines that are posted; a batch is answered when the transaction that holds it is committed.

    A batch that its sender names (`Idempotency-Key`) counts once, however often it is sent: the
    name is committed with it, and with the fingerprint of its lines, so that a name that is used
    for other lines is refused. Nobody can tell of a batch without one whether it was sent before.

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
        self._settled: dict[str, str] = {}
        self._dead: list[int] = []
        self._size = 0
        self._closed = False
        self._run, self._number = token_hex(8), 0

    def open(self, position: Position | None) -> None:
        """Give again what was given last and not committed."""
        del position
        given = self._given
        known = self._known([batch.key for batch in given]) if given else {}
        for batch in reversed(given):
            if batch.key in known:
                self._settle(batch, Committed())
            else:
                with self._lock:
                    self._waiting.appendleft(batch)
        self._given = []

    def read(self, max_lines: int, timeout_s: float) -> Chunk | None:
        """Return what was posted, whole batches at a time; what was given before is committed."""
        del timeout_s
        # Settled before it is forgotten: who sends the same meanwhile finds it in one or the other.
        for batch in self._given:
            self._settle(batch, self._came_to(batch))
        self._given, self._dead = [], []
        lines: list[bytes] = []
        with self._lock:
            while self._waiting and (
                not lines or len(lines) + len(self._waiting[0].lines) <= max_lines
            ):
                batch = self._waiting.popleft()
                batch.first = self._number + len(lines) + 1
                self._given.append(batch)
                lines += batch.lines
        if not self._given:
            return None
        numbers = list(range(self._number + 1, self._number + len(lines) + 1))
        self._number += len(lines)
        keys = {batch.key: batch.fingerprint for batch in self._given}
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

    def note_dead(self, offsets: Sequence[int]) -> None:
        """Hear which lines of the last chunk were no events: their senders are told."""
        self._dead = sorted(offsets)

    def offer(self, key: str, lines: list[bytes]) -> "Future[Committed]":
        """Put a batch into the queue; the result comes when it is committed.

        Raises:
            Refused: when too much waits already, nothing is taken in any more, or the key names
                other lines.
        """
        batch = _Batch(key, fingerprint_of(lines), lines, sum(map(len, lines)))
        with self._lock:
            if self._closed:
                raise Refused(503, "closing", (b"retry-after", b"5"))
            if key in self._settled:  # since the sender's batch was looked for in the database
                _refuse_another(self._settled[key], batch.fingerprint)
                return _settled()
            same = next((one for one in (*self._waiting, *self._given) if one.key == key), None)
            if same is not None:
                _refuse_another(same.fingerprint, batch.fingerprint)
                return same.done
            if self._size and self._size + batch.size > self._max_waiting:
                raise Refused(429, "too much waits to be committed", (b"retry-after", b"1"))
            self._waiting.append(batch)
            self._size += batch.size
        return batch.done

    def withdraw(self, key: str) -> None:
        """Take a batch back whose sender waits no longer, and will send it under another key."""
        with self._lock:
            for batch in [one for one in self._waiting if one.key == key]:
                self._waiting.remove(batch)
                self._size -= batch.size

    def is_known(self, key: str, lines: Sequence[bytes]) -> bool:
        """Say whether a batch is committed.

        Raises:
            Refused: when the key names other lines.
        """
        found = self._known([key]).get(key)
        if found is not None:
            _refuse_another(found, fingerprint_of(lines))
        return found is not None

    def _came_to(self, batch: _Batch) -> Committed:
        end = batch.first + len(batch.lines)
        return Committed(bisect_right(self._dead, end - 1) - bisect_left(self._dead, batch.first))

    def _settle(self, batch: _Batch, outcome: Committed) -> None:
        with self._lock:
            self._size -= batch.size
            self._settled[batch.key] = batch.fingerprint
            if len(self._settled) > _MOST_SETTLED:
                del self._settled[next(iter(self._settled))]
        if not batch.done.done():
            batch.done.set_result(outcome)


def _settled() -> "Future[Committed]":
    done: Future[Committed] = Future()
    done.set_result(Committed())
    return done


def _refuse_another(one: str, other: str) -> None:
    """Refuse a key that names two batches, as the draft of the header has it.

    https://datatracker.ietf.org/doc/draft-ietf-httpapi-idempotency-key-header/
    """
    if one != other:
        raise Refused(422, "Idempotency-Key: it was used for other lines")


def app(
    source: HttpSource,
    tokens: Sequence[str],
    *,
    body_timeout_s: float = BODY_TIMEOUT_S,
    commit_s: float = COMMIT_S,
    note_known: Callable[[], None] = lambda: None,
) -> Application:
    """Return the application: `POST /events` with `Authorization: Bearer TOKEN`.

    The body is lines, or a JSON array with an element a line; `Content-Encoding: gzip` is read.
    200 says that all of it is committed, and how many of its lines are dead letters. 401, 404, 405,
    408, 413, 422, 400 say what is wrong; 429 and 503 say to send the same again.

    Args:
        source: gets what is posted.
        tokens: each of them lets in; without one nobody is.
        body_timeout_s: for the whole body.
        commit_s: how long to wait for the commit.
        note_known: called for each batch that was committed before.
    """
    hashes = [sha256(token.encode()).digest() for token in tokens if token]

    async def take_in(scope: Message, receive: Receive) -> Answer:
        if scope["path"] != PATH:
            raise Refused(404, "not here")
        headers = headers_of(scope)
        sender = _authenticated(headers, hashes)
        expect_post(scope, headers, MAX_BODY)
        body = await body_of(receive, MAX_BODY, body_timeout_s)
        key, named = delivery_key(headers, f"{source.name}\0{sender.hex()}")
        lines = await asyncio.to_thread(lines_of, headers, body)
        if not lines:
            return _committed(0, Committed(0))
        again = (b"retry-after", b"5")
        try:
            if named and await asyncio.to_thread(source.is_known, key, lines):
                note_known()
                return Answer(200, "known")
            future = asyncio.wrap_future(source.offer(key, lines))
            outcome = await asyncio.wait_for(asyncio.shield(future), commit_s)
        except (TimeoutError, asyncio.CancelledError, DatabaseError):
            if not named:
                source.withdraw(key)
            raise Refused(503, "not committed yet: send it again", again) from None
        return _committed(len(lines), outcome)

    return application(take_in)


def _committed(lines: int, outcome: Committed) -> Answer:
    told: dict[str, str | int] = {"status": "committed", "lines": lines}
    if outcome.dead is not None:
        told["dead"] = outcome.dead
    return Answer(200, "committed", body=told)


def _authenticated(headers: dict[str, str], hashes: Sequence[bytes]) -> bytes:
    """Return the hash of the token that was shown."""
    kind, _, token = headers.get("authorization", "").partition(" ")
    given = sha256(token.strip().encode("latin-1", "replace")).digest()
    # Every token is tried, whichever fits: the time tells nothing.
    fits = [hmac.compare_digest(given, one) for one in hashes]
    if kind.lower() != "bearer" or not any(fits):
        raise Refused(401, "no token that is known here", (b"www-authenticate", b"Bearer"))
    return given
