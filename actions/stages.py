"""What is to happen later, unless a person decides otherwise: a stronger action, or an undo.

Such a row waits as `scheduled`, in nobody's way, and is looked at anew when its time comes.
"""

from typing import Any

from sqlalchemy import Connection, Float, Row, bindparam, insert, select, update

from actions.brakes import Situation, braked
from actions.idempotency import idempotency_key
from actions.policy import Guards
from actions.queue import EFFECT
from database.schema import alerts, incidents, outbox
from keystore import query
from vocabulary.action import ActionKind, Decision
from vocabulary.errors import KeyNotFoundError

SCHEDULED, SKIPPED = "scheduled", "skipped"
UNDO = "undo"
_AT_ONCE = 100
_GOES_ON = ("open", "contained")
_IS_DUE = (
    select(outbox.c.id)
    .where(outbox.c.state == SCHEDULED, outbox.c.not_before <= bindparam("now", type_=Float))
    .limit(1)
)


def schedule(
    connection: Connection,
    effect_id: int,
    decision: Decision,
    about: tuple[str, str, dict[str, Any]],
    now: float,
) -> None:
    """Write down what follows an action.

    Args:
        connection: in the transaction that writes the action.
        effect_id: its number.
        decision: with `then` or `undo_after_s`.
        about: alert id, key id and arguments of the action.
        now: epoch seconds.
    """
    alert_id, subject, arguments = about
    if decision.then is not ActionKind.NONE:
        effect, at = decision.then.value, now + decision.then_after_s
        said = {"reason": f"nobody took it on: {arguments['reason']}", "duration_s": 0.0}
    elif decision.undo_after_s:
        effect, at = UNDO, now + decision.undo_after_s
        said = {"undoes": effect_id}
    else:
        return
    connection.execute(
        insert(outbox).values(
            idempotency_key=idempotency_key("act", alert_id, effect, "later"),
            alert_id=alert_id,
            subject=subject,
            lane=EFFECT,
            effect=effect,
            arguments={**arguments, **said, "follows": effect_id},
            state=SCHEDULED,
            attempts=0,
            not_before=at,
            created_at=now,
        )
    )


def are_due(connection: Connection, now: float) -> bool:
    """Say whether the time of something scheduled has come."""
    return connection.execute(_IS_DUE, {"now": now}).first() is not None


def promote(connection: Connection, guards: Guards, now: float) -> None:
    """Let what is due take its way, or call it off when a person decided otherwise.

    Args:
        connection: a write transaction, in commit order.
        guards: the policy's limits; what comes late is braked like everything else.
        now: epoch seconds.
    """
    for row in connection.execute(_due(now).order_by(outbox.c.id).limit(_AT_ONCE)).all():
        if reason := _objection(connection, row):
            _set(connection, row, state=SKIPPED, error=f"called off: {reason}")
        elif row.effect == UNDO:
            _set(connection, row, state="waiting", not_before=0.0)
        else:
            _let_through(connection, row, guards, now)


def _due(now: float) -> Any:  # noqa: ANN401  (a select of every column)
    return select(outbox).where(outbox.c.state == SCHEDULED, outbox.c.not_before <= now)


def _let_through(connection: Connection, row: Row[Any], guards: Guards, now: float) -> None:
    try:
        key = query.get(connection, row.subject).known(now)
    except KeyNotFoundError:
        key = None
    decision = Decision(ActionKind(row.effect), line=row.arguments.get("line", ""), dry_run=False)
    kind, source, severity = (
        str(row.arguments.get(name, "")) for name in ("kind", "source", "severity")
    )
    situation = Situation(row.subject, kind, source, key, row.created_at, severity)
    after = braked(connection, decision, situation, guards, now)
    state = "held" if after.held else "waiting"
    arguments = {**row.arguments, "approvals": after.approvals}
    _set(
        connection,
        row,
        state=state,
        error=after.guard,
        not_before=0.0,
        created_at=now,
        arguments=arguments,
    )


def _objection(connection: Connection, row: Row[Any]) -> str:
    """Say what a person decided that speaks against it."""
    first = connection.execute(select(outbox).where(outbox.c.id == row.arguments["follows"])).one()
    if first.state != "done":
        return f"action {first.id} is {first.state.replace('_', ' ')}"
    found = connection.execute(
        select(incidents.c.state, alerts.c.feedback)
        .join(alerts, alerts.c.incident_id == incidents.c.id)
        .where(alerts.c.id == row.alert_id)
    ).one()
    if row.effect == UNDO:
        return _speaks_against_undo(connection, row, found.feedback)
    return "" if found.state in _GOES_ON else f"the incident is {found.state}"


def _speaks_against_undo(connection: Connection, row: Row[Any], feedback: str) -> str:
    if feedback == "confirmed":
        return "a person confirmed the alert"
    newer = connection.execute(
        select(outbox.c.id, outbox.c.effect)
        .where(
            outbox.c.subject == row.subject,
            outbox.c.lane == EFFECT,
            outbox.c.id > row.arguments["follows"],
            outbox.c.state.in_(("done", "waiting", "held")),
            outbox.c.effect.not_in(("restore", UNDO)),
        )
        .limit(1)
    ).first()
    return f"action {newer.id} ({newer.effect}) came after it" if newer else ""


def _set(connection: Connection, row: Row[Any], **values: object) -> None:
    connection.execute(update(outbox).where(outbox.c.id == row.id).values(**values))
