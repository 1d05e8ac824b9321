"""Repositories that are looked at now and then: what moved is queued like a push."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import Engine

from database.transaction import reading, transaction
from keywatch import mergerequests
from keywatch.beside import beside
from keywatch.config import Settings
from keywatch.fetching import fetched
from keywatch.organisations import Fetch, Listed, listed
from keywatch.pushes import cache_of
from scanner.sources.gitrun import Repository, output
from scanner.sources.mirror import mirror
from streams import checkpoint, repoqueue
from streams.repository import address, checked
from vocabulary.errors import DatabaseError, KeywatchError, RepositoryError, TargetError
from vocabulary.repository import RepoEvent

_ZERO = "0" * 40
_REFS = ("refs/heads/", "refs/tags/")


class _Found(NamedTuple):
    """Where refs are, and of requests behind what their own commits begin."""

    refs: dict[str, str]
    begin: dict[str, str]


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

    def _refs(self, one: Listed) -> _Found:
        """Fetch what is new, and return where branches, tags and the newest requests are."""
        roots = [Path(root) for root in self._settings.repositories.local_roots]
        copy = mirror(one.address, cache_of(self._settings), roots)
        repository = Repository(copy, None)
        told = output(repository, "for-each-ref", "--format=%(refname) %(objectname)")
        pairs = (line.rpartition(" ") for line in told.decode("utf-8", "replace").splitlines())
        refs = {ref: at for ref, _, at in pairs}
        asked = mergerequests.newest(refs, self._settings.repositories.poll_requests)
        ours = {ref: at for ref, at in refs.items() if ref.startswith(_REFS)}
        return _Found(ours | asked, dict.fromkeys(asked, _head(repository)))

    def _queue(self, one: Listed, found: _Found) -> int:
        """Put what moved into the queue, together with where the refs are now."""
        refs = found.refs
        name = f"poll:{address(one.address)}"
        now = time.time()
        with reading(self._engine) as connection:
            before = dict((checkpoint.load(connection, name) or {}).get("refs", {}))
        moved = {ref: at for ref, at in refs.items() if before.get(ref) != at}
        if not moved and len(before) == len(refs):
            return 0
        with transaction(self._engine) as connection:
            for ref, at in moved.items():
                was = before.get(ref) or found.begin.get(ref, _ZERO)
                repoqueue.put(connection, _event(one, ref, was, at, now))
            checkpoint.save(connection, name, {"refs": refs}, now)
        return len(moved)


def _head(repository: Repository) -> str:
    """Return the commit of the default branch; zeros where there is none."""
    try:
        return (
            output(repository, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
        )
    except RepositoryError:
        return _ZERO


def _event(one: Listed, ref: str, before: str, after: str, now: float) -> RepoEvent:
    cause = sha256(f"{one.address}\n{ref}\n{before}\n{after}".encode()).hexdigest()
    event = checked(RepoEvent(cause, "poll", one.address, ref, before, after, one.private, now))
    if isinstance(event, str):
        raise TargetError(event, where="a polled repository", remedy="check its name")
    return event
