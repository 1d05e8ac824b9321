"""Sources are held back while too much waits to be carried out."""

import time
from collections.abc import Callable, Sequence

from sqlalchemy import Engine

from keywatch.sources import Stream
from keywatch.status import outbox_is_long
from streams.chunk import Pausable

_MEASURE_S = 1.0
_HELD = "the outbox is long: sources are not read on until more of it is done (watch.max_outbox)"
_ON = "the outbox is short again: sources are read on"


class Holding:
    """Says which streams may be read, and pauses and resumes those that can be.

    Args:
        engine: the database.
        most: rows of the outbox that may wait.
        tell: called when it begins and when it ends.
    """

    def __init__(self, engine: Engine, most: int, tell: Callable[[str], None]) -> None:
        self._engine, self._most, self._tell = engine, most, tell
        self._held, self._measure_at = False, 0.0

    def readable(self, streams: Sequence[Stream]) -> Sequence[Stream]:
        """Return the streams that may be read: none while too much waits to be carried out.

        Only a member of a consumer group is asked on, paused, so that it stays one.
        """
        now = time.monotonic()
        if now >= self._measure_at:
            self._measure_at = now + _MEASURE_S
            self._hold(outbox_is_long(self._engine, self._most), streams)
        if not self._held:
            return streams
        return [stream for stream in streams if isinstance(stream.source, Pausable)]

    def _hold(self, held: bool, streams: Sequence[Stream]) -> None:  # noqa: FBT001  (a state)
        if held == self._held:
            return
        self._held = held
        self._tell(_HELD if held else _ON)
        for stream in streams:
            if isinstance(stream.source, Pausable):
                stream.source.pause() if held else stream.source.resume()
