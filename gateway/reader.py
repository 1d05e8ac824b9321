"""The one thread that reads the key store: what changed, and what the cache does not know.

Both are read in turn by one thread and delivered in that order, so that a look-up made before a
change can never arrive after it. On SQLite `PRAGMA data_version` tells in microseconds whether
anybody committed anything; but each look takes the interpreter some times from the thread that
answers requests, so that where a bell rings for every writer there are few.
"""

import logging
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import suppress
from functools import partial
from queue import Empty, SimpleQueue
from threading import Event, Thread
from typing import TYPE_CHECKING

import msgspec
from sqlalchemy import Engine

from database.engine import engine_of, sqlite_file
from gateway.follower import Answer, Follower, Question, Told, place_of
from gateway.options import Clock, Ticks
from gateway.renewal import Renewal
from keystore.bells import hearing
from keystore.denials import DenyList
from keystore.filebell import hearing_file
from keystore.grants import Grants
from vocabulary.credential import Credential

if TYPE_CHECKING:
    from gateway.remote import RemoteCache

_log = logging.getLogger(__name__)

_QUESTIONS_AT_ONCE = 64
_RENEWALS_AT_ONCE = 256

_GATHERING_NS = 50_000_000
_QUIET_S = 0.1
_PATIENCE_S = 2.0
"""How long the end waits for a server that does not answer."""


class News(msgspec.Struct, frozen=True):
    """What one round found out.

    Attributes:
        heard_ns: ticks before the round began: what was committed until then is in it.
        away: nothing could be read; `unanswered` alone says something.
        everything: forget all; changes were missed.
        new_keys: forget what is known not to be a key.
        changed: keys as they are now.
        denials: the deny lists, when they are others than before.
        answers: look-ups. Newer than `changed`.
        same: of keys that were to be read again, those that are as they were; likewise.
        unanswered: look-ups that could not be made.
    """

    heard_ns: int
    away: bool = False
    everything: bool = False
    new_keys: bool = False
    changed: tuple[Grants, ...] = ()
    denials: DenyList | None = None
    answers: tuple[Answer, ...] = ()
    same: tuple[Renewal, ...] = ()
    unanswered: tuple[bytes, ...] = ()

    @property
    def is_none(self) -> bool:
        """Whether it says no more than that the key store is there."""
        return not (
            self.away
            or self.everything
            or self.new_keys
            or self.changed
            or self.answers
            or self.same
            or self.unanswered
            or self.denials is not None
        )


class Reader:
    """Follows the key store and looks keys up, in a thread and by connections of its own.

    Args:
        engine: from `open_database`; it tells the place, others may use it.
        poll_s: seconds between two looks at the change feed where no bell rings for all writers.
        ticks: nanoseconds that never go back.
        clock: epoch seconds; denials end by it.
        remote: what several gateways read together; None for nothing.
        redis: URL of the Redis by which changes are announced; empty for none.
    """

    def __init__(
        self,
        engine: Engine,
        poll_s: float = 0.02,
        ticks: Ticks = time.monotonic_ns,
        clock: Clock = time.time,
        remote: "RemoteCache | None" = None,
        redis: str = "",
    ) -> None:
        self._remote, self._clock = remote, clock
        self._made = partial(_Reading, engine, poll_s, ticks, clock, remote, redis)
        self._reading = self._made()
        self.engine = engine
        """The key store's database."""
        self.quiet_s = _QUIET_S
        """So long nothing may be delivered, where others tell that the database was written to."""

    def start(self, deliver: Callable[[News], None]) -> None:
        """Begin; `deliver` is called in the reader's thread, at least every `quiet_s`."""
        if self._reading.thread is not None:
            # A thread that a server still holds up ends when that answers: it shares nothing.
            self._reading = self._made()
        self._reading.start(deliver, self.quiet_s)

    def ask(self, question: Question) -> None:
        """Have a key looked up; the answer comes with the news."""
        self._reading.questions.put(question)

    def renew(self, renewal: Renewal, *, at_once: bool = False) -> None:
        """Have a key read again with the next look at the feed: many at once cost far less."""
        self._reading.renewals.put(renewal)
        if at_once:
            self._reading.is_hasty = True
            self._reading.questions.put(None)

    def stop(self) -> None:
        """End the thread and close its connection."""
        self._reading.stop(_PATIENCE_S)
        if self._remote is not None:
            self._remote.close()


