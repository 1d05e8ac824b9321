"""The one thread that reads the key store: what changed, and what the cache does not know.

Both are read in turn by one thread and delivered in that order, so that a look-up made before a
change can never arrive after it. On SQLite `PRAGMA data_version` tells in microseconds whether
anybody committed anything.
"""

import logging
import os
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hmac import compare_digest
from queue import Empty, SimpleQueue
from threading import Event, Thread

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from gateway.options import Ticks
from keystore import feed, query
from keystore.keys import SHA256, Key
from vocabulary.credential import Credential

_log = logging.getLogger(__name__)

_CHANGES_AT_ONCE = 1000
_QUESTIONS_AT_ONCE = 64


class Question(msgspec.Struct, frozen=True):
    """A credential that is not in the cache; `digest` is the SHA-256 of the key."""

    digest: bytes
    credential: Credential


class News(msgspec.Struct, frozen=True):
    """What one round found out.

    Attributes:
        heard_ns: ticks before the round began: what was committed until then is in it.
        away: nothing could be read; `unanswered` alone says something.
        everything: forget all; changes were missed.
        changed: keys as they are now.
        answers: look-ups; None where no key is known. Newer than `changed`.
        unanswered: look-ups that could not be made.
    """

    heard_ns: int
    away: bool = False
    everything: bool = False
    changed: tuple[Key, ...] = ()
    answers: tuple[tuple[bytes, Key | None], ...] = ()
    unanswered: tuple[bytes, ...] = ()


class Reader:
    """Follows the key store and looks keys up, in a thread of its own.

    Args:
        engine: from `open_database`; best one that nobody else uses.
        poll_s: seconds between two looks at the change feed.
        ticks: nanoseconds that never go back.
    """

    def __init__(
        self, engine: Engine, poll_s: float = 0.02, ticks: Ticks = time.monotonic_ns
    ) -> None:
        self._engine, self._poll_s, self._ticks = engine, poll_s, ticks
        self._questions: SimpleQueue[Question | None] = SimpleQueue()
        self._stopped = Event()
        self._thread: Thread | None = None
        self._follower: _Follower | None = None
        self._seen: int | None = None
        self._away = False

    def start(self, deliver: Callable[[News], None]) -> None:
        """Begin; `deliver` is called in the reader's thread, at least every `poll_s`."""
        self._stopped.clear()
        self._thread = Thread(target=self._run, args=(deliver,), name="keystore", daemon=True)
        self._thread.start()

    def ask(self, question: Question) -> None:
        """Have a key looked up; the answer comes with the news."""
        self._questions.put(question)

    def stop(self) -> None:
        """End the thread and close its connection."""
        self._stopped.set()
        self._questions.put(None)
        if self._thread is not None:
            self._thread.join()

    def _run(self, deliver: Callable[[News], None]) -> None:
        while not self._stopped.is_set():
            deliver(self._round(self._waiting()))
        self._close()

    def _waiting(self) -> list[Question]:
        """Wait for a question or until it is time to look at the feed again."""
        found: list[Question] = []
        try:
            question = self._questions.get(timeout=self._poll_s)
            while True:
                if question is not None:
                    found.append(question)
                if len(found) == _QUESTIONS_AT_ONCE:
                    return found
                question = self._questions.get_nowait()
        except Empty:
            return found

    def _round(self, questions: list[Question]) -> News:
        heard_ns = self._ticks()
        try:
            follower = self._current()
            everything, changed = self._changes(follower)
            answers = follower.look_up(questions) if questions else ()
        except Exception as error:  # noqa: BLE001  (whatever it was: nobody is let in, it goes on)
            self._lost(error)
            return News(heard_ns, away=True, unanswered=tuple(q.digest for q in questions))
        if self._away:
            _log.warning("the key store is back")
            self._away = False
        return News(heard_ns, everything=everything, changed=changed, answers=answers)

    def _current(self) -> "_Follower":
        """Return a follower of the file that has the database's name now."""
        place = _place(self._engine)
        follower = self._follower
        if follower is None or follower.place != place:
            if follower is None or follower.place[:2] != place[:2]:
                # Another file, or one that was away: its numbers need not continue ours.
                self._seen = None
            self._close()
            self._follower = follower = _Follower(self._engine, place)
        return follower

    def _changes(self, follower: "_Follower") -> tuple[bool, tuple[Key, ...]]:
        if not follower.is_touched():
            return False, ()
        seen = self._seen
        self._seen, changes = follower.changes_since(seen)
        if changes is None:
            return True, ()
        ids = {change.key_id for change in changes}
        keys = follower.keys(ids) if ids else {}
        return len(keys) < len(ids), tuple(keys.values())

    def _lost(self, error: Exception) -> None:
        self._close()
        if not self._away:
            what = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            _log.error("the key store cannot be read, nobody is let in: %s", what)
            self._away = True

    def _close(self) -> None:
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.close()


