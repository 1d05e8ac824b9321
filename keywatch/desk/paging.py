"""Lists a page at a time: after the last row seen, not after a number of rows."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, or_

from keywatch.desk.contract import Page
from vocabulary.errors import UsageError

T = TypeVar("T")

MOST = 200
"""Rows that are given at once."""


def paged(
    connection: Connection,
    query: Select[Any],
    order: tuple[ColumnElement[float], ColumnElement[str]],
    shown: Callable[[Row[Any]], T],
    *,
    after: str = "",
    limit: int = 50,
) -> Page[T]:
    """Return a page of `query`, the newest row first.

    Args:
        connection: any.
        query: what is listed.
        order: a time and an id, which an index holds in this order.
        shown: makes an item of a row.
        after: `next` of the page before.
        limit: rows, at most `MOST`.

    Raises:
        UsageError: when `after` is none of ours.
    """
    at, name = order
    limit = max(1, min(limit, MOST))
    if after:
        since, known = cursor_of(after)
        query = query.where(at <= since, or_(at < since, and_(at == since, name < known)))
    query = query.order_by(at.desc(), name.desc()).limit(limit + 1)
    rows = connection.execute(query).all()
    more = len(rows) > limit
    last = rows[limit - 1] if more else None
    return Page(
        items=tuple(shown(row) for row in rows[:limit]),
        next=written(last, (at, name)) if last is not None else "",
    )


def written(row: Row[Any], order: Sequence[ColumnElement[Any]]) -> str:
    """Return the cursor behind a row."""
    at, name = (row._mapping[column] for column in order)  # noqa: SLF001  (its public name)
    return f"{at!r},{name}"


def cursor_of(after: str) -> tuple[float, str]:
    """Read a cursor.

    Raises:
        UsageError: when it is none.
    """
    at, _, name = after.partition(",")
    try:
        return float(at), name
    except ValueError:
        raise UsageError("this is no `next` of a page", remedy="begin without `after`") from None
