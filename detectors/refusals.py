"""Addresses that try keys, where what one address does comes to several workers.

Workers share keys among themselves, so that each sees only some of the keys that an address tries.
What was refused to an address is therefore kept in the database, in a few rows by address, and a
worker adds its part in the transaction of its batch: each event counts once, whoever saw it.
"""

from zlib import crc32

import msgspec
import numpy as np
from sqlalchemy import Connection, select, update

from database.schema import side_inputs
from database.upsert import inserting
from detectors import packing
from detectors.profile import VERSION
from detectors.stuffing import Sources, SourcesState
from vocabulary.access import EventBatch, Ints
from vocabulary.alert import Alert
from vocabulary.senders import sender

ROWS = 16
"""Workers that see the same row wait for one another."""

_NAME = "sources:"


def tell(connection: Connection, batch: EventBatch, ts_ms: Ints) -> list[Alert]:
    """Add the refused events of a batch to what all workers saw; return the alerts.

    Args:
        connection: in the transaction of the batch.
        batch: the events.
        ts_ms: shape (n,), plausible times; see `Watcher.plausible`.
    """
    refused = ~batch.accepted
    row = np.array([row_of(ip) for ip in batch.ips] or [0])[batch.ip]
    found: list[Alert] = []
    # Always in one order, or two workers wait for each other for ever.
    for number in np.unique(row[refused]).tolist():
        sources = seen(connection, f"{_NAME}{number:02}")
        found += sources.alerts(batch, ts_ms, refused & (row == number))
        keep(connection, f"{_NAME}{number:02}", sources)
    return sorted(found, key=lambda one: (one.ts, one.id))


def row_of(address: str) -> int:
    """Return in which of the rows an address is seen."""
    return crc32(sender(address).encode("utf-8", "replace")) % ROWS


def seen(connection: Connection, name: str) -> Sources:
    """Return what a row has seen so far; others wait until the transaction has ended."""
    first = {"name": name, "version": VERSION, "data": _packed(Sources())}
    connection.execute(inserting(connection, side_inputs).values(first).on_conflict_do_nothing())
    query = select(side_inputs.c.version, side_inputs.c.data).where(side_inputs.c.name == name)
    row = connection.execute(query.with_for_update()).one()
    if not packing.is_known(int(row.version)):
        return Sources()
    return Sources(msgspec.msgpack.decode(bytes(row.data), type=SourcesState))


def keep(connection: Connection, name: str, sources: Sources) -> None:
    """Write a row that `seen` returned, in the same transaction."""
    values = {"version": VERSION, "data": _packed(sources)}
    connection.execute(update(side_inputs).where(side_inputs.c.name == name).values(values))


def _packed(sources: Sources) -> bytes:
    return msgspec.msgpack.encode(sources.state)
