"""`keywatch keys rebuild`: a key's profile put together from logs, for the pipeline to take up."""

import time
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
from sqlalchemy import Engine, delete

from database.schema import lessons
from database.transaction import transaction
from detectors.facts import KeyFacts
from detectors.geoip import GeoReader
from detectors.store import offer
from detectors.watcher import Watcher
from vocabulary.access import EventBatch
from vocabulary.errors import KeyNotFoundError
from vocabulary.lesson import REBUILT

_COLUMNS = (
    "key",
    "arrival",
    "ts_ms",
    "ip",
    "method",
    "path",
    "agent",
    "status",
    "size",
    "accepted",
)


def rebuild(
    engine: Engine,
    key: str,
    history: Iterator[EventBatch],
    facts: Mapping[str, KeyFacts],
    geo: GeoReader,
    lateness_s: float = 0.0,
) -> int:
    """Put a key's profile together from logs; the pipeline takes it up with its next request.

    Args:
        engine: the database.
        key: its id.
        history: the events of logs, in order; other keys' are passed over.
        facts: what is known of the key.
        geo: where addresses are.
        lateness_s: how far behind the key's newest an event may come and count; 0: as usual.

    Returns:
        How many requests of the key there were.

    Raises:
        KeyNotFoundError: when the logs hold none; nothing is changed then.
    """
    watcher = Watcher(None, geo, clock=time.time)
    events = 0
    for batch in history:
        if key in batch.keys:
            mine = _only(batch, list(batch.keys).index(key))
            events += int(mine.accepted.sum())
            watcher.step(mine, facts, lateness_s=lateness_s)
    if not events:
        raise KeyNotFoundError(f"the logs hold no accepted request of {key}")
    with transaction(engine) as connection:
        offer(connection, key, watcher.kept(key))
        name = f"{REBUILT}:{key}"
        connection.execute(delete(lessons).where(lessons.c.alert_id == name))
        lesson = {"alert_id": name, "key_id": key, "verdict": REBUILT, "first_ms": 0, "last_ms": 0}
        connection.execute(lessons.insert(), [lesson])
    return events


def _only(batch: EventBatch, which: int) -> EventBatch:
    """Return the events of one key."""
    mine = np.flatnonzero(batch.key == which)
    columns: dict[str, Any] = {name: getattr(batch, name)[mine] for name in _COLUMNS}
    if batch.tls is not None:
        columns["tls"] = batch.tls[mine]
    if batch.tokens is not None:
        columns["tokens"] = batch.tokens[mine]
    columns["key"] = np.zeros(len(mine), np.int32)
    return replace(batch, keys=[batch.keys[which]], **columns)
