"""One connection to the key store: has anybody written, what changed, whose is this hash.

Look-ups are plain SQL on the driver's own cursor: building a statement with SQLAlchemy for each
costs far more than SQLite's answer.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from hmac import compare_digest
from typing import TYPE_CHECKING, Any

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from database.schema import keys
from keystore import accounts, denials, feed, plans, query, spending
from keystore.denials import DenyList
from keystore.grants import Grants, granted
from keystore.identities import Name
from keystore.keys import SHA256, Key, Kind, key_of
from vocabulary.credential import Credential

if TYPE_CHECKING:
    from keystore.accounts import Account
    from keystore.plans import Plan
    from keystore.spending import Spent

_CHANGES_AT_ONCE = 1000
_COLUMNS = tuple(column.name for column in keys.columns)
_TOUCHED = {"sqlite": "PRAGMA data_version", "postgresql": "SELECT max(seq) FROM changes"}
_MARKS = {"sqlite": "?", "postgresql": "%s"}


class Question(msgspec.Struct, frozen=True):
    """A credential that is not in the cache.

    Attributes:
        digest: under which the answer is awaited: the SHA-256 of the key, or of a name.
        credential: what is looked for.
        kind: only an identity of this kind is meant; see `keystore.keys.Kind`.
        origin: only one that is recognised so; see `Key.pepper_id`.
        name: of an identity that is known by its name, empty for a secret.
    """

    digest: bytes
    credential: Credential
    kind: str = Kind.KEY.value
    origin: str = SHA256
    name: str = ""


class Told(msgspec.Struct, frozen=True):
    """What the feed said.

    Attributes:
        seen: number of the newest change.
        everything: any key may be another.
        new_keys: keys were added that are not named.
        denials: the deny lists are others.
        key_ids: keys that changed.
    """

    seen: int
    everything: bool = False
    new_keys: bool = False
    denials: bool = False
    key_ids: frozenset[str] = frozenset()


class Follower:
    """A connection of its own to one database file or server.

    Args:
        engine: from `open_database`.
        place: see `place_of`.
    """

    def __init__(self, engine: Engine, place: tuple[int, ...]) -> None:
        self.place = place
        self._touched = _TOUCHED[engine.dialect.name]
        self._mark = _MARKS[engine.dialect.name]
        self._version: object = self
        self._accounts: dict[str, Account | None] = {}
        self._plans: dict[str, Plan | None] = {}
        # Not one from the pool: it could still hold the file that had this name before.
        engine.dispose()
        self._connection = engine.connect().execution_options(isolation_level="AUTOCOMMIT")
        self._connection.detach()
        self._driver: Any = self._connection.connection.dbapi_connection

    def is_touched(self) -> bool:
        """Whether anybody may have committed since this was asked last."""
        ((version,),) = self._rows(self._touched)
        touched: bool = version != self._version
        self._version = version
        if touched:
            self._accounts, self._plans = {}, {}
        return touched

    def changes_since(self, seen: int | None) -> Told:
        """Return what changed after number `seen`: everything, when some cannot be told."""
        with self._reading() as connection:
            if seen is not None:
                changes = feed.changes_since(connection, seen, _CHANGES_AT_ONCE)
                if not changes and feed.head(connection) == seen:
                    return Told(seen)
                if changes and _is_complete(changes, seen):
                    return _told(changes)
            return Told(feed.head(connection), everything=True, denials=True)

    def grants(self, ids: frozenset[str]) -> Sequence[Grants]:
        """Return those of the keys that exist, as they are now."""
        with self._reading() as connection:
            found = query.by_ids(connection, ids).values()
        return self._with_spent([self._granted(key) for key in found])

    def denials(self, now: float) -> DenyList:
        """Return what is refused although it is genuine."""
        with self._reading() as connection:
            return DenyList(denials.snapshot(connection, now))

    def look_up(self, questions: Sequence[Question]) -> tuple[tuple[bytes, Grants | None], ...]:
        """Answer the questions in one statement, and few more for accounts and plans."""
        wanted = {
            value: None
            for question in questions
            for value in (question.credential.sha256, *question.credential.hmacs.values())
        }
        rows = self._rows(_by("hash", len(wanted), self._mark), tuple(wanted))
        found = {key.hash: key for key in map(_key, rows)}
        found |= self._clients({q.name for q in questions if q.kind == Kind.OAUTH_CLIENT})
        self._read_accounts(found.values())
        matched = [(q.digest, _match(q, found)) for q in questions]
        known = self._with_spent([self._granted(key) for _, key in matched if key])
        by_id = {one.key.id: one for one in known}
        return tuple((digest, by_id[key.id] if key else None) for digest, key in matched)

    def close(self) -> None:
        """Give the connection back, whatever state it is in."""
        with suppress(SQLAlchemyError, OSError):
            self._connection.close()

    def _clients(self, names: set[str]) -> dict[str, Key]:
        """Return OAuth clients by the hash of their name: the store has that of their secret."""
        if not names:
            return {}
        rows = self._rows(_by("public_id", len(names), self._mark), tuple(names))
        clients = [key for key in map(_key, rows) if key.kind == Kind.OAUTH_CLIENT]
        return {Name(Kind.OAUTH_CLIENT, key.public_id).hash: key for key in clients}

    def _granted(self, key: Key) -> Grants:
        """Take a key together with its account and plan; both are held until somebody writes."""
        self._read_accounts([key])
        account = self._accounts.get(key.account_id or "")
        plan_id = key.plan_id or (account.plan_id if account else None)
        return granted(key, account, self._plans.get(plan_id or ""))

    def _with_spent(self, known: Sequence[Grants]) -> Sequence[Grants]:
        """Tell of those that have a budget how much of it is spent."""
        limited = {one.key.id for one in known if one.has_budget}
        if not limited:
            return known
        spent: dict[str, list[Spent]] = {}
        with self._reading() as connection:
            for one in spending.of_keys(connection, limited):
                spent.setdefault(one.key_id, []).append(one)
        replace = msgspec.structs.replace
        return [replace(one, spent=tuple(spent.get(one.key.id, ()))) for one in known]

    def _read_accounts(self, keys: Collection[Key]) -> None:
        """Have the accounts and plans of the keys at hand; nobody's is None."""
        wanted = {key.account_id for key in keys if key.account_id} - self._accounts.keys()
        if wanted:
            with self._reading() as connection:
                self._accounts |= dict.fromkeys(wanted) | accounts.by_ids(connection, wanted)
        named = {key.plan_id for key in keys}
        named |= {one.plan_id for key in keys if (one := self._accounts.get(key.account_id or ""))}
        missing = {plan_id for plan_id in named if plan_id} - self._plans.keys()
        if missing:
            with self._reading() as connection:
                self._plans |= dict.fromkeys(missing) | plans.by_ids(connection, missing)

    def _rows(self, statement: str, values: tuple[str, ...] = ()) -> Sequence[Sequence[Any]]:
        # Past SQLAlchemy, which would also open a transaction: in one, data_version stands still.
        cursor = self._driver.cursor()
        try:
            cursor.execute(statement, values)
            rows: Sequence[Sequence[Any]] = cursor.fetchall()
            return rows
        finally:
            cursor.close()

    @contextmanager
    def _reading(self) -> Iterator[Connection]:
        with self._connection.begin():
            yield self._connection


