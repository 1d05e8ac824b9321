"""What could not be read, when it is tried again, and when a person is reminded of it."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

FIRST_S, LONGEST_S = 1.0, 60.0
"""Seconds until the first further try; each wait is twice the one before, up to the longest."""

REMIND_S = 600.0


@dataclass(slots=True)
class _Failure:
    error: str
    wait_s: float
    due: float
    told_at: float


class Retries:
    """Failures by the name of what failed.

    Args:
        tell: called with an error when it is new, and at intervals while it lasts.
        clock: seconds.
        longest_s: the longest wait between two tries.
    """

    def __init__(
        self,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
        longest_s: float = LONGEST_S,
    ) -> None:
        self._tell, self._clock, self._longest_s = tell, clock, longest_s
        self._failures: dict[str, _Failure] = {}

    @property
    def failed(self) -> Mapping[str, str]:
        """Name → error of what has failed and was not read since."""
        return {name: one.error for name, one in self._failures.items()}

    def is_due(self, name: str) -> bool:
        """Say whether it may be tried: it never failed, or the wait is over."""
        one = self._failures.get(name)
        return one is None or self._clock() >= one.due

    def fail(self, name: str, error: str) -> None:
        """Note a failure."""
        now, one = self._clock(), self._failures.get(name)
        wait_s = FIRST_S if one is None else min(2 * one.wait_s, self._longest_s)
        is_news = one is None or one.error != error or now - one.told_at >= REMIND_S
        told_at = now if is_news or one is None else one.told_at
        self._failures[name] = _Failure(error, wait_s, now + wait_s, told_at)
        if is_news:
            self._tell(f"{error}; it is tried again")

    def succeed(self, name: str) -> None:
        """Note that it was read after all."""
        if self._failures.pop(name, None) is not None:
            self._tell(f"{name}: read again")

    def forget(self, name: str) -> None:
        """Drop what is no longer there."""
        self._failures.pop(name, None)
