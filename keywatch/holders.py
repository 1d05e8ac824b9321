"""Accounts, plans and denials as text and JSON."""

from collections.abc import Sequence
from typing import Any

import msgspec

from keystore.accounts import Account
from keystore.denials import Denial
from keystore.plans import Plan
from vocabulary.moments import minute, rfc3339

_BUDGET = ("tokens_per_min", "tokens_per_day", "tokens_per_month")
Table = tuple[list[str], list[list[str]]]


def account_json(account: Account, now: float) -> dict[str, Any]:
    """Return the JSON contract of an account; times in RFC 3339."""
    throttle = {"per_min": account.throttle_per_min, "until": _time(account.throttle_until)}
    suspended = account.is_suspended(now)
    return {
        "id": account.id,
        "name": account.name,
        "owner": account.owner,
        "organisation": account.organisation_id or "",
        "plan": account.plan_id or "",
        "throttle": throttle if account.is_throttled(now) else None,
        "suspended": suspended,
        "suspended_until": _time(account.suspended_until) if suspended else None,
        "created_at": _time(account.created_at),
    }


def accounts_table(found: Sequence[tuple[int, Account]], now: float) -> Table:
    """Return columns and rows for a person."""
    columns = ["account", "keys", "plan", "organisation", "owner", "limits"]
    rows = [
        [
            account.id,
            f"{count:,}",
            account.plan_id or "",
            account.organisation_id or "",
            account.owner,
            over(account, now),
        ]
        for count, account in found
    ]
    return columns, rows


def over(account: Account, now: float) -> str:
    """Say what lies over the account's keys; empty when nothing does."""
    said = []
    if account.is_throttled(now):
        said.append(f"throttled to {account.throttle_per_min}/min{_until(account.throttle_until)}")
    if account.is_suspended(now):
        said.append(f"suspended{_until(account.suspended_until)}")
    return ", ".join(said)


def plan_json(plan: Plan) -> dict[str, Any]:
    """Return the JSON contract of a plan."""
    said: dict[str, Any] = msgspec.to_builtins(plan)
    return said | {"created_at": _time(plan.created_at)}


def plans_table(plans: Sequence[Plan]) -> Table:
    """Return columns and rows for a person."""
    columns = ["plan", "each key", "each account", "all together", "tokens"]
    rows = [
        [
            plan.id,
            ", ".join(plan.key_limits),
            ", ".join(plan.account_limits),
            ", ".join(plan.plan_limits),
            _budget(plan),
        ]
        for plan in plans
    ]
    return columns, rows


def denial_json(denial: Denial) -> dict[str, Any]:
    """Return the JSON contract of a denial; times in RFC 3339."""
    said = msgspec.structs.asdict(denial)
    times = ("issued_before", "until", "created_at")
    return said | {name: _time(said[name]) for name in times}


def denials_table(denials: Sequence[Denial]) -> Table:
    """Return columns and rows for a person."""
    columns = ["number", "by", "value", "of", "issued before", "until", "who", "why"]
    rows = [
        [
            str(each.id),
            each.kind if each.per_min is None else f"{each.kind}: {each.per_min}/min",
            each.value,
            each.issuer or "any",
            "" if each.issued_before is None else minute(each.issued_before),
            "" if each.until is None else minute(each.until),
            each.actor,
            each.reason,
        ]
        for each in denials
    ]
    return columns, rows


def _budget(plan: Plan) -> str:
    amounts = {name.removeprefix("tokens_per_"): getattr(plan, name) for name in _BUDGET}
    return ", ".join(f"{value:,}/{name}" for name, value in amounts.items() if value is not None)


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)


def _until(at: float | None) -> str:
    return "" if at is None else f" until {minute(at)}"
