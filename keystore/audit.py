"""The audit log: who did what to which key, when and why; every row seals the rows before it.

The words of a row can be erased, where somebody has a right to be forgotten: reason and details.
Its seal stays in the chain, and a later row says of it, number by number, that this was done and
what was left: who did what to which key, and when, can be changed as little as before.
"""

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import Connection, bindparam, insert, select, update

from database.schema import audit
from database.transaction import in_commit_order

START = "0" * 64
"""What the first row names as the hash before it."""

FORGET = "forget"
"""Verb of the row that tells which rows' words were erased."""

ERASED = {"erased": True}
_CANONICAL = json.JSONEncoder(sort_keys=True, separators=(",", ":"), allow_nan=False)


class Entry(msgspec.Struct, frozen=True):
    """What is to be written down.

    Attributes:
        at: epoch seconds.
        subject: the id of what was changed.
        details: JSON values; never anything secret.
    """

    at: float
    actor: str
    verb: str
    subject: str
    reason: str
    details: Mapping[str, Any] = {}


class Sealed(msgspec.Struct, frozen=True):
    """A row of the log."""

    seq: int
    at: float
    actor: str
    verb: str
    subject: str
    reason: str
    details: dict[str, Any]
    previous_hash: str
    hash: str

    def recomputed(self) -> str:
        """Return the hash that the row should have."""
        entry = Entry(self.at, self.actor, self.verb, self.subject, self.reason, self.details)
        return seal(self.seq, entry, self.previous_hash)

    @property
    def is_erased(self) -> bool:
        """Whether its words are gone."""
        return self.details == ERASED and not self.reason

    def left(self) -> str:
        """Return the SHA-256 of what is left of an erased row, and of its seal."""
        kept = [self.seq, self.at, self.actor, self.verb, self.subject, self.hash]
        return sha256(_CANONICAL.encode(kept).encode()).hexdigest()


class Verification(msgspec.Struct, frozen=True):
    """What a walk through the log showed.

    Attributes:
        rows: rows that are proven.
        head: hash of the last proven row; noted elsewhere, it also proves that none was cut off.
        broken_at: number of the first row that is wrong or missing; 0 when all is well.
        why: what is wrong with it.
        erased: rows among them whose words were erased, which is proven too.
    """

    rows: int
    head: str
    broken_at: int = 0
    why: str = ""
    erased: int = 0


def append(connection: Connection, entries: Sequence[Entry]) -> int:
    """Write the entries down, in the caller's transaction; return the number of the newest row."""
    in_commit_order(connection)
    newest = select(audit.c.seq, audit.c.hash).order_by(audit.c.seq.desc()).limit(1)
    last = connection.execute(newest).first()
    seq, previous = (last.seq, last.hash) if last else (0, START)
    rows = []
    for entry in map(_storable, entries):
        seq += 1
        links = {"seq": seq, "previous_hash": previous, "hash": seal(seq, entry, previous)}
        rows.append(msgspec.structs.asdict(entry) | links)
        previous = links["hash"]
    if rows:
        connection.execute(insert(audit), rows)
    return seq


def seal(seq: int, entry: Entry, previous: str) -> str:
    """Return the SHA-256 over the entry, its number and the hash before it."""
    fields = [seq, *msgspec.structs.astuple(entry), previous]
    return sha256(_CANONICAL.encode(fields).encode()).hexdigest()


def rows_since(connection: Connection, seq: int = 0) -> Iterator[Sealed]:
    """Yield the rows after number `seq`, the oldest first."""
    query = select(audit).where(audit.c.seq > seq).order_by(audit.c.seq)
    with connection.execute(query, execution_options={"yield_per": 1000}) as result:
        for row in result.mappings():
            yield Sealed(**row)


def rows_of(connection: Connection, subject: str, limit: int | None = 100) -> list[Sealed]:
    """Return the newest `limit` rows about `subject`, None for all; the oldest of them first."""
    query = select(audit).where(audit.c.subject == subject).order_by(audit.c.seq.desc())
    rows = connection.execute(query.limit(limit)).mappings().all()
    return [Sealed(**row) for row in reversed(rows)]


def verify(connection: Connection, noted: Mapping[int, str] | None = None) -> Verification:
    """Walk through the whole log and prove every row.

    Args:
        connection: any.
        noted: number → hash of rows that were noted down earlier, outside of the database; only
            so a log that was cut off or rewritten from its start can be told.
    """
    owed, gone = dict(noted or {}), _Gone()
    seq, previous = 0, START
    for row in rows_since(connection):
        wrong = _wrong(row, seq + 1, previous, owed.pop(row.seq, row.hash))
        if wrong:
            return Verification(seq, previous, seq + 1, wrong)
        gone.meet(row)
        seq, previous = row.seq, row.hash
    if owed:
        return Verification(seq, previous, seq + 1, f"the log ends before row {min(owed)}")
    if gone.unsaid:
        first = gone.unsaid[min(gone.unsaid)]
        why = "its words are gone, and no later row says that they were erased"
        return Verification(first.seq - 1, first.previous_hash, first.seq, why)
    return Verification(seq, previous, erased=gone.erased)


def erase(connection: Connection, subjects: Collection[str], entry: Entry) -> int:
    """Erase the words of all rows about some subjects, and say so in a new row.

    Args:
        connection: a write transaction.
        subjects: whose rows.
        entry: what the new row says; its verb is `FORGET`.

    Returns:
        How many rows were erased.
    """
    in_commit_order(connection)
    found = [
        row
        for subject in subjects
        for row in rows_of(connection, subject, limit=None)
        if row.verb != FORGET and not row.is_erased
    ]
    if found:
        numbers = [{"number": row.seq} for row in found]
        words = update(audit).where(audit.c.seq == bindparam("number"))
        connection.execute(words.values(reason="", details=ERASED), numbers)
    told = {str(row.seq): row.left() for row in found}
    append(connection, [msgspec.structs.replace(entry, details={**entry.details, "rows": told})])
    return len(found)


class _Gone:
    """Rows whose words are gone, until a later row says that they were erased."""

    def __init__(self) -> None:
        self.unsaid: dict[int, Sealed] = {}
        self.erased = 0

    def meet(self, row: Sealed) -> None:
        if row.is_erased and row.recomputed() != row.hash:
            self.unsaid[row.seq] = row
        elif row.verb == FORGET:
            for number, left in row.details.get("rows", {}).items():
                one = self.unsaid.get(int(number))
                if one is not None and one.left() == left:
                    del self.unsaid[one.seq]
                    self.erased += 1


def _wrong(row: Sealed, seq: int, previous: str, noted: str) -> str:
    if row.seq != seq:
        return "the row is missing"
    if row.previous_hash != previous:
        return "the row does not follow from the one before it"
    if not row.is_erased and row.recomputed() != row.hash:
        return "the row was changed after it was written"
    if row.hash != noted:
        return "the row is not the one whose hash was noted"
    return ""


def _storable(entry: Entry) -> Entry:
    """Return the entry as every database will give it back: hostile text must not stop a revoke."""
    return msgspec.structs.replace(
        entry,
        at=float(entry.at),
        actor=storable(entry.actor),
        reason=storable(entry.reason),
        details=dict(entry.details),
    )


def storable(text: str) -> str:
    """Write NUL and lone surrogates, which databases refuse, as escapes."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\0", "\\x00")
