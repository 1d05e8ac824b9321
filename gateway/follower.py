"""One connection to the key store: has anybody written, what changed, whose is this hash.

Look-ups are plain SQL on the driver's own cursor: building a statement with SQLAlchemy for each
costs far more than SQLite's answer. What is only read again (`gateway.renewal`) is compared as
text, and built anew only when it is another.
"""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from functools import lru_cache
from hmac import compare_digest
from sqlite3 import OperationalError
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
from sqlalchemy import Connection, Engine
from sqlalchemy.exc import SQLAlchemyError

from database.listed import lengthened
from database.schema import keys
from gateway.renewal import MARKS, Renewal, ends_within, mark_of, renewing, row_text, texts_in
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
_HASH = _COLUMNS.index("hash")
_TOUCHED = {"sqlite": "PRAGMA data_version", "postgresql": "SELECT max(seq) FROM changes"}


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


class Answer(NamedTuple):
    """What a look-up found.

    Attributes:
        digest: the question's.
        grants: None where no key is known.
        mark: by which `Renewal` tells whether it is still the same; 0 for never.
    """

    digest: bytes
    grants: Grants | None
    mark: int = 0


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
        self._dialect = engine.dialect.name
        self._touched = _TOUCHED[self._dialect]
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

    def look_up(self, questions: Sequence[Question]) -> tuple[Answer, ...]:
        """Answer the questions in one statement, and few more for accounts and plans."""
        wanted = {
            value: None
            for question in questions
            for value in (question.credential.sha256, *question.credential.hmacs.values())
        }
        rows = self._with_texts("hash", tuple(wanted))
        texts = {row[_HASH]: row[-1] for row in rows}
        found = {key.hash: key for key in map(_key, rows)}
        found |= self._clients({q.name for q in questions if q.kind == Kind.OAUTH_CLIENT})
        self._read_accounts([(key.account_id, key.plan_id) for key in found.values()])
        matched = [(q.digest, _match(q, found)) for q in questions]
        known = self._with_spent([self._granted(key) for _, key in matched if key])
        by_id = {one.key.id: one for one in known}
        return tuple(
            _answer(digest, by_id[key.id] if key else None, texts) for digest, key in matched
        )

    def unchanged(self, renewals: Sequence[Renewal]) -> tuple[Renewal, ...]:
        """Return those whose keys stand as they are held, and go on to until they ask for.

        Who is not among them may be unchanged all the same: that is found out by a look-up.
        """
        if self._dialect != "sqlite":
            # There only the feed tells that anybody wrote, and this is for what it does not tell.
            self._accounts, self._plans = {}, {}
        wanted = {renewal.digest.hex(): renewal for renewal in renewals}
        since = min(renewal.since for renewal in renewals)
        until = max(renewal.until for renewal in renewals)
        names = lengthened(wanted)
        statement, more = renewing(self._dialect, len(names), since, until)
        try:
            rows = self._rows(statement, (*names, *more))
        except OperationalError:
            return ()  # of no SQLite, or one that has no JSON, or a row that JSON cannot hold
        found = []
        for name, account_id, plan_id, text in texts_in(self._dialect, rows):
            account, plan = self._inherited(account_id, plan_id)
            same = mark_of(text, account, plan) == wanted[name].mark
            if same and not ends_within(account, since, until):
                found.append(wanted[name])
        return tuple(found)

    def close(self) -> None:
        """Give the connection back, whatever state it is in."""
        with suppress(SQLAlchemyError, OSError):
            self._connection.close()

    def _clients(self, names: set[str]) -> dict[str, Key]:
        """Return OAuth clients by the hash of their name: the store has that of their secret."""
        if not names:
            return {}
        rows = self._with_texts("public_id", tuple(names))
        clients = [key for key in map(_key, rows) if key.kind == Kind.OAUTH_CLIENT]
        return {Name(Kind.OAUTH_CLIENT, key.public_id).hash: key for key in clients}

    def _granted(self, key: Key) -> Grants:
        """Take a key together with its account and plan; both are held until somebody writes."""
        return granted(key, *self._inherited(key.account_id, key.plan_id))

    def _inherited(
        self, account_id: str | None, plan_id: str | None
    ) -> "tuple[Account | None, Plan | None]":
        if not (account_id or plan_id):
            return None, None
        self._read_accounts([(account_id, plan_id)])
        account = self._accounts.get(account_id or "")
        plan_id = plan_id or (account.plan_id if account else None)
        return account, self._plans.get(plan_id or "")

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

    def _read_accounts(self, named_by: Collection[tuple[str | None, str | None]]) -> None:
        """Have the accounts and plans at hand that keys name; nobody's is None."""
        wanted = {account for account, _ in named_by if account} - self._accounts.keys()
        if wanted:
            with self._reading() as connection:
                self._accounts |= dict.fromkeys(wanted) | accounts.by_ids(connection, wanted)
        named = {plan for _, plan in named_by}
        known = [self._accounts.get(account or "") for account, _ in named_by]
        named |= {account.plan_id for account in known if account}
        missing = {plan_id for plan_id in named if plan_id} - self._plans.keys()
        if missing:
            with self._reading() as connection:
                self._plans |= dict.fromkeys(missing) | plans.by_ids(connection, missing)

    def _with_texts(self, column: str, values: tuple[str, ...]) -> Sequence[Sequence[Any]]:
        """Return the keys' rows, and behind each its text, or None where it has none."""
        mark, asked = MARKS[self._dialect], tuple(lengthened(values))
        try:
            text = row_text(self._dialect)
            return self._rows(_by(column, len(asked), mark, text), asked)
        except OperationalError:
            # Gone, or else there is no JSON in this SQLite, or a row that JSON cannot hold.
            return self._rows(_by(column, len(asked), mark, "NULL"), asked)

    def _rows(self, statement: str, values: tuple[object, ...] = ()) -> Sequence[Sequence[Any]]:
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
    found = os.stat(path)  # noqa: PTH116  (called many times a second)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns


@lru_cache(maxsize=256)
def _by(column: str, count: int, mark: str, text: str) -> str:
    marks, columns = ",".join([mark] * count), ",".join(_COLUMNS)
    return f"SELECT {columns}, {text} FROM keys WHERE {column} IN ({marks})"  # noqa: S608  (marks)


def _key(row: Sequence[Any]) -> Key:
    return key_of(dict(zip(_COLUMNS, row[:-1], strict=True)))


def _answer(digest: bytes, grants: Grants | None, texts: Mapping[str, str | None]) -> Answer:
    text = texts.get(grants.key.hash) if grants is not None else None
    # What was spent of a budget is not in the key's row: it is always read anew.
    if grants is None or text is None or grants.has_budget:
        return Answer(digest, grants)
    return Answer(digest, grants, mark_of(text, grants.account, grants.plan))


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
