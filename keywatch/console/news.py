"""News for open pages: one look a second at what has changed, however many are waiting."""

import asyncio
from collections.abc import AsyncIterator, Callable

from sqlalchemy import Connection, func, select
from starlette.concurrency import run_in_threadpool

from database.schema import alerts, audit, changes, incidents, outbox
from database.transaction import reading
from keywatch.desk.desk import Desk
from vocabulary.errors import DatabaseError

LOOK_S = 1.0
BEAT_S = 15.0
"""A line that says nothing, so that proxies keep the connection."""
MOST_STREAMS = 200

State = tuple[object, ...]


class News:
    """What is new, told to every stream that is open."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._state: State = ()
        self._changed = asyncio.Condition()
        self._task: asyncio.Task[None] | None = None
        self.streams = 0

    async def stream(self, is_welcome: "Welcome") -> AsyncIterator[str]:
        """Yield server-sent events until the session ends or the reader goes."""
        self.streams += 1
        try:
            self._look_after()
            known = self._state
            yield "retry: 3000\n\n"
            while await is_welcome():
                async with self._changed:
                    try:
                        await asyncio.wait_for(self._changed.wait(), BEAT_S)
                    except TimeoutError:
                        yield ": still here\n\n"
                if self._state != known:
                    known = self._state
                    yield "event: change\ndata: 1\n\n"
            yield "event: end\ndata: 1\n\n"
        finally:
            self.streams -= 1

    def _look_after(self) -> None:
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        """Look as long as anybody waits."""
        self._state = await self._look() or self._state
        while self.streams:
            await asyncio.sleep(LOOK_S)
            found = await self._look()
            if found and found != self._state:
                self._state = found
                async with self._changed:
                    self._changed.notify_all()

    async def _look(self) -> State:
        try:
            return await run_in_threadpool(self._read)
        except DatabaseError:
            return ()

    def _read(self) -> State:
        with reading(self._desk.engine) as connection:
            return state(connection)


class Welcome:
    """Whether a stream may go on: asked of the database now and then."""

    def __init__(self, ask: Callable[[], bool], every_s: float = 30.0) -> None:
        self._ask, self._every_s, self._next = ask, every_s, 0.0

    async def __call__(self) -> bool:
        """Say whether the session still holds."""
        now = asyncio.get_running_loop().time()
        if now < self._next:
            return True
        self._next = now + self._every_s
        return await run_in_threadpool(self._ask)


def state(connection: Connection) -> State:
    """Return what differs whenever a page would; each part is the end of an index."""
    newest = (
        select(func.max(audit.c.seq)),
        select(func.max(changes.c.seq)),
        select(func.max(alerts.c.recorded_at)),
        select(func.max(incidents.c.updated_at)),
        select(func.max(outbox.c.id)),
        select(func.count()).where(outbox.c.state.in_(("held", "waiting", "leased"))),
    )
    return tuple(connection.scalar(one) for one in newest)
