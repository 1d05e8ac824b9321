"""What another policy would have done: alerts that are stored, answered anew on throw-away state.

Everything goes through the same code as live: weights, incidents, guards, caps and the breaker.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update

from actions.decide import ALL
from actions.policy import Policy
from actions.queue import EFFECT
from actions.respond import respond
from database.schema import alerts, keys, outbox
from database.transaction import reading, transaction
from keystore import query, usage
from keywatch.replay import throw_away
from vocabulary.alert import Alert
from vocabulary.credential import KnownKey
from vocabulary.moments import moment_of, rfc3339

DAY_S = 86_400.0
DECIDED_AFTER_S = 3600.0
"""So soon, it is taken, a person says no to what a guard holds."""
_HITS = ("done", "held", "rejected")
_CHUNK = 5000
_UNTOUCHED = {"state": "active", "account_id": None, "plan_id": None}
_VERDICT_WORDS = {"confirmed": "true", "false": "false"}

Known = Callable[[str], KnownKey | None]
Traffic = Callable[[str, float], int | None]
"""Key id, epoch seconds → requests on the day before; None where nobody counted."""


@dataclass(frozen=True, slots=True)
class Told:
    """An alert as it was told, when, and what people said of it."""

    alert: Alert
    at: float
    feedback: str


class Hit(msgspec.Struct, frozen=True):
    """A key that a policy would have acted on.

    Attributes:
        at: RFC 3339.
        state: done, or held where a guard would have stopped it.
        verdict: true or false by what people said of the alert; empty where nobody said anything.
        traffic: requests of the key on the day before; None where nobody counted.
        alert: id of the alert that led to it.
    """

    at: str
    key: str
    owner: str
    action: str
    state: str
    severity: str
    line: str
    guard: str
    verdict: str
    traffic: int | None
    alert: str


def stored(connection: Connection, since: float) -> list[Told]:
    """Return the alerts of the database since a time, in the order in which they were answered."""
    rows = connection.execute(
        select(alerts)
        .where(alerts.c.recorded_at >= since)
        .order_by(alerts.c.recorded_at, alerts.c.id)
    )
    undecided = {"action": "none", "dry_run": True}
    return [
        Told(msgspec.convert({**row.body, **undecided}, Alert), row.recorded_at, row.feedback)
        for row in rows
    ]


def hits(
    told: Sequence[Told],
    policy: Policy,
    known: Known,
    traffic: Traffic,
    copy: Callable[[Engine], None] = lambda _: None,
) -> list[Hit]:
    """Return what a policy, with all actions enabled, would have done about the alerts.

    Args:
        told: in the order of time.
        policy: to be tried.
        known: key id → what the key store knows of it; as if nothing had been done to it.
        traffic: of a key before a time.
        copy: puts the keys into the database it is given, for guards that count them.
    """
    said = {one.alert.id: one.feedback for one in told}
    with throw_away() as engine:
        copy(engine)
        for one in told:
            key = known(one.alert.key) if one.alert.key else None
            with transaction(engine) as connection:
                _look_after(connection, one.at)
                respond(connection, one.alert, key, policy, ALL, one.at)
                # what was decided counts as carried out: a key is revoked once
                carried = outbox.c.state == "waiting", outbox.c.lane == EFFECT
                connection.execute(
                    update(outbox).where(*carried).values(state="done", done_at=one.at)
                )
        return [_hit(*row, said, known, traffic) for row in _decided(engine)]


def _look_after(connection: Connection, now: float) -> None:
    """Do what a person would: what was held is not left so for ever, or the breaker stayed open."""
    waits = outbox.c.state == "held", outbox.c.created_at <= now - DECIDED_AFTER_S
    connection.execute(update(outbox).where(*waits).values(state="rejected"))


def _decided(engine: Engine) -> Iterator[tuple[Any, Any]]:
    with reading(engine) as connection:
        effects = connection.execute(
            select(outbox).where(outbox.c.lane == EFFECT).order_by(outbox.c.created_at, outbox.c.id)
        ).all()
        rows = {row.id: row for row in connection.execute(select(alerts))}
    return iter([(row, rows[row.alert_id]) for row in effects if row.state in _HITS])


def of_replay(alert: Alert) -> Told:
    """Return an alert of a replay, which nobody has judged, in its own time."""
    return Told(alert, moment_of(alert.ts, 0.0), "")


def compared(named: Mapping[str, Sequence[Hit]]) -> dict[str, Any]:
    """Return the JSON contract of a comparison: `policies`, `keys` and `hits` of each policy."""
    return {
        "policies": {name: summary(found) for name, found in named.items()},
        "keys": side_by_side(named),
        "hits": {name: msgspec.to_builtins(found) for name, found in named.items()},
    }


def _hit(
    row: Any,  # noqa: ANN401  (a row)
    alert: Any,  # noqa: ANN401
    said: Mapping[str, str],
    known: Known,
    traffic: Traffic,
) -> Hit:
    key = known(row.subject)
    return Hit(
        at=rfc3339(row.created_at),
        key=row.subject,
        owner=key.owner if key else "",
        action=row.effect,
        state="done" if row.state == "done" else "held",
        severity=alert.severity,
        line=row.arguments.get("line", ""),
        guard=row.error,
        verdict=_VERDICT_WORDS.get(said.get(row.alert_id, ""), ""),
        traffic=traffic(row.subject, row.created_at),
        alert=row.alert_id,
    )


class History:
    """What the database knows of keys and their uses, as if nothing had been done to them."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._known: dict[str, KnownKey | None] = {}

    def known(self, key_id: str) -> KnownKey | None:
        """Return a key as it was when it worked."""
        if key_id not in self._known:
            with reading(self._engine) as connection:
                found = query.by_ids(connection, [key_id]).get(key_id)
            self._known[key_id] = _working(found.known(found.created_at)) if found else None
        return self._known[key_id]

    def traffic(self, key_id: str, at: float) -> int | None:
        """Return the requests of a key on the day before a time."""
        with reading(self._engine) as connection:
            if usage.heard(connection) is None:
                return None
            rows = usage.of_key(connection, key_id, at - DAY_S)
        return sum(row.requests for row in rows if row.hour < at)

    def copy(self, target: Engine) -> None:
        """Put every key into another database, as if nothing had been done to it."""
        with reading(self._engine) as connection:
            found = connection.execution_options(yield_per=_CHUNK).execute(select(keys)).mappings()
            for rows in found.partitions():
                fresh = [{**row, **_UNTOUCHED} for row in rows]
                with transaction(target) as other:
                    other.execute(insert(keys), fresh)