class _Follower:
    """One connection to one database file or server."""

    def __init__(self, engine: Engine, place: tuple[int, ...]) -> None:
        self.place = place
        self._sqlite = engine.dialect.name == "sqlite"
        self._version: object = None
        # Not one from the pool: it could still hold the file that had this name before.
        engine.dispose()
        self._connection = engine.connect()
        self._connection.detach()

    def is_touched(self) -> bool:
        """Whether anybody may have committed since this was asked last."""
        if not self._sqlite:
            return True
        # Past SQLAlchemy, which would open a transaction, in which the answer never changes.
        cursor = self._connection.connection.cursor()
        cursor.execute("PRAGMA data_version")
        (version,) = cursor.fetchone() or (None,)
        touched = version is None or version != self._version
        self._version = version
        return touched

    def changes_since(self, seen: int | None) -> tuple[int, list[feed.Change] | None]:
        """Return the number of the newest change and the changes after `seen`.

        None in place of changes when some are missing, or too many to be told one by one.
        """
        with self._reading() as connection:
            if seen is not None:
                changes = feed.changes_since(connection, seen, _CHANGES_AT_ONCE)
                if not changes and feed.head(connection) == seen:
                    return seen, []
                if changes and _is_complete(changes, seen):
                    return changes[-1].seq, changes
            return feed.head(connection), None

    def keys(self, ids: set[str]) -> Mapping[str, Key]:
        """Return the keys as they are now."""
        with self._reading() as connection:
            return query.by_ids(connection, ids)

    def look_up(self, questions: list[Question]) -> tuple[tuple[bytes, Key | None], ...]:
        """Answer the questions in one go."""
        with self._reading() as connection:
            found = query.find(connection, [question.credential for question in questions])
        return tuple(
            (question.digest, key if key and _is_same(key, question.credential) else None)
            for question, key in zip(questions, found, strict=True)
        )

    def close(self) -> None:
        """Give the connection back, whatever state it is in."""
        with suppress(SQLAlchemyError, OSError):
            self._connection.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._connection.begin():
            yield self._connection


def _is_complete(changes: list[feed.Change], seen: int) -> bool:
    """Whether no change is missing, none says that everything changed, and none is left."""
    in_turn = changes[0].seq == seen + 1 and changes[-1].seq == seen + len(changes)
    everything = any(change.key_id == feed.EVERYTHING for change in changes)
    return in_turn and not everything and len(changes) < _CHANGES_AT_ONCE


def _is_same(key: Key, credential: Credential) -> bool:
    """Compare the whole hash, in constant time, with the one of the key's own origin."""
    wanted = credential.sha256 if key.pepper_id == SHA256 else credential.hmacs.get(key.pepper_id)
    return wanted is not None and compare_digest(key.hash, wanted)


def _place(engine: Engine) -> tuple[int, ...]:
    """Tell which file the database is, so that another under its name, or none, is noticed.

    An open file stays readable after it was deleted, replaced or forbidden; whoever does that
    means it. Size and times are part of it: a file that was written over is read anew.

    Raises:
        OSError: when there is none.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path or path == ":memory:":
        return ()
    found = os.stat(path)  # noqa: PTH116  (called fifty times a second)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
