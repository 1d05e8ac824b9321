"""Scanning what is pushed: from the queue of repository events to alerts."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import Engine

from actions.policy import Policy
from database.transaction import transaction
from keywatch import foreign, leaks, mergerequests, portrait, wiring
from keywatch.beside import beside
from keywatch.checkruns import CheckRuns
from keywatch.config import Settings
from keywatch.keybook import KeyBook
from keywatch.voice import Voice
from scanner.cache import cache_base
from scanner.options import ScanOptions
from scanner.run import scan
from scanner.sources.mirror import holds, mirror
from streams import repoqueue
from vocabulary.alert import Alert
from vocabulary.errors import KeywatchError, RepositoryError, ServiceError
from vocabulary.repository import RepoEvent

IDLE_S = 0.1


class Pushes:
    """Works off the queue of repository events.

    Args:
        engine: the database.
        settings: the configuration.
        policy: which case leads to which action.
        enabled: actions that may be carried out.
        voice: where to speak.
        wake: called when there may be something to do in the outbox.
    """

    def __init__(
        self,
        engine: Engine,
        settings: Settings,
        policy: Policy,
        enabled: frozenset[str],
        voice: Voice,
        wake: Callable[[], None],
    ) -> None:
        self._engine, self._settings = engine, settings
        self._voice, self._wake = voice, wake
        self._elsewhere = foreign.asking(engine, settings, voice.tell, adopt=True)
        self._book = KeyBook(engine, settings.keys, elsewhere=self._elsewhere.find)
        self._respond = wiring.responder(
            policy, enabled, self._book.known_key, lambda _: time.time(), wiring.hook(settings),
            partial(portrait.called, engine),
        )  # fmt: skip
        place, link = settings.repositories, settings.console.url
        self._checks = CheckRuns(place, link) if place.github_checks else None
        self._stop = threading.Event()

    def work_off(self) -> None:
        """Deal with every event that is due."""
        while self._next():
            pass

    @contextmanager
    def running(self) -> Iterator[None]:
        """Work in a thread while the block runs."""
        with beside("pushes", self._again, self._stop, self._voice.tell):
            yield

    def _again(self) -> float:
        self.work_off()
        return IDLE_S

    def _next(self) -> bool:
        """Take one event and deal with it; what goes wrong is noted with the event."""
        if self._stop.is_set():
            return False
        with transaction(self._engine) as connection:
            queued = repoqueue.take(connection, time.time())
        if queued is None:
            return False
        try:
            alerts = self._answer(queued.event)
        except KeywatchError as error:
            self._voice.tell(f"{queued.event.repository}: {error}")
            with transaction(self._engine) as connection:
                repoqueue.failed(connection, queued.id, str(error))
            self._wake()  # what could be read may have led to something
            return True
        with transaction(self._engine) as connection:
            repoqueue.done(connection, queued.id)
        for alert in alerts:
            self._voice.alert(alert)
        self._wake()
        return True

    def _answer(self, event: RepoEvent) -> list[Alert]:
        """Scan what a push brought, answer for what is found, and tell the forge.

        The keys come first: what the forge does not take is told again later, and a finding that
        is answered for already leads to nothing new.

        Raises:
            RepositoryError: when some of it could not be scanned; it is tried again.
            ServiceError: when a store could not be asked whether it knows a key; likewise.
        """
        if not event.after.strip("0"):
            return []  # a ref was deleted: nothing new came
        self._elsewhere.take_away()
        copy = self._copy(event)
        report = scan(copy, self._options(event, copy), self._book.find)
        exposure = "private" if event.private else "public"
        asked = mergerequests.of_commits(copy, [one.commit for one in report.findings])
        found_in = leaks.FoundIn(event.repository, exposure, asked)
        known, respond = self._book.known_key, self._respond
        alerts = leaks.answer(self._engine, report.findings, known, respond, time.time(), found_in)
        if self._checks:
            self._checks.report(event, report)
        if report.receipt.incomplete:
            raise RepositoryError(report.receipt.incomplete[0], where=event.repository)
        if away := self._elsewhere.take_away():
            raise ServiceError(away, where=event.repository, remedy="it is asked again later")
        return alerts

    def _copy(self, event: RepoEvent) -> Path:
        roots = [Path(root) for root in self._settings.repositories.local_roots]
        return mirror(event.repository, cache_of(self._settings), roots)

    def _options(self, event: RepoEvent, copy: Path) -> ScanOptions:
        """Have the objects scanned that the old head of a push does not reach."""
        options = wiring.scan_options(self._settings)
        if event.before.strip("0") and holds(copy, event.before):
            return replace(options, since=event.before)
        return replace(options, branch=event.after)


def cache_of(settings: Settings) -> Path:
    """Return the folder for copies of repositories."""
    if settings.repositories.cache:
        return Path(settings.repositories.cache)
    return cache_base() / "keywatch" / "repositories"
