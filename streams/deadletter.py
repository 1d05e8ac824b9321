"""Lines that are no events: kept with their reason and position, never in the stream's way."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, select

from database.schema import dead_letters
from streams.checkpoint import Position

MAX_RAW = 64 * 1024
"""Bytes that are kept of a line."""

Letter = tuple[Position, str, bytes]
"""Where the line stood, why it was refused, and its bytes, redacted."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A line that was kept; `at` is epoch seconds."""

    id: int
    source: str
    position: Position
    reason: str
    raw: bytes
    at: float

    @property
    def when(self) -> str:
        """The time as RFC 3339."""
        return datetime.fromtimestamp(self.at, UTC).isoformat(timespec="seconds")


def keep(connection: Connection, source: str, letters: Sequence[Letter], now: float) -> None:
    """Keep lines, in the transaction of the position behind them.

    Args:
        connection: within that transaction.
        source: the source's name.
        letters: the lines; of each the first 64 KiB are kept.
        now: epoch seconds.
    """
    rows = [
        {
            "source": source,
            "position": dict(position),
            "reason": reason,
            "raw": raw[:MAX_RAW],
            "at": now,
        }
        for position, reason, raw in letters
    ]
    if rows:
        connection.execute(insert(dead_letters), rows)


def count(connection: Connection, source: str | None = None) -> int:
    """Return the number of lines that are kept, of one source or of all."""
    query = select(func.count()).select_from(dead_letters)
    if source is not None:
        query = query.where(dead_letters.c.source == source)
    return connection.execute(query).scalar_one()


def newest(connection: Connection, limit: int = 100, source: str | None = None) -> list[DeadLetter]:
    """Return the lines that were kept last, the newest first."""
    query = select(dead_letters).order_by(dead_letters.c.id.desc()).limit(limit)
    if source is not None:
        query = query.where(dead_letters.c.source == source)
    return [DeadLetter(**row) for row in connection.execute(query).mappings()]
