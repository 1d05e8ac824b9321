"""Repositories that are looked at now and then: what moved is queued like a push."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from sqlalchemy import Engine

from database.transaction import reading, transaction
from keywatch.beside import beside
from keywatch.config import Settings
from keywatch.fetching import fetched
from keywatch.organisations import Fetch, Listed, listed
from keywatch.pushes import cache_of
from scanner.sources.gitrun import Repository, output
from scanner.sources.mirror import mirror
from streams import checkpoint, repoqueue
from streams.repository import address, checked
from vocabulary.errors import DatabaseError, KeywatchError, TargetError
from vocabulary.repository import RepoEvent

_ZERO = "0" * 40
_REFS = ("refs/heads/", "refs/tags/")


class Polling:
    """Looks at repositories that no webhook tells of.

    Args:
        engine: the database.
        settings: the configuration.
        tell: called with what a person should know.
        fetch: asks APIs.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        tell: Callable[[str], None],
        fetch: Fetch = fetched,
    ) -> None:
        self._engine, self._settings, self._tell, self._fetch = engine, settings, tell, fetch
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look in a thread while the block runs, where there is something to look at."""
        place = self._settings.repositories
        if not place.poll and not place.organisations:
            yield
            return
        with beside("polling", self._again, self._stop, self._tell):
            yield

    def turn(self) -> int:
        """Look at every repository once; return how many refs moved.

        One that cannot be had is told of, and holds none of the others up.
        """
        moved = 0
        try:
            for one in listed(self._settings.repositories, self._fetch, self._tell):
                if self._stop.is_set():
                    break
                moved += self._look(one)
        except DatabaseError:
            raise
        except KeywatchError as error:
            self._tell(str(error))
        return moved

    def _again(self) -> float:
        self.turn()
        return self._settings.repositories.poll_s

    def _look(self, one: Listed) -> int:
        try:
            return self._queue(one, self._refs(one))
        except DatabaseError:
            raise
        except KeywatchError as error:
            self._tell(f"{address(one.address) or 'a repository'}: {error}")
            return 0

    def _refs(self, one: Listed) -> dict[str, str]:
        """Fetch what is new, and return where branches and tags are."""
        roots = [Path(root) for root in self._settings.repositories.local_roots]
        copy = mirror(one.address, cache_of(self._settings), roots)
        told = output(Repository(copy, None), "for-each-ref", "--format=%(refname) %(objectname)")
        pairs = (line.rpartition(" ") for line in told.decode("utf-8", "replace").splitlines())
        return {ref: at for ref, _, at in pairs if ref.startswith(_REFS)}

    def _queue(self, one: Listed, refs: dict[str, str]) -> int:
        """Put what moved into the queue, together with where the refs are now."""
        name = f"poll:{address(one.address)}"
        now = time.time()
        with reading(self._engine) as connection:
            before = dict((checkpoint.load(connection, name) or {}).get("refs", {}))
        moved = {ref: at for ref, at in refs.items() if before.get(ref) != at}
        if not moved and len(before) == len(refs):
            return 0
        with transaction(self._engine) as connection:
            for ref, at in moved.items():
                repoqueue.put(connection, _event(one, ref, before.get(ref, _ZERO), at, now))
            checkpoint.save(connection, name, {"refs": refs}, now)
        return len(moved)


def _event(one: Listed, ref: str, before: str, after: str, now: float) -> RepoEvent:
    cause = sha256(f"{one.address}\n{ref}\n{before}\n{after}".encode()).hexdigest()
    event = checked(RepoEvent(cause, "poll", one.address, ref, before, after, one.private, now))
    if isinstance(event, str):
        raise TargetError(event, where="a polled repository", remedy="check its name")
    return event
