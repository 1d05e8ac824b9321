"""What the gateway writes to the key store: when and how much keys are used, what they spent.

Written by a thread of its own, some times a minute: no request waits for it. What others wrote of
budgets is read on the same occasion, so that a budget holds for all gateways and their workers
together, but for what is spent in the moment between. Where nothing can be written, budgets hold
for each gateway alone.
"""

import logging
import os
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from itertools import islice
from threading import Event, Lock, Thread, get_native_id

import msgspec
from sqlalchemy import URL, Engine

from database.engine import engine_of
from database.transaction import reading, transaction
from gateway.limits import Allowance, Limit
from gateway.options import Clock
from gateway.uses import Uses
from keystore import spending, usage
from keystore.grants import Grants
from keystore.keys import Key
from keystore.spending import Cost, Spent
from keystore.usage import Use
from vocabulary.errors import KeywatchError

_log = logging.getLogger(__name__)

EVERY_S = 1.0
_AT_ONCE = 5_000
_SWEEP_AT = 10_000
_MOST_WAITING = 1_000_000
_MARGIN_S = 10.0
"""How far the clocks of gateways may be apart: so far back is read what others spent."""
_PATIENCE_S = 10.0
_NICE = 10

_Place = tuple[str, int]
"""Id of a key, and seconds of the window."""


class _Debt(msgspec.Struct):
    """What is known of one budget.

    Attributes:
        said: by the key store.
        unsaid: tokens of which the key store does not know yet.
        heard: epoch seconds at which anything was learned of it.
    """

    said: Spent
    unsaid: float = 0.0
    heard: float = 0.0