def place_of(engine: Engine) -> tuple[int, ...]:
    """Tell which file the database is, so that another under its name, or none, is noticed.

    An open file stays readable after it was deleted, replaced or forbidden; whoever does that
    means it. Size and times are part of it: a file that was written over is read anew.

    Returns:
        Device and inode, then size and times; nothing for a server.

    Raises:
        OSError: when there is no such file.
    """
    path = engine.url.database
    if engine.dialect.name != "sqlite" or not path:
        return ()
    found = os.stat(path)  # noqa: PTH116  (called fifty times a second)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@lru_cache(maxsize=256)
def _by(column: str, count: int, mark: str) -> str:
    marks = ",".join([mark] * count)
    return f"SELECT {','.join(_COLUMNS)} FROM keys WHERE {column} IN ({marks})"  # noqa: S608  (marks)


def _key(row: Sequence[Any]) -> Key:
    return key_of(dict(zip(_COLUMNS, row, strict=True)))


def _match(question: Question, found: Mapping[str, Key]) -> Key | None:
    """Return the key whose hash is the credential's, made the way that the key was.

    The whole hash is compared once more, in constant time: what the database calls equal is its
    own affair (collations, indices).
    """
    credential = question.credential
    if question.kind == Kind.OAUTH_CLIENT:
        return found.get(credential.sha256)
    for origin, value in ((question.origin, credential.sha256), *credential.hmacs.items()):
        key = found.get(value)
        if key is None or key.pepper_id != origin or not compare_digest(key.hash, value):
            continue
        if key.kind == question.kind:
            return key
    return None


def _told(changes: Sequence[feed.Change]) -> Told:
    ids = {change.key_id for change in changes}
    return Told(
        changes[-1].seq,
        new_keys=feed.NEW_KEYS in ids,
        denials=feed.DENIALS in ids,
        key_ids=frozenset(ids - {feed.NEW_KEYS, feed.DENIALS}),
    )


def _is_complete(changes: list[feed.Change], seen: int) -> bool:
    """Whether no change is missing, none says that everything changed, and none is left."""
    in_turn = changes[0].seq == seen + 1 and changes[-1].seq == seen + len(changes)
    everything = any(change.key_id == feed.EVERYTHING for change in changes)
    return in_turn and not everything and len(changes) < _CHANGES_AT_ONCE
