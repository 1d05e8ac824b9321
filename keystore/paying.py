"""Paying AI tokens where no gateway sees what an answer cost."""

from sqlalchemy import Connection

from keystore import grants, query
from keystore.spending import Cost, charge
from vocabulary.errors import UsageError


def pay(connection: Connection, key_id: str, tokens: int, now: float) -> int:
    """Charge all budgets of a key, its plan's too; return how many it has.

    Raises:
        KeyNotFoundError: when there is no such key.
        UsageError: for less than 0 tokens.
    """
    if tokens < 0:
        raise UsageError(f"{tokens} tokens cannot be spent", remedy="name 0 or more")
    (granted,) = grants.grants_of(connection, [query.get(connection, key_id)])
    costs = [Cost(key_id, window_s, amount, tokens) for window_s, amount in granted.budgets]
    charge(connection, costs, now)
    return len(costs)