class Ledger:
    """Takes note at once and writes later; any thread may call it.

    Args:
        url: of the key store's database.
        clock: epoch seconds.
        cached_s: seconds for which a key is held; then it is read anew, with what it has spent.
        every_s: seconds between two writes; what came in them is lost when the process is killed.
        uses: counts how much keys are used; None where nobody does.
    """

    def __init__(
        self,
        url: URL,
        clock: Clock,
        cached_s: float,
        every_s: float = EVERY_S,
        uses: Uses | None = None,
    ) -> None:
        self._uses = uses or Uses(clock, "never")
        self._url, self._clock, self._every_s = url, clock, every_s
        self._cached_s, self._sweep_at = cached_s, _SWEEP_AT
        self._engine: Engine
        self._latest: dict[str, float] = {}
        self._debts: dict[_Place, _Debt] = {}
        self._costs: dict[_Place, Cost] = {}
        self._lock = Lock()
        self._something, self._stopped = Event(), Event()
        self._thread: Thread | None = None
        # Since when it is followed what others spend; 0 while no key with a budget was seen.
        self._heard = 0.0
        self._failing = False
        self._failed_at: float | None = None

    def used(self, key: Key) -> None:
        """Take note that a key is being used; it is written down once an hour."""
        now, before = self._clock(), key.last_used_at
        if before is not None and now - before < usage.HOUR_S:
            return
        with self._lock:
            if len(self._latest) < _MOST_WAITING:
                self._latest[key.id] = now
        self._wake()

    def count(
        self, at: float, key_id: str, method: str, status: int, client: str, tokens: int
    ) -> bool:
        """Count a use of a key; see `Uses.note`."""
        counted = self._uses.note(at, key_id, method, status, client, tokens)
        if counted and self._thread is None:
            self._wake()
        return counted

    def learn(self, grants: Grants) -> None:
        """Take over what the key store says that a key has spent."""
        if grants.has_budget:
            now = self._clock()
            with self._lock:
                for one in grants.spent:
                    self._hear(one, now)
                self._heard = self._heard or now
            self._wake()

    def charge(self, claims: Iterable[tuple[Limit, str]], tokens: int) -> None:
        """Have tokens paid from budgets, whether there is room in them or not.

        Args:
            claims: budgets, and the ids of the keys whose they are.
            tokens: what was spent.
        """
        now = self._clock()
        with self._lock:
            self._heard = self._heard or now
            for limit, key_id in claims:
                place = (key_id, limit.window_s)
                debt = self._debts.setdefault(place, _Debt(Spent(*place, 0.0, 0.0)))
                debt.unsaid, debt.heard = debt.unsaid + tokens, now
                owed = self._costs.get(place)
                sum_ = tokens + (owed.tokens if owed else 0.0)
                self._costs[place] = Cost(*place, limit.amount, sum_)
        self._wake()

    def overspent(self, budgets: Sequence[Limit], key_id: str) -> Allowance | None:
        """Return the word of the budget of a key that is used up for longest; None for none."""
        now, longest = self._clock(), None
        for limit in budgets:
            window_s = limit.window_s
            if not limit.amount:
                return Allowance(False, limit, 0, float(window_s), float(window_s))
            # What was said a moment ago is in one of two places: never looked at in between.
            with self._lock:
                debt = self._debts.get((key_id, window_s))
                level = debt.said.left(limit.amount, now) + debt.unsaid if debt else 0.0
            lacking = level + 1 - limit.depth
            if lacking > 0:
                each_s = window_s / limit.amount
                found = Allowance(False, limit, 0, level * each_s, lacking * each_s)
                if longest is None or found.retry_s > longest.retry_s:
                    longest = found
        return longest

    def stop(self) -> None:
        """Write what is left, and end the thread; the next note would start it again."""
        thread = self._thread
        if thread is not None:
            self._stopped.set()
            self._something.set()
            thread.join(_PATIENCE_S)
            self._thread = None
            self._stopped.clear()

    def _wake(self) -> None:
        self._something.set()
        if self._thread is None:
            with self._lock:
                if self._thread is None:
                    self._thread = Thread(target=self._run, name="ledger", daemon=True)
                    self._thread.start()

    def _run(self) -> None:
        _come_after_requests()
        # Connections of its own: the reader drops those of a pool when the file is another.
        self._engine = engine_of(self._url.render_as_string(hide_password=False), create=False)
        try:
            self._follow()
        finally:
            self._engine.dispose()

    def _follow(self) -> None:
        is_last = False
        while not is_last:
            # Who has budgets to look after asks what others spent, even if nothing is to be said.
            if not self._stopped.is_set():
                self._something.wait(self._every_s if self._heard else self._uses.due_s())
            is_last = self._stopped.wait(self._every_s)
            self._something.clear()
            self._round(at_once=is_last)
        while (self._latest or self._uses.is_any) and not self._failing:
            self._round(at_once=True)

    def _round(self, *, at_once: bool) -> None:
        with self._lock:
            names = list(islice(self._latest, _AT_ONCE))
            latest = {name: self._latest.pop(name) for name in names}
            costs, self._costs = self._costs, {}
        counts = at_once or self._uses.due_s() == 0
        uses = self._uses.take() if counts else []
        try:
            heard = self._write(latest, costs, uses if counts else None)
        except Exception as error:  # noqa: BLE001  (whatever it was: it is tried again)
            self._put_back(latest, costs)
            self._uses.put_back(uses)
            self._lost(error)
            return
        finally:
            self._let_go()
        if self._failing:
            _log.warning("last uses and budgets are written down again")
            self._failing = False
        self._failed_at = None
        with self._lock:
            for place, cost in costs.items():
                self._debts[place].unsaid -= cost.tokens
            now = self._clock()
            for one in heard:
                self._hear(one, now)
            if len(self._debts) > self._sweep_at:
                self._sweep(now)
        if self._latest:
            self._something.set()
        if counts and not self._uses.is_leaving:
            self._uses.settled()

    def _let_go(self) -> None:
        """Keep no connection to a file, which may be another before it is written to again.

        SQLite's connections of one process share a map of the WAL: while an old one is open, the
        reader's new one does not see a database that was put back.
        """
        if self._engine.dialect.name == "sqlite":
            self._engine.dispose()

    def _lost(self, error: Exception) -> None:
        self._something.set()
        if not self._failing:
            what = error.what if isinstance(error, KeywatchError) else type(error).__name__
            _log.error("last uses and budgets cannot be written down: %s", what)
            self._failing = True

    def _write(
        self, latest: dict[str, float], costs: dict[_Place, Cost], uses: list[Use] | None
    ) -> list[Spent]:
        """Write, and return what is known then of budgets that anybody paid from lately."""
        now, since, follows = self._clock(), self._heard - _MARGIN_S, bool(self._heard)
        heard: list[Spent] = []
        if latest or costs or uses is not None:
            # Read in the same transaction: what is written and not heard of would be forgotten.
            with transaction(self._engine) as connection:
                usage.touch(connection, latest)
                if uses is not None:
                    self._uses.write(connection, uses)
                spending.charge(connection, list(costs.values()), now)
                if follows:
                    heard = spending.of_keys(connection, {key for key, _ in costs}, since)
        elif follows:
            with reading(self._engine) as connection:
                heard = spending.of_keys(connection, (), since)
        if follows:
            self._heard = now
        return heard

    def _put_back(self, latest: dict[str, float], costs: dict[_Place, Cost]) -> None:
        with self._lock:
            self._latest = {**latest, **self._latest}
            now = self._clock()
            for place, cost in costs.items():
                drained = self._drained(self._debts[place].said, cost, now)
                self._debts[place].unsaid -= drained
                new = self._costs.get(place)
                sum_ = cost.tokens - drained + (new.tokens if new else 0.0)
                if sum_:
                    self._costs[place] = msgspec.structs.replace(new or cost, tokens=sum_)
            self._failed_at = now

    def _drained(self, said: Spent, cost: Cost, now: float) -> float:
        """Return what has drained, since writing failed last, of what could not be written.

        It is one bucket: what the key store knows of drains first.
        """
        if self._failed_at is None:
            return 0.0
        before = min(self._failed_at, now)
        all_ = (now - before) * cost.amount / cost.window_s
        of_said = said.left(cost.amount, before) - said.left(cost.amount, now)
        return min(cost.tokens, max(0.0, all_ - of_said))

    def _hear(self, said: Spent, now: float) -> None:
        """Believe the newer word; who calls this holds the lock."""
        place = (said.key_id, said.window_s)
        debt = self._debts.get(place)
        if debt is None:
            debt = self._debts[place] = _Debt(said)
        elif said.at >= debt.said.at:
            debt.said = said
        debt.heard = now

    def _sweep(self, now: float) -> None:
        """Forget the debts of keys that are held no longer: they are read again with the key."""
        self._debts = {
            place: debt
            for place, debt in self._debts.items()
            if debt.unsaid or now - debt.heard <= self._cached_s
        }
        self._sweep_at = max(_SWEEP_AT, 2 * len(self._debts))


def _come_after_requests() -> None:
    """Have this thread run when those that answer requests do not want the processor."""
    if sys.platform == "linux":  # elsewhere the whole process would be put back
        with suppress(OSError):
            os.setpriority(os.PRIO_PROCESS, get_native_id(), _NICE)
