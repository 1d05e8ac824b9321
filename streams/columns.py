"""Parsed lines as an `EventBatch`: distinct values and codes, sorted by key and arrival."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from itertools import count

import numpy as np

from streams.parsed import Parsed
from vocabulary.access import Codes, EventBatch, Flags

Known = Callable[[Sequence[str]], Sequence[bool]]
"""Distinct keys → whether the key store knows each."""

_UNAUTHENTICATED = 401


def batch_of(parsed: Parsed, known: Known | None = None) -> EventBatch:
    """Make columns of the events, sorted by key and, within a key, in order of arrival.

    Args:
        parsed: the events in order of arrival.
        known: asked once for all keys of the batch; None when every key counts as known.

    Returns:
        A batch whose `accepted` is False for events without a key, with a status of 401, or
        with a key that is not known.
    """
    keys, key = _sorted_codes(parsed.key)
    order = np.argsort(key, kind="stable")
    key = key[order]
    status = np.array(parsed.status, dtype=np.int32)[order]
    ips, ip = _codes(parsed.ip)
    methods, method = _codes(parsed.method)
    paths, path = _codes(parsed.path)
    agents, agent = _codes(parsed.agent)
    prints, tls = _codes(parsed.tls) if any(parsed.tls) else ([], None)
    return EventBatch(
        keys=keys,
        key=key,
        arrival=order.astype(np.int64, copy=False),
        ts_ms=np.array(parsed.ts_ms, dtype=np.int64)[order],
        ips=ips,
        ip=ip[order],
        methods=methods,
        method=method[order],
        paths=paths,
        path=path[order],
        agents=agents,
        agent=agent[order],
        status=status,
        size=np.array(parsed.size, dtype=np.int64)[order],
        accepted=_believed(keys, known)[key] & (status != _UNAUTHENTICATED),
        prints=prints,
        tls=None if tls is None else tls[order],
        tokens=np.array(parsed.tokens, np.int64)[order] if any(parsed.tokens) else None,
    )


def _believed(keys: Sequence[str], known: Known | None) -> Flags:
    flags = np.ones(len(keys), dtype=np.bool_)
    if known is not None:
        flags[:] = known(keys)
    if keys and keys[0] == "":
        flags[0] = False
    return flags


def _codes(words: Sequence[str]) -> tuple[list[str], Codes]:
    """Number the distinct words in order of appearance."""
    numbers: dict[str, int] = defaultdict(count().__next__)
    codes = np.fromiter(map(numbers.__getitem__, words), np.int32, len(words))
    return list(numbers), codes


def _sorted_codes(words: Sequence[str]) -> tuple[list[str], Codes]:
    """Number the distinct words in their order as text."""
    distinct = sorted(set(words))
    numbers = dict(zip(distinct, range(len(distinct)), strict=True))
    return distinct, np.fromiter(map(numbers.__getitem__, words), np.int32, len(words))
