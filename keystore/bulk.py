"""Taking over very many keys that were made elsewhere: in pieces, resumable, with what was refused.

A piece is one transaction: its keys, its number in the feed, one row of the audit log that seals
their hashes, and how far the import has come. A crash loses nothing and repeats nothing.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from itertools import islice
from typing import Any

import msgspec
from sqlalchemy import Connection, Engine, insert, select, update

from database.schema import imports, keys
from database.transaction import in_commit_order, transaction
from keystore import audit, denials, feed, issue, plans
from keystore.denials import DenyList
from keystore.imported import Row, row_of_import
from keystore.keys import SHA256, row_of
from keystore.scheme import KeyScheme, new_key_ids
from keystore.unregistered import name_of_digest
from vocabulary.errors import KeyStoreError, UsageError

PIECE = 10_000

Fields = Mapping[str, Any] | str
"""A row as `keystore.imported` takes it, or why it could not be read."""


class Refused(msgspec.Struct, frozen=True):
    """A row that was not taken over.

    Attributes:
        number: of the row, counted from 1.
        reason: why, without anything that stood in it but names.
    """

    number: int
    reason: str


class Progress(msgspec.Struct, frozen=True):
    """How far an import has come: rows that were read, taken over and refused."""

    position: int = 0
    accepted: int = 0
    refused: int = 0
    done: bool = False


Report = Callable[[Progress, Sequence[Refused]], None]


class Import:
    """An import by name.

    Args:
        engine: from `open_database`.
        name: under which it is resumed.
        source: tells what is imported, such as a file's SHA-256: another under the same name
            is refused.
        scheme: the environments there are; lives of imported keys are not cut.
        peppers: ids of the peppers that are configured.
        actor: who does it.
        clock: epoch seconds.
    """

    def __init__(
        self,
        engine: Engine,
        name: str,
        source: str,
        *,
        scheme: KeyScheme,
        peppers: Iterable[str],
        actor: str,
        clock: Callable[[], float],
    ) -> None:
        self._engine, self.name, self._source = engine, name, source
        self._scheme, self._peppers, self._actor = scheme, frozenset(peppers), actor
        self._clock = clock

    def begin(self) -> Progress:
        """Return how far it has come; a new one begins here.

        Raises:
            KeyStoreError: when another source was imported under this name.
        """
        with transaction(self._engine) as connection:
            in_commit_order(connection)
            known = connection.execute(select(imports).where(imports.c.name == self.name)).first()
            if known is None:
                now = self._clock()
                row = {"name": self.name, "source": self._source, "position": 0, "accepted": 0}
                row |= {"refused": 0, "started_at": now, "updated_at": now}
                connection.execute(insert(imports), [row])
                return Progress()
        if known.source != self._source:
            raise KeyStoreError(
                f"something else was imported as {self.name!r}", remedy="give it another --name"
            )
        return Progress(known.position, known.accepted, known.refused, known.done_at is not None)

    def run(
        self,
        rows: Iterable[Fields],
        report: Report,
        piece: int = PIECE,
    ) -> Progress:
        """Take over the rows that were not yet.

        Args:
            rows: all of them, in the same order every time.
            report: gets how far it will have come and what this piece refused, before that is
                committed: a crash may tell of a row twice, but never not at all.
            piece: rows that are committed together.

        Raises:
            DatabaseError: when a piece could not be committed; run it again to go on.
        """
        progress = self.begin()
        if progress.done:
            return progress
        rest = islice(rows, progress.position, None)
        while chunk := list(islice(rest, piece)):
            progress = self._take(chunk, progress, report)
        with transaction(self._engine) as connection:
            done = {"done_at": self._clock()}
            connection.execute(update(imports).where(imports.c.name == self.name).values(done))
        return msgspec.structs.replace(progress, done=True)

    def _take(self, chunk: Sequence[Fields], progress: Progress, report: Report) -> Progress:
        refused: list[Refused] = []
        good = list(self._checked(chunk, progress.position, refused))
        now = self._clock()
        with transaction(self._engine) as connection:
            in_commit_order(connection)
            new = _new(connection, good, refused, now)
            self._insert(connection, new, now)
            after = Progress(
                progress.position + len(chunk),
                progress.accepted + len(new),
                progress.refused + len(chunk) - len(new),
            )
            values = {
                "position": after.position,
                "accepted": after.accepted,
                "refused": after.refused,
                "updated_at": now,
            }
            connection.execute(update(imports).where(imports.c.name == self.name).values(values))
            report(after, sorted(refused, key=lambda each: each.number))
        return after

    def _checked(
        self, chunk: Sequence[Fields], before: int, refused: list[Refused]
    ) -> Iterator[tuple[int, Row]]:
        seen: set[str] = set()
        for number, fields in enumerate(chunk, start=before + 1):
            try:
                if isinstance(fields, str):
                    raise UsageError(fields)  # noqa: TRY301  (told like any other refusal)
                row = row_of_import(fields, self._scheme, self._peppers, self._clock())
            except UsageError as error:
                refused.append(Refused(number, str(error)))
                continue
            if row.key.hash in seen:
                refused.append(Refused(number, "the same hash stands in an earlier row"))
                continue
            seen.add(row.key.hash)
            yield number, row

    def _insert(self, connection: Connection, new: Sequence[Row], now: float) -> None:
        if not new:
            return
        issue.open_accounts(connection, {row.account for row in new if row.account}, now)
        seq = feed.record(connection, [feed.NEW_KEYS], now)[0]
        ids = new_key_ids(len(new))
        columns = [
            row_of(row.key) | {"id": key_id, "change_seq": seq}
            for row, key_id in zip(new, ids, strict=True)
        ]
        connection.execute(insert(keys), columns)
        sealed = sha256("\n".join(sorted(row.key.hash for row in new)).encode()).hexdigest()
        details = {"keys": len(new), "first": ids[0], "last": ids[-1], "sha256_of_hashes": sealed}
        entry = audit.Entry(
            now, self._actor, "import", f"import:{self.name}", "keys from elsewhere", details
        )
        audit.append(connection, [entry])


def _new(
    connection: Connection, good: Sequence[tuple[int, Row]], refused: list[Refused], now: float
) -> list[Row]:
    """Leave out what the store has already, what is denied, and who names a plan there is not."""
    known: set[str] = set()
    hashes = [row.key.hash for _, row in good]
    for start in range(0, len(hashes), PIECE):
        query = select(keys.c.hash).where(keys.c.hash.in_(hashes[start : start + PIECE]))
        known |= set(connection.execute(query).scalars())
    offered = {plan.id for plan in plans.all_of(connection)}
    denied = DenyList(denials.snapshot(connection, now))
    new = []
    for number, row in good:
        if row.key.hash in known:
            refused.append(Refused(number, "the key is in the store already"))
        elif row.key.pepper_id == SHA256 and denied.credential((_name(row),), now):
            refused.append(Refused(number, "the key is on the deny list"))
        elif row.key.plan_id and row.key.plan_id not in offered:
            refused.append(Refused(number, f"no plan is called {row.key.plan_id!r}"))
        else:
            new.append(row)
    return new


def _name(row: Row) -> str:
    return name_of_digest(bytes.fromhex(row.key.hash))
