"""Which names of a folder are looked at: the newest ones often, all of them now and then.

A bucket is listed in the order of names, a thousand a request, and not by time. Names of logs begin
with places and go on with dates (AWSLogs/…/eu-central-1/2025/11/03/…): what comes next of a place
stands behind what came last. What does not is found when everything is listed once more.
"""

import re
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice, takewhile
from typing import Protocol

INSTALMENT = 10_000
"""Names that are listed in one go."""

LOOK_S = 10.0
"""How often a folder is looked at."""

LATE_NAMES = 200
"""So many of a place's newest names are listed again at each look: some come late."""

WHOLE_S = 3600.0
"""Everything is listed anew after this time at the latest, unless that itself takes long."""

_SHARE = 60
"""Of the time since everything was listed, listing takes at most this part: a 60th."""

_PLACES = 32
"""So many places are looked at in one go; of more, others at the next."""

_DATE = re.compile(r"(?<!\d)20\d\d(?:[01]\d[0-3]\d(?:\d\d|\d{6})?)?(?!\d)")


class Folder(Protocol):
    """Where objects are listed and read."""

    name: str

    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        """Yield the names of all objects in their order.

        Args:
            prefix: how they begin.
            after: what they stand behind.

        Raises:
            TargetError: when they cannot be listed.
        """
        ...

    def read(self, key: str, longest: int) -> bytes:
        """Return an object; of a longer one no more than one byte beyond that.

        Raises:
            TargetError: when it cannot be had.
        """
        ...


def place_of(key: str) -> str:
    """Return how a name begins, up to its date; without a date the folder that it lies in."""
    date = _DATE.search(key)
    return key[: date.start()] if date else key[: key.rfind("/") + 1]


class Listing:
    """Lists a folder, an instalment at a time.

    Args:
        folder: what is listed.
        clock: seconds.
    """

    def __init__(self, folder: Folder, clock: Callable[[], float] = time.monotonic) -> None:
        self._folder, self._clock = folder, clock
        self._at: str | None = ""
        self._looked, self._ended = float("-inf"), 0.0
        self._took = 0.0
        self._tails: dict[str, deque[str]] = {}
        self._marks: deque[tuple[str, str]] = deque()

    @property
    def whole(self) -> bool:
        """Whether everything was listed, and that is over."""
        return self._at is None

    @property
    def begins(self) -> bool:
        """Whether the next look begins to list everything."""
        return self._at == "" or (self._at is None and self._is_due())

    def is_due(self) -> bool:
        """Say whether it is time for another look."""
        return not self.whole or self._clock() - self._looked >= LOOK_S

    def look(self) -> list[str]:
        """Return names: the next of all, or those that may be new.

        Raises:
            TargetError: when they cannot be listed; the next look tries the same again.
        """
        self._looked = self._clock()
        if self._at is None and not self._is_due():
            return self._newest()
        if self._at is None:
            self._at, self._took, self._tails = "", 0.0, {}
        return self._next(self._at)

    def _is_due(self) -> bool:
        """Say whether everything is to be listed anew."""
        since = self._clock() - self._ended
        return since >= min(WHOLE_S, _SHARE * self._took) and since >= LOOK_S

    def _next(self, after: str) -> list[str]:
        began = self._clock()
        names = list(islice(self._folder.keys(after=after), INSTALMENT))
        self._took += self._clock() - began
        for name in names:
            self._tails.setdefault(place_of(name), deque(maxlen=LATE_NAMES + 1)).append(name)
        self._at = names[-1] if len(names) == INSTALMENT else None
        if self._at is None:
            self._ended = self._clock()
            marks = ((place, _mark(tail)) for place, tail in self._tails.items())
            self._marks, self._tails = deque(marks), {}
        return names

    def _newest(self) -> list[str]:
        """Return the newest names of some places, those first that were not asked for longest."""
        found: list[str] = []
        for _ in range(min(_PLACES, len(self._marks))):
            place, mark = self._marks[0]
            names = list(islice(self._behind(place, mark), INSTALMENT))
            tail = deque(names, maxlen=LATE_NAMES + 1)
            self._marks.popleft()
            self._marks.append((place, _mark(tail) or mark))
            found += names
        return found

    def _behind(self, place: str, mark: str) -> Iterator[str]:
        names = self._folder.keys(prefix=place, after=mark)
        return takewhile(lambda name: place_of(name) == place, names)


def _mark(tail: deque[str]) -> str:
    """Return the name behind which a place's newest ones stand; empty where there are few."""
    return tail[0] if len(tail) > LATE_NAMES else ""
