"""Every row of one database into another, whatever kinds the two are."""

from sqlalchemy import Connection, Table, func, insert, select, text

from database.schema import metadata
from database.schema.keeping import release

_AT_ONCE = 5_000


def replace_rows(source: Connection, target: Connection) -> None:
    """Make `target` hold exactly the rows of `source`; both are of the newest schema.

    Args:
        source: sees one moment.
        target: a write transaction; nobody else reads or writes until it ends.
    """
    release(target)
    _empty(target)
    for table in metadata.sorted_tables:
        found = source.execution_options(yield_per=_AT_ONCE).execute(select(table))
        for part in found.mappings().partitions():
            target.execute(insert(table), [{**row} for row in part])
        _go_on_counting(target, table)
    release(target, kept=True)


def _empty(target: Connection) -> None:
    if target.dialect.name == "postgresql":
        names = ", ".join(table.name for table in metadata.sorted_tables)
        target.execute(text(f"TRUNCATE {names}"))
        return
    for table in reversed(metadata.sorted_tables):
        target.execute(table.delete())


def _go_on_counting(target: Connection, table: Table) -> None:
    """Have PostgreSQL's sequence of the table go on after the numbers that were copied."""
    column = table.autoincrement_column
    if target.dialect.name != "postgresql" or column is None or column.autoincrement is not True:
        return
    sequence = func.pg_get_serial_sequence(table.name, column.name)
    newest = select(func.coalesce(func.max(column), 0) + 1).scalar_subquery()
    target.execute(select(func.setval(sequence, newest, False)))