def _working(key: KnownKey) -> KnownKey:
    """Return the key before anybody did anything to it."""
    is_test = key.verdict == "test"
    return msgspec.structs.replace(key, state="active", verdict="test" if is_test else "live")


def side_by_side(named: Mapping[str, Sequence[Hit]]) -> list[dict[str, Any]]:
    """Return a row a key that any policy would have hit: its strongest action under each.

    Args:
        named: name of a policy → what it would have done.
    """
    from actions.guards import strength  # noqa: PLC0415

    about: dict[str, dict[str, Any]] = {}
    for name, found in named.items():
        for hit in found:
            row = about.setdefault(
                hit.key,
                {
                    "key": hit.key,
                    "owner": hit.owner,
                    "traffic": hit.traffic,
                    "verdict": "",
                    "policies": dict.fromkeys(named),
                },
            )
            row["verdict"] = row["verdict"] or hit.verdict
            before = row["policies"][name]
            if before is None or strength(hit.action) > strength(before["action"]):
                row["policies"][name] = {
                    "action": hit.action,
                    "at": hit.at,
                    "state": hit.state,
                    "line": hit.line,
                }
    return sorted(about.values(), key=lambda row: row["key"])


def summary(found: Sequence[Hit]) -> dict[str, Any]:
    """Return how many keys and how much traffic were hit, and how often rightly."""
    done = [hit for hit in found if hit.state == "done"]
    by_action = {
        action: len({hit.key for hit in done if hit.action == action})
        for action in sorted({hit.action for hit in done})
    }
    verdicts = {
        word or "unknown": len({hit.key for hit in done if hit.verdict == word})
        for word in ("true", "false", "")
    }
    newest = {hit.key: hit.traffic for hit in done}
    counted = [requests for requests in newest.values() if requests is not None]
    return {
        "keys": len({hit.key for hit in done}),
        "held": len({hit.key for hit in found if hit.state == "held"}),
        "actions": by_action,
        "by_feedback": verdicts,
        "traffic": sum(counted) if counted else None,
    }
