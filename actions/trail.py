"""What the audit log says of a key: how far it goes, and who changed it since."""

from sqlalchemy import Connection, Row, func, select

from database.schema import audit


def head(connection: Connection, subject: str) -> int:
    """Return the number of the subject's newest row in the audit log; 0 for none."""
    newest = select(func.max(audit.c.seq)).where(audit.c.subject == subject)
    return connection.execute(newest).scalar_one() or 0


def since(connection: Connection, subject: str, seq: int) -> list[Row[tuple[int, str, str]]]:
    """Return (seq, actor, verb) of what was done to the subject after row `seq`."""
    query = (
        select(audit.c.seq, audit.c.actor, audit.c.verb)
        .where(audit.c.subject == subject, audit.c.seq > seq)
        .order_by(audit.c.seq)
    )
    return list(connection.execute(query))