class _Reading:
    """One thread of a reader, from start to stop."""

    def __init__(
        self,
        engine: Engine,
        poll_s: float,
        ticks: Ticks,
        clock: Clock,
        remote: "RemoteCache | None",
        redis: str,
    ) -> None:
        self._remote, self._redis = remote, redis
        self._engine, self._poll_s, self._ticks, self._clock = engine, poll_s, ticks, clock
        self.questions: SimpleQueue[Question | None] = SimpleQueue()
        self.renewals: SimpleQueue[Renewal] = SimpleQueue()
        self.is_hasty = False
        """Whether somebody waits for one of the renewals."""
        self._renewed_ns = 0
        self._stopped = Event()
        self.thread: Thread | None = None
        # A follower throws away what a pool holds: it has an engine of its own.
        self._own: Engine | None = None
        self._follower: Follower | None = None
        self._seen: int | None = None
        self._away = False

    def start(self, deliver: Callable[[News], None], quiet_s: float) -> None:
        args = deliver, quiet_s
        self.thread = Thread(target=self._run, args=args, name="keystore", daemon=True)
        self.thread.start()

    def stop(self, patience_s: float) -> None:
        self._stopped.set()
        self.questions.put(None)
        if self.thread is not None:
            self.thread.join(patience_s)

    def _run(self, deliver: Callable[[News], None], quiet_s: float) -> None:
        def wake() -> None:
            self.questions.put(None)

        # Whoever writes rings; the feed is looked at now and then all the same.
        with (
            hearing(self._engine, wake, self._redis),
            hearing_file(sqlite_file(self._engine), wake) as is_told,
        ):
            if is_told or self._engine.dialect.name == "postgresql":
                self._poll_s = max(self._poll_s, quiet_s)
            wake()  # requests wait for the first word
            while not self._stopped.is_set():
                deliver(self._round(self._waiting(), self._to_renew()))
        self._close()
        if self._own is not None:
            self._own.dispose()

    def _waiting(self) -> list[Question]:
        """Wait for a question or until it is time to look at the feed again."""
        found: list[Question] = []
        with suppress(Empty):
            is_behind = self.is_hasty or self.renewals.qsize() > _RENEWALS_AT_ONCE
            question = self.questions.get(timeout=0 if is_behind else self._poll_s)
            while True:
                if question is not None:
                    found.append(question)
                if len(found) == _QUESTIONS_AT_ONCE:
                    return found
                question = self.questions.get_nowait()
        return found

    def _to_renew(self) -> list[Renewal]:
        """Return what is to be read again, once that is a good many or has waited for a while."""
        found: list[Renewal] = []
        now_ns = self._ticks()
        is_due = self.is_hasty or now_ns - self._renewed_ns > _GATHERING_NS
        if not is_due and self.renewals.qsize() < _RENEWALS_AT_ONCE:
            return found
        # Before they are taken: who comes meanwhile says so again.
        is_hasty, self.is_hasty, self._renewed_ns = self.is_hasty, False, now_ns
        with suppress(Empty):
            while len(found) < _RENEWALS_AT_ONCE:
                found.append(self.renewals.get_nowait())
            self.is_hasty = self.is_hasty or is_hasty
        return found

    def _round(self, questions: list[Question], renewals: list[Renewal]) -> News:
        heard_ns = self._ticks()
        try:
            follower = self._current()
            news = self._changes(follower, heard_ns)
            same = self._same(follower, renewals) if renewals else ()
            asked = [*questions, *_questions(set(renewals).difference(same))]
            answers = self._answers(follower, asked) if asked else ()
        except Exception as error:  # noqa: BLE001  (whatever it was: nobody is let in, it goes on)
            self._lost(error)
            unanswered = [*(q.digest for q in questions), *(r.digest for r in renewals)]
            return News(heard_ns, away=True, unanswered=tuple(unanswered))
        if self._away:
            _log.warning("the key store is back")
            self._away = False
        if not asked and not same:
            return news
        return msgspec.structs.replace(news, answers=answers, same=same)

    def _current(self) -> Follower:
        """Return a follower of the file that has the database's name now."""
        place = place_of(self._engine)
        follower = self._follower
        if follower is None or follower.place != place:
            if follower is None or follower.place[:2] != place[:2]:
                # Another file, or one that was away: its numbers need not continue ours.
                self._seen = None
            self._close()
            if self._away:
                # SQLite's connections of one process share a map of the WAL: as long as others are
                # open, one that is opened anew sees what these saw, not what was put back.
                self._engine.dispose()
            self._own = self._own or engine_of(_url(self._engine), create=False)
            self._follower = follower = Follower(self._own, place)
        return follower

    def _changes(self, follower: Follower, heard_ns: int) -> News:
        if not follower.is_touched():
            return News(heard_ns)
        told = follower.changes_since(self._seen)
        grants = tuple(follower.grants(told.key_ids)) if told.key_ids else ()
        denials = follower.denials(self._clock()) if told.denials else None
        # Only now: were it noted before, what could not be read would never be told.
        self._seen = told.seen
        if self._remote is not None:
            _tell(self._remote, told, grants)
        return News(
            heard_ns,
            everything=told.everything or len(grants) < len(told.key_ids),
            new_keys=told.new_keys,
            changed=grants,
            denials=denials,
        )

    def _same(self, follower: Follower, renewals: list[Renewal]) -> tuple[Renewal, ...]:
        # Where look-ups are shared one gateway reads a key again for all of them.
        return follower.unchanged(renewals) if self._remote is None else ()

    def _answers(self, follower: Follower, questions: list[Question]) -> tuple[Answer, ...]:
        """Answer from what other gateways read lately, and else from the database."""
        remote = self._remote
        if remote is None or self._seen is None:
            return follower.look_up(questions)
        # A name, or a secret that may be of little entropy, does not leave this process.
        plain = {q.credential.sha256: q for q in questions if not q.name and not q.credential.hmacs}
        held = remote.get(plain)
        known = [Answer(plain[name].digest, grants) for name, grants in held.items()]
        rest = [q for q in questions if q.credential.sha256 not in held]
        found = follower.look_up(rest) if rest else ()
        names = {q.digest: q.credential.sha256 for q in plain.values()}
        # What was spent of a budget is younger than the key: it is always read from the database.
        shared = ((d, one) for d, one, _ in found if one is None or not one.has_budget)
        remote.put({names[d]: grants for d, grants in shared if d in names}, self._seen)
        return (*known, *found)

    def _lost(self, error: Exception) -> None:
        self._close()
        if not self._away:
            what = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            _log.error("the key store cannot be read, nobody is let in: %s", what)
            self._away = True

    def _close(self) -> None:
        """Give the connection to the database back."""
        follower, self._follower = self._follower, None
        if follower is not None:
            follower.close()


def _url(engine: Engine) -> str:
    return engine.url.render_as_string(hide_password=False)


def _questions(renewals: Iterable[Renewal]) -> list[Question]:
    """Return what is asked about keys that are others than they were."""
    return [Question(one.digest, Credential(one.digest.hex())) for one in renewals]


def _tell(remote: "RemoteCache", told: Told, grants: Sequence[Grants]) -> None:
    """Let the shared look-ups know what changed."""
    if told.everything or len(grants) < len(told.key_ids):
        remote.forget(told.seen)
        return
    if told.new_keys:
        remote.added(told.seen)
    remote.changed([one.key.hash for one in grants], told.seen)
