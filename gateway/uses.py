"""How much keys are used, counted where requests are answered; the ledger writes it down.

Where `watch` reads a log of the same requests it counts them. So that neither of them counts what
the other does, the gateway says in its own log what it has counted, and leaves all to `watch`
while that counts anything in this database.
"""

from itertools import islice
from threading import Lock
from typing import TypeVar

import msgspec
from sqlalchemy import Connection

from gateway.options import Clock
from keystore import usage
from keystore.keys import DAY_S
from keystore.usage import METHODS, Use, network_of

EVERY_S = 60.0
"""Seconds between two times at which what was counted is written down."""

WATCHED_S = DAY_S
"""So long after `watch` has counted last, it is taken to be coming back."""

_AT_ONCE = 5_000
_MOST = 200_000
_Place = tuple[str, float, str, int, str]
"""Key, number of the hour, method, status and address, as they come: told apart by these it is
quickest on every request, and what they have in common is added up when it is written."""
_Written = tuple[str, int, str, int, str]
_T = TypeVar("_T")
_HTTP = range(100, 600)


class _Sums(msgspec.Struct, gc=False):
    """What was counted in one place; Python's search for cycles need not look at each of them."""

    uses: float
    tokens: float
    first_at: float


class Uses:
    """Counts; any thread may call it.

    Args:
        clock: epoch seconds.
        mode: `auto` to count unless `watch` does, `always` or `never`.
        kept_s: seconds after which what was counted is forgotten; 0 for never.
    """

    def __init__(self, clock: Clock, mode: str = "auto", kept_s: float = 0.0) -> None:
        self._clock, self._mode, self._kept_s = clock, mode, kept_s
        self._is_counting = mode != "never"
        self._counted: dict[_Place, _Sums] = {}
        # What is being written, and up to when it is all: of the thread that writes alone.
        self._leaving: dict[_Place, _Sums] = {}
        self._until = 0.0
        self._lock = Lock()
        self._written = 0.0
        self._pruned = 0.0
        self.lost = 0
        """Uses that were not counted, for there were too many different ones."""

    def note(
        self, at: float, key_id: str, method: str, status: int, client: str, tokens: int
    ) -> bool:
        """Count a use of a key that the store has; say whether it was.

        Args:
            at: epoch seconds.
            key_id: empty for nobody's.
            method: as it was sent.
            status: of the answer.
            client: its address.
            tokens: AI tokens that it cost.
        """
        # Who is let in without being registered has a colon in the name.
        if not self._is_counting or not key_id or ":" in key_id:
            return False
        place = (key_id, at // usage.HOUR_S, method, status, client)
        with self._lock:
            found = self._counted.get(place)
            if found is not None:
                found.uses += 1
                found.tokens += tokens
                if at < found.first_at:  # noqa: PLR1730  (min costs more; who came first may end last)
                    found.first_at = at
            elif len(self._counted) + len(self._leaving) < _MOST:
                self._counted[place] = _Sums(1, tokens, at)
            else:
                self.lost += 1
        return True

    @property
    def is_any(self) -> bool:
        """Whether anything waits to be written down."""
        return bool(self._counted or self._leaving)

    @property
    def is_leaving(self) -> bool:
        """Whether some of what was taken is not written yet."""
        return bool(self._leaving)

    def due_s(self) -> float | None:
        """Return in how many seconds it is time to write; None where nothing is counted at all."""
        if self._mode == "never":
            return None
        now = self._clock()
        self._written = min(self._written, now)  # a clock that went back
        full = self._leaving or len(self._counted) > _MOST // 2
        return 0.0 if full else max(0.0, self._written + EVERY_S - now)

    def take(self) -> list[Use]:
        """Return some of what was counted, which is to be written; in the end none.

        All that was counted so far is set aside at once: whoever counts meanwhile does not wait,
        and what comes on and on is written down with the next time, not with each part of this.
        """
        if not self._leaving:
            with self._lock:
                self._leaving, self._counted = self._counted, {}
            self._until = self._clock()
        found: dict[_Written, _Sums] = {}
        for place in list(islice(self._leaving, _AT_ONCE)):
            _add(found, _written(place), self._leaving.pop(place))
        return [
            Use(*place, int(sums.uses), int(sums.tokens), sums.first_at)
            for place, sums in found.items()
        ]

    def put_back(self, uses: list[Use]) -> None:
        """Take back what could not be written."""
        for use in uses:
            status, ip = 100 * use.status_class, use.network.partition("/")[0]
            place = (use.key_id, use.hour / usage.HOUR_S, use.method, status, ip)
            _add(self._leaving, place, _Sums(use.requests, use.tokens, use.first_at or 0.0))

    def write(self, connection: Connection, uses: list[Use]) -> None:
        """Write it down, in the caller's transaction.

        The last part says up to when all is known; then it is seen whether `watch` counts.
        """
        now = self._clock()
        usage.add(connection, uses)
        if self._leaving:
            return
        if self._is_counting:
            usage.hear(connection, self._until)
        watched = usage.watched(connection)
        is_watched = watched is not None and now - watched <= WATCHED_S
        self._is_counting = self._mode == "always" or (self._mode == "auto" and not is_watched)
        if self._kept_s and self._is_counting and now - self._pruned > DAY_S:
            usage.prune(connection, now - self._kept_s)
            self._pruned = now

    def settled(self) -> None:
        """Note that all was written: the next time comes in `EVERY_S`."""
        self._written = self._clock()


def _written(place: _Place) -> _Written:
    """Return under what a use is written down."""
    key_id, hour, method, status, client = place
    class_ = status // 100 if status in _HTTP else 0
    known = method if method in METHODS else "other"
    return key_id, int(hour) * usage.HOUR_S, known, class_, network_of(client)


def _add(sums: dict[_T, _Sums], place: _T, more: _Sums) -> None:
    found = sums.get(place)
    if found is None:
        sums[place] = msgspec.structs.replace(more)
        return
    found.uses += more.uses
    found.tokens += more.tokens
    found.first_at = min(found.first_at, more.first_at)
