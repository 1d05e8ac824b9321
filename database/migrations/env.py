"""Alembic's environment: one engine, handed in by database.migrate."""

from alembic import context
from sqlalchemy import Connection

from database.schema import metadata
from database.transaction import in_commit_order
from vocabulary.errors import DatabaseError

engine = context.config.attributes["engine"]


def foreign_keys(connection: Connection, switch: str) -> None:
    """Have SQLite heed references or not; inside of a transaction it would not listen."""
    if connection.dialect.name == "sqlite":
        # a table that others refer to is altered by making it anew
        driver = connection.connection.driver_connection
        assert driver
        driver.execute(f"PRAGMA foreign_keys={switch}")


def refuse_dangling(connection: Connection) -> None:
    """Let no migration be committed that leaves a reference to nothing."""
    if connection.dialect.name == "sqlite":
        row = connection.exec_driver_sql("PRAGMA foreign_key_check").first()
        if row:
            raise DatabaseError(f"a row of {row[0]} refers to no row of {row[2]}")


with engine.connect().execution_options(write=True) as connection:
    foreign_keys(connection, "OFF")
    try:
        with connection.begin():
            # in here: a connection without a transaction would be committed after each migration
            context.configure(
                connection=connection,
                target_metadata=metadata,
                render_as_batch=connection.dialect.name == "sqlite",
            )
            # two processes may find an old schema at the same time: the second finds it upgraded
            in_commit_order(connection)
            context.run_migrations()
            refuse_dangling(connection)
    finally:
        foreign_keys(connection, "ON")
