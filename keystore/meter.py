"""Counting uses from batches of access events, in memory, until it is time to write them down.

What was counted since the last flush is lost when the process dies: at most a minute of an
aggregate, against a database row for each key and network in every batch.
"""

from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from math import inf

import numpy as np
from sqlalchemy import Connection

from keystore import usage
from keystore.usage import METHODS, Use, network_of
from vocabulary.access import EventBatch, Flags, Ints

FLUSH_S = 60.0
MOST = 200_000
"""So many different rows are written at once, however early it is."""

_Place = tuple[str, int, str, int, str]
_Count = tuple[int, int, float]
"""Requests, AI tokens, and epoch seconds of the first request."""
_NOTHING: _Count = (0, 0, inf)


class Meter:
    """Adds up batches; one thread.

    Args:
        clock: epoch seconds.
        ours: says which keys the store has; others are not counted, or anybody could fill the
            table.
        flush_s: seconds between two flushes.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        ours: Callable[[Sequence[str]], Collection[str]],
        flush_s: float = FLUSH_S,
    ) -> None:
        self._clock, self._ours, self._flush_s = clock, ours, flush_s
        self._counted: dict[_Place, _Count] = {}
        self._latest: dict[str, float] = {}
        self._newest = 0.0
        self._flushed = clock()

    def add(
        self, batch: EventBatch, tokens: Ints | None = None, counted: Flags | None = None
    ) -> None:
        """Count a batch.

        Args:
            batch: events of any keys.
            tokens: AI tokens of each event, shape (n,); None where the log says nothing.
            counted: shape (n,), which events are counted already; None for none.
        """
        if not len(batch):
            return
        now = self._clock()
        # An hour to come would count as of the last day for ever, and never be forgotten.
        batch = replace(batch, ts_ms=np.minimum(batch.ts_ms, int(now * 1000)))
        self._newest = max(self._newest, float(batch.ts_ms.max()) / 1000)
        ours = self._ours(batch.keys)
        if not ours:
            return
        sums = self._counted
        for place, (requests, spent, first_at) in _added_up(batch, ours, tokens, counted):
            before = sums.get(place, _NOTHING)
            earliest = min(before[2], first_at)
            sums[place] = (before[0] + requests, before[1] + spent, earliest)
        for key_id, at in _latest(batch, ours):
            self._latest[key_id] = max(self._latest.get(key_id, 0.0), at)

    def is_due(self) -> bool:
        """Whether it is time to flush."""
        return len(self._counted) >= MOST or self._clock() - self._flushed >= self._flush_s

    def flush(self, connection: Connection) -> None:
        """Write down what was counted, in the caller's transaction; then count anew.

        Where nothing came in since the last flush, all is known up to now.
        """
        now = self._clock()
        uses = [Use(*place, *counted) for place, counted in self._counted.items()]
        usage.record(connection, uses, self._latest, self._newest or now)
        self._counted, self._latest = {}, {}
        self._newest, self._flushed = 0.0, now


def _added_up(
    batch: EventBatch, ours: Collection[str], tokens: Ints | None, counted: Flags | None
) -> list[tuple[_Place, _Count]]:
    """Return each place of the batch once, with what was counted there."""
    hours, hour = np.unique(batch.ts_ms // (usage.HOUR_S * 1000), return_inverse=True)
    methods, method = _coded([m if m in METHODS else "other" for m in batch.methods], batch.method)
    networks, network = _coded([network_of(ip) for ip in batch.ips], batch.ip)
    status = np.where((batch.status >= 100) & (batch.status < 600), batch.status // 100, 0)  # noqa: PLR2004
    sizes = (len(batch.keys), len(hours), len(methods), 6, len(networks))
    packed = np.ravel_multi_index((batch.key, hour, method, status, network), sizes)
    ts_ms = batch.ts_ms
    if counted is not None:
        left = ~counted
        packed, ts_ms = packed[left], ts_ms[left]
        tokens = None if tokens is None else tokens[left]
    places, inverse, requests = np.unique(packed, return_inverse=True, return_counts=True)
    spent = np.zeros(len(places), dtype=np.int64)
    if tokens is not None:
        np.add.at(spent, inverse, tokens)
    first_ms = np.full(len(places), np.iinfo(np.int64).max)
    np.minimum.at(first_ms, inverse, ts_ms)
    columns = [column.tolist() for column in np.unravel_index(places, sizes)]
    counts = zip(requests.tolist(), spent.tolist(), (first_ms / 1000).tolist(), strict=True)
    return [
        (
            (batch.keys[k], int(hours[h]) * usage.HOUR_S, methods[m], s, networks[n]),
            count,
        )
        for (k, h, m, s, n), count in zip(zip(*columns, strict=True), counts, strict=True)
        if batch.keys[k] in ours
    ]


def _coded(values: Sequence[str], codes: "np.typing.NDArray[np.int32]") -> tuple[list[str], Ints]:
    """Return the distinct values, and for each event which of them."""
    distinct = list(dict.fromkeys(values)) or [""]
    places = {value: place for place, value in enumerate(distinct)}
    table = np.array([places[value] for value in values] or [0], dtype=np.int64)
    return distinct, table[codes]


def _latest(batch: EventBatch, ours: Collection[str]) -> list[tuple[str, float]]:
    """Return the last use of each key; events are sorted by key."""
    starts = np.flatnonzero(np.diff(batch.key, prepend=-1))
    newest = np.maximum.reduceat(batch.ts_ms, starts) / 1000
    named = zip(batch.key[starts].tolist(), newest.tolist(), strict=True)
    return [(batch.keys[k], at) for k, at in named if batch.keys[k] in ours]
