"""Rows of an INSERT that names no columns: the CREATE TABLE before it does.

A look at one INSERT is a look at all that stand around it, so that a dump is walked over once or
twice, however many there are.
"""

from collections.abc import Iterator, Sequence

from scanner.batch import Data
from scanner.lazy import lazy
from scanner.region import RUN, Region
from scanner.tables import Cell, Span, bare, telling, tuples, written

_REACH = 4 * RUN
_NAME = rb"[\w$.\x22\x60\[\]-]{1,140}"
_STATEMENT = lazy(
    rb"(?:CREATE|create)\s[^;()'\"]{0,40}(?:TABLE|table)\s+(?:(?:IF NOT EXISTS|if not exists)\s+)?"
    rb"(?P<made>" + _NAME + rb")\s*\("
    rb"|(?:INTO|into)\s+(?P<filled>" + _NAME + rb")\s+(?:VALUES?|values?)\s*(?=\()"
)
_COLUMN = lazy(
    rb"\s{0,40}(?:--[^\n]*\n\s{0,40}){0,9}([\w$]{1,64}|[\x22\x60\[][^\x22\x60\[\]\n]{1,64}[\x22\x60\]])\s+"
    rb"[A-Za-z](?:[^,()'\"\n]|\n(?!\))|'(?:[^'\n]|'')*'|\"[^\"\n]*\"|\([^()]*(?:\([^()]*\)[^()]*)?\)){0,200}"
)
_NO_COLUMN = frozenset(
    b"primary unique key index constraint foreign check fulltext spatial exclude period".split()
)
_MOST = 300  # columns
_QUOTES = b'"`[]'


def triggers(words: Sequence[bytes]) -> Iterator[str]:
    """Yield how an INSERT begins that names no columns."""
    del words
    yield r"(?i)into\s+[\w$.\x22\x60\[\]-]+\s+values?\s*\("


def inserts(data: Data, at: int, low: int, high: int) -> Region | None:
    """Write the telling cells of INSERTs around a place as assignments."""
    begin, stop = max(low, at - _REACH), min(high, at + _REACH)
    columns: dict[bytes, list[Span]] = {}
    cells: list[Cell] = []
    if max(data.find(word, begin, stop) for word in (b"CREATE ", b"create ")) >= 0:
        for found in _STATEMENT.finditer(data, begin, stop):
            if made := found["made"]:
                columns[_plain(made)] = list(_listed(data, found.end(), stop))
            elif known := columns.get(_plain(found["filled"])):
                cells += telling(data, known, tuples(data, found.end(), stop, len(known)))
    region = written(data, cells)
    if region is None:
        return Region(begin, stop, b"")
    return Region(region.start, stop, region.text, region.spots)


def _plain(name: bytes) -> bytes:
    """Return a table's name without its schema and its quotes."""
    return name.lower().rpartition(b".")[2].strip(_QUOTES)


def _listed(data: Data, at: int, stop: int) -> Iterator[Span]:
    """Yield where the names of columns stand that a CREATE TABLE defines."""
    for _ in range(_MOST):
        column = _COLUMN.match(data, at, stop)
        if not column or column[1].lower() in _NO_COLUMN:
            return
        yield bare(data, *column.span(1), _QUOTES)
        at = column.end()
        if data[at : at + 1] != b",":
            return
        at += 1
