"""Where the keys of a store are that can be found by reading all of them: hash → place."""

import time
from collections.abc import Callable, Mapping

PAUSE_S = 30.0
"""A store is read through again for an unknown key after so many seconds, not for each."""


class Index:
    """Remembers hashes, never keys; of a key that was deleted its place is remembered too.

    Args:
        load: reads the store through.
        ticks: seconds of a clock that never goes back.
    """

    def __init__(
        self, load: Callable[[], Mapping[str, str]], ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._load, self._ticks = load, ticks
        self._places: dict[str, str] = {}
        self._loaded: float | None = None

    def place(self, digest: str) -> str | None:
        """Return where the key of this SHA-256 is, reading the store through when it is time."""
        if digest not in self._places and self._is_due():
            self._places.update(self._load())
            self._loaded = self._ticks()
        return self._places.get(digest)

    def forget(self, digest: str) -> None:
        """Note that the key is not there any more: others may be elsewhere now, too."""
        self._places.pop(digest, None)
        self._loaded = None

    def _is_due(self) -> bool:
        return self._loaded is None or self._ticks() - self._loaded >= PAUSE_S
