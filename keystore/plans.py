"""Plans: the limits and budgets that accounts and keys share by name.

A connection must come from `transaction`. All verbs take `actor` and `reason` for the audit log
and `now`, epoch seconds.
"""

from collections.abc import Iterable

import msgspec
from sqlalchemy import Connection, RowMapping, delete, insert, select, update

from database.listed import among
from database.schema import accounts, keys, plans
from database.transaction import in_commit_order
from keystore import audit, feed, narrow
from keystore.names import checked_id, checked_tokens
from vocabulary.errors import KeyStoreError


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A row of the table `plans`.

    Attributes:
        key_limits: of each key on the plan: such as `600/min:50`.
        account_limits: of all the keys of an account together.
        plan_limits: of all the keys on the plan together.
        tokens_per_min, tokens_per_day, tokens_per_month: budget of AI tokens of each key that has
            none of its own; None for no end.
        created_at: epoch seconds.
    """

    id: str
    name: str = ""
    key_limits: tuple[str, ...] = ()
    account_limits: tuple[str, ...] = ()
    plan_limits: tuple[str, ...] = ()
    tokens_per_min: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    created_at: float = 0.0


def put(connection: Connection, plan: Plan, *, actor: str, reason: str, now: float) -> Plan:
    """Make a plan, or make the one of this id so; `created_at` is ours to say.

    Raises:
        UsageError: when a limit or budget cannot be.
    """
    in_commit_order(connection)
    before = by_ids(connection, [plan.id]).get(plan.id)
    wanted = _checked(plan, before.created_at if before else now)
    if wanted == before:
        return wanted
    row = msgspec.to_builtins(wanted)
    if before is None:
        connection.execute(insert(plans), [row])
    else:
        connection.execute(update(plans).where(plans.c.id == plan.id).values(row))
        feed.record(connection, feed.either(_keys_of(connection, plan.id)), now)
    was = msgspec.to_builtins(before) if before else {}
    said = {name: value for name, value in row.items() if was.get(name) != value}
    details = {"was": {name: was[name] for name in said if name in was}, "is": said}
    verb = "create_plan" if before is None else "change_plan"
    entry = audit.Entry(now, actor, verb, f"plan:{plan.id}", reason, details)
    audit.append(connection, [entry])
    return wanted


def remove(connection: Connection, plan_id: str, *, actor: str, reason: str, now: float) -> None:
    """Take a plan away that nobody is on.

    Raises:
        KeyStoreError: when there is none, or an account or key is on it.
    """
    in_commit_order(connection)
    get(connection, plan_id)
    for table in (accounts, keys):
        user = connection.execute(
            select(table.c.id).where(table.c.plan_id == plan_id).limit(1)
        ).scalar()
        if user:
            raise KeyStoreError(f"{user} is on the plan {plan_id!r}", remedy="change that first")
    connection.execute(delete(plans).where(plans.c.id == plan_id))
    audit.append(connection, [audit.Entry(now, actor, "remove_plan", f"plan:{plan_id}", reason)])


def get(connection: Connection, plan_id: str) -> Plan:
    """Return the plan.

    Raises:
        KeyStoreError: when there is none of this id.
    """
    found = by_ids(connection, [plan_id]).get(plan_id)
    if found is None:
        raise KeyStoreError(f"no plan is called {plan_id!r}", remedy="see `keywatch plans list`")
    return found


def by_ids(connection: Connection, plan_ids: Iterable[str]) -> dict[str, Plan]:
    """Return those of the plans that exist, by id."""
    rows = connection.execute(select(plans).where(among(plans.c.id, list(plan_ids)))).mappings()
    return {plan.id: plan for plan in map(_plan, rows)}


def all_of(connection: Connection) -> list[Plan]:
    """Return every plan by its id."""
    return [_plan(row) for row in connection.execute(select(plans).order_by(plans.c.id)).mappings()]


def _checked(plan: Plan, created_at: float) -> Plan:
    return Plan(
        id=checked_id(plan.id, "plan"),
        name=audit.storable(plan.name) or plan.id,
        key_limits=narrow.limits(plan.key_limits),
        account_limits=narrow.limits(plan.account_limits),
        plan_limits=narrow.limits(plan.plan_limits),
        tokens_per_min=checked_tokens(plan.tokens_per_min),
        tokens_per_day=checked_tokens(plan.tokens_per_day),
        tokens_per_month=checked_tokens(plan.tokens_per_month),
        created_at=created_at,
    )


def _keys_of(connection: Connection, plan_id: str) -> list[str]:
    on_it = keys.c.plan_id == plan_id
    inherited = keys.c.account_id.in_(select(accounts.c.id).where(accounts.c.plan_id == plan_id))
    return list(
        connection.execute(
            select(keys.c.id).where(on_it | inherited).limit(feed.TOO_MANY)
        ).scalars()
    )


def _plan(row: RowMapping) -> Plan:
    lists = {name: tuple(row[name]) for name in ("key_limits", "account_limits", "plan_limits")}
    return Plan(**({**row} | lists))
