"""Alembic's environment: one engine, handed in by database.migrate."""

from alembic import context

from database.schema import metadata
from database.transaction import in_commit_order

engine = context.config.attributes["engine"]

with engine.connect().execution_options(write=True) as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with connection.begin():
        # two processes may find an old schema at the same time: the second finds it upgraded
        in_commit_order(connection)
        context.run_migrations()
