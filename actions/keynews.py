"""Telling notifiers what was done to keys: from the audit log into the outbox, each row once."""

from collections.abc import Mapping, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Connection, func, insert, select

from actions.idempotency import idempotency_key
from actions.queue import NOTIFICATIONS
from database.schema import audit as log
from database.schema import outbox
from keystore import audit
from keystore.audit import Sealed
from vocabulary.moments import rfc3339

ALL = "*"
_NO_KEYS = ("alert_", "inc_")
"""Beginnings of subjects that are no keys: what is said of alerts and incidents is told as such."""
_AT_ONCE = 1000
_LONGEST = 2000


def head(connection: Connection) -> int:
    """Return the number of the newest row of the audit log: who begins now is told what follows."""
    newest = select(func.coalesce(func.max(log.c.seq), 0))
    return int(connection.execute(newest).scalar_one())


def queue_up(
    connection: Connection, since: int, wanted: Mapping[str, Sequence[str]], now: float
) -> int:
    """Queue messages about rows of the audit log after `since`; return how far it came.

    Args:
        connection: a write transaction; the caller keeps the number in it.
        since: number of the last row that was dealt with.
        wanted: notifier → verbs that it is told of, `*` for all.
        now: epoch seconds.
    """
    rows = list(islice(audit.rows_since(connection, since), _AT_ONCE))
    messages = [
        _queued(row, name, now)
        for row in rows
        for name, verbs in wanted.items()
        if (row.verb in verbs or ALL in verbs) and not row.subject.startswith(_NO_KEYS)
    ]
    if messages:
        connection.execute(insert(outbox), messages)
    return rows[-1].seq if rows else since


def message_of(row: Sealed) -> dict[str, Any]:
    """Return the message about a row, in the form of Standard Webhooks 1.0."""
    return {
        "type": f"key.{row.verb}",
        "timestamp": rfc3339(row.at),
        "data": {
            "key": row.subject,
            "actor": row.actor[:_LONGEST],
            "reason": row.reason[:_LONGEST],
            "details": row.details,
            "audit": {"row": row.seq, "hash": row.hash},
        },
    }


def _queued(row: Sealed, name: str, now: float) -> dict[str, Any]:
    return {
        "idempotency_key": idempotency_key("key", str(row.seq), row.hash, name),
        "alert_id": "",
        "subject": row.subject,
        "lane": NOTIFICATIONS + name,
        "effect": "notify",
        "arguments": message_of(row),
        "state": "waiting",
        "attempts": 0,
        "not_before": 0.0,
        "created_at": now,
    }
