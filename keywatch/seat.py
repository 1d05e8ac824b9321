"""One watch on a database: of two that read the same logs, each event would count twice.

Whoever comes second waits until the first is gone, and goes on from its last commit. Workers that
share a topic sit beside one another, and keep out those that do not share.
"""

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Protocol

from sqlalchemy import Connection, Engine, exc

from database.engine import place_of, sqlite_file, told
from vocabulary.errors import DatabaseError

_KEY = int.from_bytes(b"kw-watch", "big")
_SUFFIX = "-watch"
_LOOK_S = 1.0
_WAITS = (
    "another keywatch watches with this database: this one waits, and goes on when it has ended"
)


class Seat(Protocol):
    """What one watch at a time holds, and loses with its process."""

    def take(self) -> bool:
        """Say whether it is ours, and take it when it is free.

        Raises:
            DatabaseError: when that cannot be known.
        """
        ...

    def leave(self) -> None:
        """Let others take it."""
        ...


@contextmanager
def seat_of(engine: Engine, *, shared: bool) -> Iterator[Seat]:
    """Yield the seat of a database; it is left in the end.

    Args:
        engine: the database.
        shared: whether others that share may sit there, too.
    """
    file = sqlite_file(engine)
    if engine.dialect.name == "postgresql":
        seat: Seat = _ServerSeat(engine, shared=shared)
    else:
        seat = _FileSeat(file) if file else _NoSeat()
    try:
        yield seat
    finally:
        seat.leave()


def taken(engine: Engine) -> DatabaseError:
    """Return the error of who does not wait."""
    return DatabaseError(
        "another keywatch watches with this database",
        where=place_of(engine),
        remedy="stop it; or leave --once away: then this one goes on when that one has ended",
    )


def seated(
    seat: Seat,
    engine: Engine,
    wait: Callable[[float], bool],
    tell: Callable[[str], None],
    *,
    once: bool,
) -> bool:
    """Wait until no other watch commits events; say whether it is our turn, or we were stopped.

    Args:
        seat: of the database.
        engine: the database.
        wait: waits for some seconds; True when it is told to stop.
        tell: called with what a person should know.
        once: whether not to wait.

    Raises:
        DatabaseError: with `once`, when another one does.
    """
    waits = False
    while not seat.take():
        if once:
            raise taken(engine)
        if not waits:
            tell(_WAITS)
        waits = True
        if wait(_LOOK_S):
            return False
    if waits:
        tell("the other keywatch has ended: this one goes on")
    return True


class _NoSeat:
    def take(self) -> bool:
        return True

    def leave(self) -> None:
        return


class _FileSeat:
    """A lock on a file beside the database; the system takes it from whoever is killed.

    https://man7.org/linux/man-pages/man2/fcntl_locking.2.html: of the process, not of its children.
    """

    def __init__(self, database: Path) -> None:
        self._path, self._file = Path(f"{database}{_SUFFIX}"), -1

    def take(self) -> bool:
        if self._file >= 0:
            return True
        try:
            import fcntl  # noqa: PLC0415  (not on Windows)
        except ImportError:
            return True
        try:
            file = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            what = error.strerror or "cannot be written"
            raise DatabaseError(what, where=str(self._path), remedy="give write access") from error
        try:
            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            os.close(file)
            return False
        self._file = file
        return True

    def leave(self) -> None:
        if self._file >= 0:
            os.close(self._file)
            self._file = -1


class _ServerSeat:
    """A lock of a transaction that lasts as long as the watch; it holds no row and no snapshot.

    Of a transaction, so that a pooler such as PgBouncer gives its connection to nobody else.
    https://www.postgresql.org/docs/current/functions-admin.html#FUNCTIONS-ADVISORY-LOCKS
    """

    def __init__(self, engine: Engine, *, shared: bool) -> None:
        self._engine = engine
        self._asked = f"SELECT pg_try_advisory_xact_lock{'_shared' * shared}({_KEY})"
        self._connection: Connection | None = None

    def take(self) -> bool:
        if self._connection is not None:
            try:
                self._connection.exec_driver_sql("SELECT 1")
            except exc.SQLAlchemyError:
                self.leave()
            else:
                return True
        with told(place_of(self._engine)):
            return self._taken(self._engine.connect())

    def leave(self) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(exc.SQLAlchemyError):
                connection.invalidate()
            connection.close()

    def _taken(self, connection: Connection) -> bool:
        try:
            # A machine that vanished holds the seat for half a minute, not for two hours.
            for setting in (
                "idle_in_transaction_session_timeout = 0", "tcp_keepalives_idle = 10",
                "tcp_keepalives_interval = 5", "tcp_keepalives_count = 3",
            ):  # fmt: skip
                connection.exec_driver_sql(f"SET LOCAL {setting}")
            found: Any = connection.exec_driver_sql(self._asked).scalar_one()
            if found:
                self._connection = connection
        finally:
            if self._connection is not connection:
                connection.close()
        return bool(found)
