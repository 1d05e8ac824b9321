"""Alembic's environment: one engine, handed in by database.migrate."""

from alembic import context

from database.schema import metadata

engine = context.config.attributes["engine"]

with engine.connect().execution_options(write=True) as connection:
    context.configure(
        connection=connection,
        target_metadata=metadata,
        render_as_batch=connection.dialect.name == "sqlite",
    )
    with connection.begin():
        context.run_migrations()
