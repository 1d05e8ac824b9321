"""Conditions on lists of values whose statements are few, however long the lists are."""

from collections.abc import Collection
from typing import Any, TypeVar

from sqlalchemy import ColumnElement

_T = TypeVar("_T")
_STEP = 1024


def among(column: ColumnElement[Any], values: Collection[Any]) -> ColumnElement[bool]:
    """Return that the column is one of the values; the last one may be told several times.

    Each length of a list is a statement of its own, of up to 60 KB for a few hundred values, and a
    connection keeps 128 of them. Here lengths are powers of two, or multiples of 1024.

    Args:
        column: what is looked for.
        values: as many as the database takes in one statement.
    """
    return column.in_(lengthened(values))


def lengthened(values: Collection[_T]) -> list[_T]:
    """Return the values, the last one several times: see `among`."""
    told = list(values)
    step = min(1 << (len(told) - 1).bit_length(), _STEP) if told else 1
    return told + told[-1:] * (-len(told) % step)
