"""AI tokens that keys have spent, so that budgets hold whichever gateway, worker or face they meet.

One number for each key and window: a bucket that drains as fast as the budget allows. It is in
tokens, not in times, so that a budget that is raised leaves what was spent as it is.
"""

from collections.abc import Collection, Sequence

import msgspec
from sqlalchemy import ColumnElement, Connection, bindparam, case, delete, or_, select

from database.listed import among
from database.schema import budgets
from database.transaction import in_commit_order
from database.upsert import inserting

WINDOWS_S = (60, 86_400, 30 * 86_400)
"""Lengths of the windows that budgets are given for: a minute, 24 hours, 30 days."""


class Spent(msgspec.Struct, frozen=True):
    """What a key owed at a moment.

    Attributes:
        window_s: one of `WINDOWS_S`.
        level: tokens that were not drained away at `at`.
        at: epoch seconds.
    """

    key_id: str
    window_s: int
    level: float
    at: float

    def left(self, amount: int, now: float) -> float:
        """Return what of it is not drained away at `now` from a budget of `amount` a window."""
        return max(0.0, self.level - max(0.0, now - self.at) * amount / self.window_s)


class Cost(msgspec.Struct, frozen=True):
    """Tokens that are to be paid from a budget of `amount` tokens a window."""

    key_id: str
    window_s: int
    amount: int
    tokens: float


def charge(connection: Connection, costs: Sequence[Cost], now: float) -> None:
    """Add what was spent, in a write transaction; no two costs are of the same budget."""
    if not costs:
        return
    in_commit_order(connection)
    statement = inserting(connection, budgets).values(
        key_id=bindparam("key"), window_s=bindparam("window"), level=bindparam("tokens"),
        at=bindparam("now"),
    )  # fmt: skip
    new = statement.excluded
    since = case((new.at > budgets.c.at, new.at - budgets.c.at), else_=0.0)
    left = budgets.c.level - since * bindparam("rate")
    statement = statement.on_conflict_do_update(
        index_elements=list(budgets.primary_key),
        set_={
            "level": case((left > 0, left), else_=0.0) + new.level,
            "at": case((new.at > budgets.c.at, new.at), else_=budgets.c.at),
        },
    )
    rows = [
        {
            "key": cost.key_id,
            "window": cost.window_s,
            "tokens": float(cost.tokens),
            "now": float(now),
            "rate": cost.amount / cost.window_s,
        }
        for cost in sorted(costs, key=lambda one: (one.key_id, one.window_s))
    ]
    connection.execute(statement, rows)


def of_keys(connection: Connection, key_ids: Collection[str], since: float = 0.0) -> list[Spent]:
    """Return what the keys owe, and whatever anybody has spent since `since` (0: nobody else)."""
    wanted: ColumnElement[bool] = among(budgets.c.key_id, key_ids)
    if since:
        wanted = or_(wanted, budgets.c.at > since)
    rows = connection.execute(select(budgets).where(wanted)).mappings()
    return [Spent(**row) for row in rows]


def forget(connection: Connection, key_id: str) -> None:
    """Forget what a key has spent."""
    connection.execute(delete(budgets).where(budgets.c.key_id == key_id))
