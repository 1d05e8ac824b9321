"""Forgetting what was alerted, decided and done about a key."""

from sqlalchemy import Connection, delete, or_, select

from database.schema import alerts, incidents, lessons, outbox


def erase(connection: Connection, subject: str) -> list[str]:
    """Forget a subject's incidents, alerts, actions and messages.

    What waits in the outbox goes with them: there is nothing left that it could be done to.

    Args:
        connection: a write transaction.
        subject: key id.

    Returns:
        Ids of the incidents and alerts, under which the audit log knows them.
    """
    mine = select(alerts.c.id).where(alerts.c.subject == subject)
    about = connection.execute(mine).scalars().all()
    cases = select(incidents.c.id).where(incidents.c.subject == subject)
    found = [*about, *connection.execute(cases).scalars()]
    sent = or_(outbox.c.subject == subject, outbox.c.alert_id.in_(mine))
    connection.execute(delete(outbox).where(sent))
    connection.execute(delete(lessons).where(lessons.c.key_id == subject))
    connection.execute(delete(alerts).where(alerts.c.subject == subject))
    connection.execute(delete(incidents).where(incidents.c.subject == subject))
    return found
