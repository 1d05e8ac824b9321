"""Secrets that others found and reported: ours become findings and alerts at once."""

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from hashlib import sha256

from sqlalchemy import Engine

from database.transaction import reading, transaction
from keywatch import leaks
from keywatch.beside import beside
from keywatch.foreign import Elsewhere
from keywatch.keybook import KeyBook
from keywatch.voice import Voice
from streams import reportqueue
from streams.disclosure import Disclosure
from streams.reportqueue import UNKNOWN, Report
from vocabulary.credential import KnownKey
from vocabulary.errors import KeywatchError, ServiceError
from vocabulary.finding import Finding, Place, Verdict

TURN_S = 10.0
"""How long a report waits for others that are looked up, before it is to be sent again."""

IDLE_S = 0.05
_AT_ONCE = 100
ASK_AGAIN_S = 30.0
"""How long a store that is away is left alone."""

_WHERE = "reports of leaks"


class Judge:
    """Deals with reports of secrets; a `streams.webhook.Judge`, called from several threads.

    Who reports is told at once which keys are ours. What follows for these waits in the database
    until it is done, a few at a time: GitHub hangs up after 30 s.

    Args:
        engine: the database.
        book: of keys; this judge's own.
        respond: from alert to outbox.
        voice: where to speak.
        wake: called when there may be something to do in the outbox.
        elsewhere: asks the stores that are configured beside ours; None where none is. That may
            take long, so who reports is not told about their keys; what is reported while one of
            them is away waits for it, for days.
        clock: seconds that only go forward.
    """

    def __init__(
        self,
        engine: Engine,
        book: KeyBook,
        respond: leaks.Respond,
        voice: Voice,
        wake: Callable[[], None],
        elsewhere: Elsewhere | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._engine, self._book, self._respond = engine, book, respond
        self._voice, self._wake, self._elsewhere = voice, wake, elsewhere
        self._lock, self._stop = threading.Lock(), threading.Event()
        self._waiting = True  # maybe, from the last time
        self._clock, self._ask_at = clock, 0.0

    def __call__(self, reported: Sequence[Disclosure]) -> Sequence[bool | None]:
        """Say which are keys of ours, None where that is to be seen; these are in the queue then.

        Raises:
            DatabaseError: nothing is.
            ServiceError: nothing is, since too much waits already.
        """
        if not self._lock.acquire(timeout=TURN_S):
            raise ServiceError("too many report at once", where=_WHERE, remedy="send it again")
        try:
            known = self._book.find([one.credential for one in reported])
        finally:
            self._lock.release()
        both = list(zip(reported, known, strict=True))
        self._put([(_identity(one), key.key_id, one) for one, key in both if key])
        if self._elsewhere:
            self._put([(_identity(one), UNKNOWN, one) for one, key in both if not key])
        unknown = None if self._elsewhere else False
        return [True if key else unknown for key in known]

    def _put(self, reports: Sequence[tuple[str, str, Disclosure]]) -> None:
        if reports:
            with transaction(self._engine) as connection:
                reportqueue.put(connection, reports, time.time())
            self._waiting = True

    @contextmanager
    def running(self) -> Iterator[None]:
        """Work in a thread while the block runs."""
        with beside("reports", self._again, self._stop, self._voice.tell):
            yield

    def work_off(self) -> None:
        """Act on everything that was reported, each part in one transaction.

        Raises:
            DatabaseError: what was not acted on waits on.
        """
        while self._waiting and not self._stop.is_set():
            self._waiting = False
            with reading(self._engine) as connection:
                may_ask = self._clock() >= self._ask_at
                some = reportqueue.waiting(connection, _AT_ONCE, unknown=may_ask)
            if some:
                self._waiting = True
                self._act(some)

    def _again(self) -> float:
        if self._ask_at and self._clock() >= self._ask_at:
            self._waiting = True
        try:
            self.work_off()
        except KeywatchError:
            self._waiting = True
            raise
        return IDLE_S

    def _act(self, some: Sequence[Report]) -> None:
        ids, away = self._ids(some)
        unsure, some = some[len(ids) :], some[: len(ids)]
        with reading(self._engine) as connection:
            keys = [self._book.known_key(connection, key_id) for key_id in ids]
        found = [_finding(one.disclosure, key) for one, key in zip(some, keys, strict=True) if key]
        alerts = leaks.answer(
            self._engine,
            found,
            self._book.known_key,
            self._respond,
            time.time(),
            leaks.FoundIn(exposure="public"),
            lambda connection: reportqueue.done(connection, some),
        )
        for alert in alerts:
            self._voice.alert(alert)
        if unsure:
            self._wait_on(unsure, away)
        self._wake()

    def _ids(self, some: Sequence[Report]) -> tuple[list[str], str]:
        """Return the ids of reported keys, empty where no store knows one, and which store is away.

        There are ids up to the first report that cannot be judged without that store.
        """
        ids: list[str] = []
        for one in some:
            key_id = one.key_id
            if key_id == UNKNOWN and self._elsewhere:
                (theirs,) = self._elsewhere.find([one.disclosure.credential])
                away = self._elsewhere.take_away()
                if away and not theirs:
                    return ids, away
                key_id = theirs.key_id if theirs else UNKNOWN
            ids.append(key_id)
        return ids, ""

    def _wait_on(self, unsure: Sequence[Report], away: str) -> None:
        """Leave a store that is away alone for a while; ours among these are dealt with at once."""
        self._ask_at = self._clock() + ASK_AGAIN_S
        # The first alone: it may be the one that the store stumbles over.
        with transaction(self._engine) as connection:
            given_up = reportqueue.wait_on(connection, unsure[:1], away, time.time())
        if given_up:
            self._voice.tell(f"{given_up} reports were given up after three days: {away}")


def _identity(one: Disclosure) -> str:
    cause = f"reported\n{one.credential.sha256}\n{one.url}\n{one.source}"
    return sha256(cause.encode()).hexdigest()


def _finding(one: Disclosure, key: KnownKey) -> Finding:
    return Finding(
        rule="reported-key",
        name="A key that somebody found and reported",
        severity="critical",
        confidence="high",
        path=one.url or one.source or "reported",
        line=0,
        column=0,
        end_line=0,
        commit="",
        blob="",
        author="",
        date="",
        places=(Place(one.url or one.source or "reported"),),
        count=1,
        secret=one.credential.redacted,
        fingerprint=_identity(one),
        verdict=Verdict(store=key.verdict),
        key_id=key.key_id,
        key_state=key.state,
        environment=key.environment,
        reasons=(f"reported as {one.kind or 'a key'} in {one.source or 'an unnamed place'}",),
        decoding=(),
        source="report",
        tags=(),
        credential=one.credential,
    )
