"""What a key may do in the end: its own words, its plan's and its account's taken together."""

from collections.abc import Sequence

import msgspec
from sqlalchemy import Connection

from keystore import accounts, plans
from keystore.accounts import Account
from keystore.keys import Key
from keystore.plans import Plan
from keystore.spending import WINDOWS_S, Spent


class Grants(msgspec.Struct, frozen=True):
    """A key with all that it inherits.

    Attributes:
        limits: of the key: its own, or else its plan's.
        account_limits: of all keys of its account together.
        plan_limits: of all keys on its plan together.
        tokens_per_min, tokens_per_day, tokens_per_month: its budget of AI tokens; None for no end.
        spent: what the key owes of its budgets.
    """

    key: Key
    account: Account | None = None
    plan: Plan | None = None
    limits: tuple[str, ...] = ()
    account_limits: tuple[str, ...] = ()
    plan_limits: tuple[str, ...] = ()
    tokens_per_min: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    spent: tuple[Spent, ...] = ()

    @property
    def has_budget(self) -> bool:
        """Whether there is an end to the AI tokens that it may spend."""
        return bool(self.budgets)

    @property
    def budgets(self) -> tuple[tuple[int, int], ...]:
        """Each budget of AI tokens: seconds of its window, tokens."""
        amounts = (self.tokens_per_min, self.tokens_per_day, self.tokens_per_month)
        pairs = zip(WINDOWS_S, amounts, strict=True)
        return tuple((window_s, amount) for window_s, amount in pairs if amount is not None)

    def is_suspended(self, now: float) -> bool:
        """Whether a suspension of the key or of its account holds at `now`."""
        by_account = self.account is not None and self.account.is_suspended(now)
        return by_account or self.key.is_suspended(now)


def grants_of(connection: Connection, keys: Sequence[Key]) -> list[Grants]:
    """Return the grants of each key, in few statements."""
    wanted = {key.account_id for key in keys if key.account_id}
    known = accounts.by_ids(connection, wanted) if wanted else {}
    named = {key.plan_id for key in keys} | {account.plan_id for account in known.values()}
    offered = plans.by_ids(connection, named - {None}) if named - {None} else {}  # type: ignore[arg-type]
    found = []
    for key in keys:
        account = known.get(key.account_id or "")
        plan_id = key.plan_id or (account.plan_id if account else None)
        found.append(granted(key, account, offered.get(plan_id or "")))
    return found


def granted(key: Key, account: Account | None, plan: Plan | None) -> Grants:
    """Take a key, its account and its plan together; what the key says itself comes first."""
    inherited = plan or _NO_PLAN
    return Grants(
        key=key,
        account=account,
        plan=plan,
        limits=key.limits or inherited.key_limits,
        account_limits=inherited.account_limits,
        plan_limits=inherited.plan_limits,
        tokens_per_min=_first(key.tokens_per_min, inherited.tokens_per_min),
        tokens_per_day=_first(key.tokens_per_day, inherited.tokens_per_day),
        tokens_per_month=_first(key.tokens_per_month, inherited.tokens_per_month),
    )


_NO_PLAN = Plan(id="")


def _first(own: int | None, inherited: int | None) -> int | None:
    return inherited if own is None else own
