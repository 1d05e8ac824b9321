"""Where keys are imported from: CSV, JSON, JSON lines, and any database by a query."""

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from hashlib import file_digest, sha256
from itertools import chain
from pathlib import Path
from typing import Any

import msgspec
from sqlalchemy import text

from database.engine import engine_of, shown, told
from keystore.bulk import Fields
from vocabulary.errors import TargetError, UsageError

FORMATS = ("csv", "json", "jsonl")
_LONGEST_LINE = 1 << 20
_ORDERED = re.compile(r"\border\s+by\b", re.IGNORECASE)


def fingerprint_of_file(file: Path, mapped: Iterable[str] = ()) -> str:
    """Return what tells a file, read by this mapping, from others.

    Args:
        file: what is read.
        mapped: `field=column` each.

    Raises:
        TargetError: when it cannot be read.
    """
    with _opened(file) as handle:
        found = file_digest(handle, "sha256").hexdigest()
    by = "\n".join(sorted(mapped))
    return sha256(f"{found}\n{by}".encode()).hexdigest() if by else found


def fingerprint_of_query(url: str, query: str) -> str:
    """Return what tells a query from others, without the database's password.

    Raises:
        UsageError: when the query has no order: a crash would lose where it was.
    """
    if not _ORDERED.search(query):
        raise UsageError(
            "the query has no order", remedy="end it with ORDER BY and a unique column"
        )
    return sha256(f"{shown(url)}\n{query}".encode()).hexdigest()


def rows_of_file(file: Path, form: str, columns: Mapping[str, str]) -> Iterator[Fields]:
    """Yield the rows of a file.

    Args:
        file: what is read, in UTF-8.
        form: one of `FORMATS`; empty for what its name says.
        columns: field → how the file calls it; a field that is not named is called as it is.

    Raises:
        TargetError: when it cannot be read.
        UsageError: when its form is not known, or a CSV has not one of the columns.
    """
    form = form or file.suffix.removeprefix(".").lower()
    if form not in FORMATS:
        raise UsageError(f"{file} has no known form", remedy=f"--format {'|'.join(FORMATS)}")
    rows = {"csv": _csv, "json": _json, "jsonl": _jsonl}[form](file, columns)
    return (row if isinstance(row, str) else _renamed(row, columns) for row in rows)


def rows_of_query(url: str, query: str) -> Iterator[Fields]:
    """Yield what a query finds; its columns are called as the fields, by `AS` where need be.

    To be resumed it must find the same rows in the same order: give it an `ORDER BY`.

    Raises:
        DatabaseError: when the database is away or the query is wrong.
    """
    engine = engine_of(url, create=False)
    try:
        with told(shown(url)), engine.connect() as connection:
            found = connection.execution_options(yield_per=10_000).execute(text(query))
            for row in found.mappings():
                yield {str(name): _plain(value) for name, value in row.items()}
    finally:
        engine.dispose()


def _csv(file: Path, columns: Mapping[str, str]) -> Iterator[Fields]:
    with _opened(file) as raw:
        lines = (line.decode("utf-8", "replace") for line in raw)
        first = next(lines, "").removeprefix("\ufeff")
        reader = csv.DictReader(chain([first], lines), restkey=None, strict=True)
        lacking = set(columns.values()) - set(reader.fieldnames or ())
        if lacking:
            raise UsageError(f"{file} has no column {min(lacking)!r}")
        while True:
            try:
                row = next(reader)
            except StopIteration:
                return
            except csv.Error as error:
                yield f"no CSV: {error}"
                continue
            yield "more cells than columns" if None in row else row


def _jsonl(file: Path, _columns: Mapping[str, str]) -> Iterator[Fields]:
    with _opened(file) as raw:
        for line in raw:
            if line.strip():
                yield _object(line)


def _json(file: Path, _columns: Mapping[str, str]) -> Iterator[Fields]:
    with _opened(file) as raw:
        try:
            found = msgspec.json.decode(raw.read(), type=list[msgspec.Raw])
        except (msgspec.DecodeError, RecursionError):
            raise UsageError(
                f"{file} is no JSON array", remedy="or is it --format jsonl?"
            ) from None
    for each in found:
        yield _object(bytes(each))


def _object(raw: bytes) -> Fields:
    if len(raw) > _LONGEST_LINE:
        return "too long"
    try:
        return msgspec.json.decode(raw, type=dict[str, Any])
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return "no JSON object"


def _renamed(row: Mapping[str, Any], columns: Mapping[str, str]) -> Mapping[str, Any]:
    """Take what the columns name; without any, the row as it is."""
    return {field: row.get(name) for field, name in columns.items()} if columns else row


def _plain(value: Any) -> Any:  # noqa: ANN401
    """Return a database's value as text or JSON has it."""
    if isinstance(value, memoryview | bytes):
        return bytes(value).hex()
    return value


def _opened(file: Path) -> Any:  # noqa: ANN401
    try:
        return file.open("rb")
    except OSError as error:
        reason = (error.strerror or "cannot be read").lower()
        raise TargetError(reason, where=str(file)) from None
