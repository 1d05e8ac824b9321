"""Accounts and organisations: who keys belong to, and what lies over all keys of an account.

A connection must come from `transaction`. All verbs take `actor` and `reason` for the audit log
and `now`, epoch seconds, and change nothing when all already is as asked.
"""

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec
from sqlalchemy import Connection, func, insert, select, update

from database.listed import among
from database.schema import accounts, keys, organisations
from database.transaction import in_commit_order
from keystore import audit, feed, plans
from keystore.names import checked_id
from vocabulary.errors import KeyStoreError, UsageError
from vocabulary.moments import LATEST

MOST_PER_MIN = 1_000_000_000


class Organisation(msgspec.Struct, frozen=True):
    """A row of the table `organisations`; `created_at` is epoch seconds."""

    id: str
    name: str
    created_at: float


class Account(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table `accounts`; times are epoch seconds.

    Attributes:
        owner: who is told when something happens to it.
        plan_id: of its keys that have no plan of their own.
        throttle_per_min: requests a minute of all its keys together, until `throttle_until`.
        suspended: nothing of any of its keys is let through, until `suspended_until`.
    """

    id: str
    name: str = ""
    owner: str = ""
    organisation_id: str | None = None
    plan_id: str | None = None
    created_at: float = 0.0
    throttle_per_min: int | None = None
    throttle_until: float | None = None
    suspended: bool = False
    suspended_until: float | None = None

    def is_throttled(self, now: float) -> bool:
        """Whether a throttle holds at `now`."""
        return self.throttle_per_min is not None and _holds(self.throttle_until, now)

    def is_suspended(self, now: float) -> bool:
        """Whether a suspension holds at `now`."""
        return self.suspended and _holds(self.suspended_until, now)


class Changes(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of an account is to be another; None leaves it, "" takes it away."""

    name: str | None = None
    owner: str | None = None
    organisation: str | None = None
    plan: str | None = None


def create(
    connection: Connection,
    account_id: str,
    wanted: Changes = Changes(),  # noqa: B008  (frozen)
    *,
    actor: str,
    reason: str,
    now: float,
) -> Account:
    """Make an account.

    Raises:
        KeyStoreError: when there is one of this id, or no such plan.
    """
    in_commit_order(connection)
    if by_ids(connection, [checked_id(account_id, "account")]):
        raise KeyStoreError(
            f"there is an account {account_id!r} already",
            remedy="take another name, or see `keywatch accounts change`",
        )
    _open_organisation(connection, wanted.organisation, now)
    account = Account(
        id=account_id, created_at=now, **{"name": account_id} | _values(connection, wanted)
    )
    row = msgspec.structs.asdict(account)
    connection.execute(insert(accounts), [row])
    details = {name: value for name, value in row.items() if value and name != "id"}
    entry = audit.Entry(now, actor, "create_account", f"account:{account_id}", reason, details)
    audit.append(connection, [entry])
    return account


def change(
    connection: Connection,
    account_id: str,
    wanted: Changes,
    *,
    actor: str,
    reason: str,
    now: float,
) -> Account:
    """Give an account another name, owner, organisation or plan.

    Raises:
        KeyStoreError: when there is no such account or plan.
    """
    account = _locked(connection, account_id)
    _open_organisation(connection, wanted.organisation, now)
    values = _values(connection, wanted)
    return _write(connection, account, values, "change_account", (actor, reason, now))


def throttle(
    connection: Connection,
    account_id: str,
    *,
    per_min: int,
    until: float | None,
    actor: str,
    reason: str,
    now: float,
) -> Account:
    """Let at most `per_min` requests a minute of all its keys together through."""
    if not 1 <= per_min <= MOST_PER_MIN:
        raise UsageError(f"a throttle lets 1 to {MOST_PER_MIN:,} requests a minute through")
    _must_be_later(until, now)
    account = _locked(connection, account_id)
    values = {"throttle_per_min": per_min, "throttle_until": until}
    return _write(connection, account, values, "throttle_account", (actor, reason, now))


def unthrottle(
    connection: Connection, account_id: str, *, actor: str, reason: str, now: float
) -> Account:
    """Lift the throttle."""
    account = _locked(connection, account_id)
    values = {"throttle_per_min": None, "throttle_until": None}
    return _write(connection, account, values, "unthrottle_account", (actor, reason, now))


def suspend(
    connection: Connection,
    account_id: str,
    *,
    until: float | None,
    actor: str,
    reason: str,
    now: float,
) -> Account:
    """Let nothing of any of its keys through."""
    _must_be_later(until, now)
    account = _locked(connection, account_id)
    values = {"suspended": True, "suspended_until": until}
    return _write(connection, account, values, "suspend_account", (actor, reason, now))


def resume(
    connection: Connection, account_id: str, *, actor: str, reason: str, now: float
) -> Account:
    """Lift the suspension."""
    account = _locked(connection, account_id)
    values = {"suspended": False, "suspended_until": None}
    return _write(connection, account, values, "resume_account", (actor, reason, now))


def get(connection: Connection, account_id: str) -> Account:
    """Return the account.

    Raises:
        KeyStoreError: when there is none of this id.
    """
    found = by_ids(connection, [account_id]).get(account_id)
    if found is None:
        raise KeyStoreError(
            f"no account is called {account_id!r}", remedy="see `keywatch accounts list`"
        )
    return found


def by_ids(connection: Connection, account_ids: Iterable[str]) -> dict[str, Account]:
    """Return those of the accounts that exist, by id."""
    rows = connection.execute(select(accounts).where(among(accounts.c.id, list(account_ids))))
    return {row["id"]: Account(**row) for row in rows.mappings()}


def listed(
    connection: Connection, organisation: str = "", limit: int | None = 100
) -> list[tuple[int, Account]]:
    """Return accounts by their id, each behind the number of its keys."""
    count = select(func.count()).where(keys.c.account_id == accounts.c.id).scalar_subquery()
    query = select(accounts, count.label("keys")).order_by(accounts.c.id).limit(limit)
    if organisation:
        query = query.where(accounts.c.organisation_id == organisation)
    rows = [{**row} for row in connection.execute(query).mappings()]
    return [(row.pop("keys"), Account(**row)) for row in rows]


def organisations_of(connection: Connection) -> list[tuple[int, Organisation]]:
    """Return every organisation by its id, each behind the number of its accounts."""
    count = (
        select(func.count())
        .where(accounts.c.organisation_id == organisations.c.id)
        .scalar_subquery()
    )
    query = select(organisations, count.label("accounts")).order_by(organisations.c.id)
    rows = [{**row} for row in connection.execute(query).mappings()]
    return [(row.pop("accounts"), Organisation(**row)) for row in rows]


def _values(connection: Connection, wanted: Changes) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name in ("name", "owner"):
        if (text := getattr(wanted, name)) is not None:
            values[name] = audit.storable(text)
    if wanted.organisation is not None:
        values["organisation_id"] = wanted.organisation or None
    if wanted.plan is not None:
        values["plan_id"] = plans.get(connection, wanted.plan).id if wanted.plan else None
    return values


def _open_organisation(connection: Connection, organisation: str | None, now: float) -> None:
    if not organisation:
        return
    known = select(organisations.c.id).where(organisations.c.id == organisation)
    if connection.execute(known).scalar() is None:
        name = checked_id(organisation, "organisation")
        connection.execute(insert(organisations), [{"id": name, "name": name, "created_at": now}])


def _locked(connection: Connection, account_id: str) -> Account:
    in_commit_order(connection)
    return get(connection, account_id)


def _must_be_later(until: float | None, now: float) -> None:
    if until is not None and not now < until <= LATEST:
        raise UsageError("the end does not lie in the future", remedy="name a later time")


def _holds(until: float | None, now: float) -> bool:
    return until is None or now < until


def _write(
    connection: Connection,
    account: Account,
    values: Mapping[str, Any],
    verb: str,
    act: tuple[str, str, float],
) -> Account:
    """Write what differs, tell of each key of the account, and seal it in the audit log."""
    changed = {name: value for name, value in values.items() if getattr(account, name) != value}
    if not changed:
        return account
    actor, reason, now = act
    connection.execute(update(accounts).where(accounts.c.id == account.id).values(changed))
    theirs = select(keys.c.id).where(keys.c.account_id == account.id).limit(feed.TOO_MANY)
    feed.record(connection, feed.either(list(connection.execute(theirs).scalars())), now)
    was = {name: getattr(account, name) for name in changed}
    details = {"was": was, "is": changed}
    entry = audit.Entry(now, actor, verb, f"account:{account.id}", reason, details)
    audit.append(connection, [entry])
    return msgspec.structs.replace(account, **changed)
