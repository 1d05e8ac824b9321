"""Lines that are no events: kept with their reason and position, never in the stream's way."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import (
    BigInteger,
    Connection,
    Delete,
    and_,
    cast,
    delete,
    func,
    insert,
    select,
    update,
)

from database.listed import among
from database.schema import dead_letters
from streams.checkpoint import Position
from vocabulary.errors import DatabaseError

MAX_RAW = 64 * 1024
"""Bytes that are kept of a line."""

AGAIN = "again"
"""State of a letter that the pipeline is to read once more."""

PUBLISHED = "publish:"
"""How the source of a letter begins that was to be sent to a topic, and was too large for it."""

OF_JOB = "spark:"
"""How the source of a letter begins that its job reads again, and no other pipeline."""

_PLACE = ("stamp", "partition", "offset")

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
    state: str = "dead"

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


def limit(connection: Connection, most: int) -> int:
    """Drop letters beyond a number: the oldest of whichever source has most of them.

    So whoever floods one source pushes no other's letters out. Letters that are to be read again
    stay. A tenth of the number goes at once, so that it is not counted for every letter.

    Args:
        connection: of the transaction that kept the letters.
        most: how many may be kept; 0 for any number.

    Returns:
        How many were dropped.
    """
    first, last = (
        connection.scalar(select(edge(dead_letters.c.id))) for edge in (func.min, func.max)
    )
    if not most or last is None or first is None or last - first < most:
        return 0
    gone, excess = 0, count(connection) - most
    while excess > gone:
        kept = per_source(connection)
        source = max(kept, key=lambda name: kept[name])
        oldest = (
            select(dead_letters.c.id)
            .where(dead_letters.c.source == source, dead_letters.c.state != AGAIN)
            .order_by(dead_letters.c.id)
            .limit(min(excess - gone + most // 10, kept[source]))
        )
        query = delete(dead_letters).where(dead_letters.c.id.in_(oldest))
        dropped = connection.execute(query).rowcount
        if not dropped:
            break
        gone += dropped
    return gone


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


def named(connection: Connection, letter_id: int) -> DeadLetter | None:
    """Return one letter, or None when there is none of that number."""
    found = connection.execute(select(dead_letters).where(dead_letters.c.id == letter_id))
    row = found.mappings().first()
    return DeadLetter(**row) if row else None


def ask_again(
    connection: Connection, ids: Sequence[int] | None = None, source: str | None = None
) -> int:
    """Have the pipeline read letters once more; all of them where neither says which.

    Letters that were too long to be kept whole stay as they are.

    Returns:
        How many will be read.
    """
    query = update(dead_letters).where(func.length(dead_letters.c.raw) < MAX_RAW)
    if ids is not None:
        query = query.where(among(dead_letters.c.id, ids))
    if source is not None:
        query = query.where(dead_letters.c.source == source)
    return connection.execute(query.values(state=AGAIN)).rowcount


def asked_for(connection: Connection, limit: int, source: str = "") -> list[DeadLetter]:
    """Return letters that are to be dealt with once more, the oldest first.

    Args:
        connection: to read with.
        limit: so many, at most.
        source: theirs; without one those of all sources of lines, not what was to be published
            nor what a job is to read.
    """
    c = dead_letters.c
    theirs = c.source == source
    if not source:
        theirs = and_(~c.source.startswith(PUBLISHED), ~c.source.startswith(OF_JOB))
    query = select(dead_letters).where(c.state == AGAIN, theirs)
    rows = connection.execute(query.order_by(c.id).limit(limit)).mappings()
    return [DeadLetter(**row) for row in rows]


def asked_of_job(connection: Connection, job: str, limit: int) -> list[DeadLetter]:
    """Return letters that a job is to read once more, in the order in which their lines stood.

    Lines that are no events were dealt out to shards by chance, so that the order in which they
    were kept is none.

    Args:
        connection: to read with.
        job: how the sources of its shards begin.
        limit: so many, at most.
    """
    c = dead_letters.c
    place = [func.coalesce(cast(c.position[name].as_string(), BigInteger), 0) for name in _PLACE]
    query = select(dead_letters).where(c.state == AGAIN, c.source.startswith(job, autoescape=True))
    rows = connection.execute(query.order_by(*place, c.id).limit(limit)).mappings()
    return [DeadLetter(**row) for row in rows]


def waiting_for_jobs(connection: Connection) -> int:
    """Return how many letters are to be read once more by jobs."""
    query = select(func.count()).where(
        dead_letters.c.state == AGAIN, dead_letters.c.source.startswith(OF_JOB)
    )
    return connection.execute(query).scalar_one()


def lay_back(connection: Connection, reasons: Mapping[int, str]) -> None:
    """Keep letters that are still no events, with the reason of today."""
    for letter_id, reason in reasons.items():
        query = update(dead_letters).where(dead_letters.c.id == letter_id)
        connection.execute(query.values(state="dead", reason=reason))


def forget(connection: Connection, ids: Sequence[int]) -> None:
    """Drop letters.

    Raises:
        DatabaseError: when one is gone already: another worker has read it.
    """
    if ids and connection.execute(_gone(ids)).rowcount != len(ids):
        raise DatabaseError(
            "another worker has read on", where="dead letters", remedy="nothing to do"
        )


def discard(connection: Connection, ids: Sequence[int]) -> int:
    """Drop letters for good; returns how many there were."""
    return connection.execute(_gone(ids)).rowcount


def per_source(connection: Connection) -> dict[str, int]:
    """Return how many letters each source has."""
    query = select(dead_letters.c.source, func.count()).group_by(dead_letters.c.source)
    return {str(source): int(number) for source, number in connection.execute(query)}


def _gone(ids: Sequence[int]) -> Delete:
    return delete(dead_letters).where(among(dead_letters.c.id, ids))
