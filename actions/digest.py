"""Messages that can wait: kept back while somebody must not be disturbed, then told as one."""

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqlalchemy import Connection, Row, func, insert, select, update

from actions.telling.manners import Manners
from database.schema import outbox
from vocabulary.alert import Severity
from vocabulary.moments import rfc3339

KEPT = "kept"
"""State of a message that waits for a digest; it is in nobody's way."""

_HOUR_S = 3600.0
_MOST = 200
_SUMMARY = 200


def kept_back(
    connection: Connection, rows: Sequence[Row[Any]], manners: Mapping[str, Manners], now: float
) -> list[Row[Any]]:
    """Keep back what can wait, and return the rows that go out now.

    Args:
        connection: a write transaction.
        rows: messages that are due.
        manners: lane → when its notifier may be disturbed.
        now: epoch seconds.
    """
    going: list[Row[Any]] = []
    sent = {lane: _sent(connection, lane, now) for lane in {row.lane for row in rows} & {*manners}}
    for row in rows:
        mine = manners.get(row.lane)
        # What was begun is finished: the receiver may have got it already.
        if mine is not None and not row.attempts:
            if mine.waits(row.arguments, sent[row.lane], now):
                _keep(connection, row)
                continue
            sent[row.lane] += 1
        going.append(row)
    return going


def ripe(connection: Connection, manners: Mapping[str, Manners], now: float) -> list[str]:
    """Return the lanes of which the time for a digest has come."""
    oldest = select(outbox.c.lane, func.min(outbox.c.created_at)).where(outbox.c.state == KEPT)
    found = connection.execute(oldest.group_by(outbox.c.lane)).all()
    return [lane for lane, since in found if _is_ripe(connection, lane, since, manners, now)]


def gather(connection: Connection, manners: Mapping[str, Manners], now: float) -> None:
    """Make one message of what was kept back, for each lane of which the time has come.

    Args:
        connection: a write transaction.
        manners: as for `kept_back`.
        now: epoch seconds.
    """
    for lane in ripe(connection, manners, now):
        kept = connection.execute(
            select(outbox)
            .where(outbox.c.state == KEPT, outbox.c.lane == lane)
            .order_by(outbox.c.id)
            .limit(_MOST)
        ).all()
        cause = "\n".join([lane, *(row.idempotency_key for row in kept)])
        name = "digest_" + sha256(cause.encode()).hexdigest()[:32]
        connection.execute(
            insert(outbox).values(
                idempotency_key=name,
                alert_id="",
                subject=name,
                lane=lane,
                effect="notify",
                arguments=_digest(kept, now),
                state="waiting",
                attempts=0,
                not_before=0.0,
                created_at=now,
            )
        )
        told = {"state": "done", "done_at": now, "result": {"digest": name}}
        ids = [row.id for row in kept]
        connection.execute(update(outbox).where(outbox.c.id.in_(ids)).values(**told))


def _is_ripe(
    connection: Connection, lane: str, since: float, manners: Mapping[str, Manners], now: float
) -> bool:
    mine = manners.get(lane)
    if mine is None:  # it was configured otherwise meanwhile: nothing is forgotten
        return True
    waited = now >= since + mine.digest_s
    return waited and not mine.is_quiet(now) and not mine.is_full(_sent(connection, lane, now))


def _digest(kept: Sequence[Row[Any]], now: float) -> dict[str, Any]:
    messages = [_short(row.arguments) for row in kept]
    worst = max(Severity.of(one["data"]["incident"].get("severity", "low")) for one in messages)
    return {
        "type": "digest",
        "timestamp": rfc3339(now),
        "data": {
            "count": len(messages),
            "since": rfc3339(kept[0].created_at),
            "severity": worst.word,
            "messages": messages,
        },
    }


def _short(message: Mapping[str, Any]) -> dict[str, Any]:
    """Return a message without what only its details are for."""
    data = message.get("data", {})
    incident, key = data.get("incident"), data.get("key")
    short = {
        "incident": incident if isinstance(incident, dict) else {},
        "key": key,
    }
    if isinstance(alert := data.get("alert"), dict):
        short["alert"] = {"summary": str(alert.get("summary", ""))[:_SUMMARY]}
    if not short["incident"]:
        short |= {"actor": data.get("actor"), "reason": data.get("reason")}
    names = ("type", "timestamp")
    return {**{name: message.get(name, "") for name in names}, "data": short}


def _keep(connection: Connection, row: Row[Any]) -> None:
    connection.execute(update(outbox).where(outbox.c.id == row.id).values(state=KEPT))


def _sent(connection: Connection, lane: str, now: float) -> int:
    """Return how many messages went out within the last hour, digests counted as one each."""
    lately = select(outbox.c.result).where(
        outbox.c.lane == lane, outbox.c.state == "done", outbox.c.done_at > now - _HOUR_S
    )
    results = connection.execute(lately).scalars()
    return sum(1 for result in results if not (result or {}).get("digest"))
