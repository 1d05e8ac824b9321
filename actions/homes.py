"""Whose keys are: by that, brakes tell what hits many from what one customer brings about."""

from collections.abc import Collection
from typing import NamedTuple

from sqlalchemy import Connection, select

from database.listed import among
from database.schema import keys

_AT_ONCE = 1000


class Home(NamedTuple):
    """Whose a key is; empty where that is not known."""

    account: str = ""
    owner: str = ""

    def of(self, *, is_leak: bool) -> str:
        """Return whom the key is counted for, empty for itself.

        Who leaks or misuses any number of keys of their own must not hold up what is done to the
        keys of others. Only what is proven makes an owner responsible without an account.
        """
        if self.account:
            return f"account {self.account}"
        return f"owner {self.owner}" if is_leak and self.owner else ""


def homes_of(connection: Connection, subjects: Collection[str]) -> dict[str, Home]:
    """Return whose each of the keys is."""
    query = select(keys.c.id, keys.c.account_id, keys.c.owner)
    found = dict.fromkeys(subjects, Home())
    names = sorted(subjects)
    for begin in range(0, len(names), _AT_ONCE):
        part = names[begin : begin + _AT_ONCE]
        for row in connection.execute(query.where(among(keys.c.id, part))):
            found[row.id] = Home(row.account_id or "", row.owner)
    return found
