"""Making sure that what is deleted is gone from the files, too."""

from contextlib import closing

from sqlalchemy import Connection, Engine

from database.engine import shown, told


def overwriting(connection: Connection) -> None:
    """Have what is deleted through this connection overwritten; servers do that in their time."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("PRAGMA secure_delete = ON")


def settle(engine: Engine) -> bool:
    """Write the journal of an SQLite file into it and cut it off: older pages stand there.

    Returns:
        False when somebody is reading or writing: then it is done by the next one to close it.
    """
    if engine.dialect.name != "sqlite":
        return True
    with told(shown(str(engine.url))), closing(engine.raw_connection()) as connection:
        # Past SQLAlchemy, which would open a transaction: in one nothing is cut off.
        (busy, *_) = connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return not busy
