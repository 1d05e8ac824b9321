"""What came to a door in vain, turned away or known already: counted, and written down each second.

In memory first: who sends a thousand forged requests must not cause a thousand transactions.
"""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from sqlalchemy import Engine

from database import counters
from database.transaction import transaction
from gateway.bounded import BoundedProtocol
from keywatch.beside import beside
from keywatch.status import KNOWN, REFUSED
from streams.asgi import Application, Message, Receive, Send
from vocabulary.errors import DatabaseError

_FLUSH_S = 1.0
_BAD_REQUEST = 400


class Doorkeeper:
    """Counts what one door answers with 4xx or 5xx, and whom it hangs up on.

    Args:
        engine: the database.
        door: its name, such as `webhooks`.
    """

    def __init__(self, engine: Engine, door: str) -> None:
        self._engine, self._door = engine, door
        self._lock, self._counts = threading.Lock(), Counter[str]()
        self._stop = threading.Event()

    def note(self, status: int) -> None:
        """Count a refusal."""
        self._count(f"{REFUSED}{self._door}:{status}")

    def note_known(self) -> None:
        """Count a batch that was committed before and is not taken in again."""
        self._count(f"{KNOWN}{self._door}")

    def _count(self, name: str) -> None:
        with self._lock:
            self._counts[name] += 1

    def watching(self, application: Application) -> Application:
        """Return the application, its refusals counted."""

        async def watched(scope: Message, receive: Receive, send: Send) -> None:
            async def sent(message: Message) -> None:
                status = message.get("status", 0)
                if message["type"] == "http.response.start" and status >= _BAD_REQUEST:
                    self.note(status)
                await send(message)

            await application(scope, receive, sent)

        return watched

    @property
    def protocol(self) -> type[BoundedProtocol]:
        """The server's HTTP; what is refused before the application sees it is counted, too."""
        note = self.note

        class Counted(BoundedProtocol):
            def _refuse(self, status: bytes) -> None:
                note(int(status[:3]))
                super()._refuse(status)

            def send_400_response(self, msg: str) -> None:
                note(_BAD_REQUEST)
                super().send_400_response(msg)

        return Counted

    @contextmanager
    def writing(self, tell: Callable[[str], None]) -> Iterator[None]:
        """Write down what was counted while the block runs, and in the end."""
        try:
            with beside(f"refusals of {self._door}", self._again, self._stop, tell):
                yield
        finally:
            with suppress(DatabaseError):  # a second of counts, and nobody to tell
                self.write()

    def write(self) -> None:
        """Write down what was counted since the last time.

        Raises:
            DatabaseError: it could not be; it is kept for the next time.
        """
        with self._lock:
            counted = dict(self._counts)
        if not counted:
            return
        with transaction(self._engine) as connection:
            counters.add(connection, counted)
        with self._lock:
            self._counts.subtract(counted)
            self._counts = +self._counts

    def _again(self) -> float:
        self.write()
        return _FLUSH_S
