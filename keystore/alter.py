"""Changing what a key may do and who it belongs to; its state is `lifecycle`'s affair."""

from typing import Any

import msgspec
from msgspec import UNSET, UnsetType
from sqlalchemy import Connection

from keystore import issue, lifecycle, plans
from keystore.audit import storable
from keystore.issue import KeyOrder
from keystore.keys import Declared, Key, Kind
from keystore.scheme import DEFAULT_SCHEME, KeyScheme
from vocabulary.errors import TransitionError, UsageError

Text = str | UnsetType
Texts = tuple[str, ...] | UnsetType
Tokens = int | UnsetType | None


class Changes(msgspec.Struct, frozen=True, omit_defaults=True):
    """What of a key is to be another; what is not named stays. See `KeyOrder`.

    Attributes:
        account, plan: "" takes it away.
        expires_at: epoch seconds; None for no end.
    """

    name: Text = UNSET
    owner: Text = UNSET
    account: Text = UNSET
    key_class: Text = UNSET
    tz: Text = UNSET
    scopes: Texts = UNSET
    networks: Texts = UNSET
    endpoints: Texts = UNSET
    models: Texts = UNSET
    requires: Texts = UNSET
    plan: Text = UNSET
    limits: Texts = UNSET
    tokens_per_min: Tokens = UNSET
    tokens_per_day: Tokens = UNSET
    tokens_per_month: Tokens = UNSET
    declared: Declared | UnsetType = UNSET
    expires_at: float | UnsetType | None = UNSET


def change(
    connection: Connection,
    key_id: str,
    wanted: Changes,
    *,
    actor: str,
    reason: str,
    now: float,
    scheme: KeyScheme = DEFAULT_SCHEME,
) -> Key:
    """Make what is named of a key another.

    Raises:
        KeyNotFoundError: when there is none of this id.
        TransitionError: when it has ended; a new end does not bring it back.
        UsageError: when something cannot be so, or the key would live longer than keys may.
    """
    key = lifecycle.locked(connection, key_id)
    lifecycle.must_work(key, now, "changed")
    said = {name: getattr(wanted, name) for name in wanted.__struct_fields__}
    said = {name: value for name, value in said.items() if value is not UNSET}
    values = _values(connection, key, said, scheme, now)
    if values.get("account_id"):
        issue.open_accounts(connection, [values["account_id"]], now)
    return lifecycle.write(connection, key, values, "change", (actor, reason, now))


def _values(
    connection: Connection, key: Key, said: dict[str, Any], scheme: KeyScheme, now: float
) -> dict[str, Any]:
    """Return columns and their new values, each checked as for a new key."""
    if "expires_at" in said:
        _check_end(key, said["expires_at"], scheme, now)
    as_ordered = {name: value for name, value in said.items() if name != "expires_at"}
    order = issue.checked(KeyOrder(environment=scheme.environments[0], **as_ordered), scheme)
    values = {name: getattr(order, name) for name in as_ordered}
    if "expires_at" in said:
        values["expires_at"] = said["expires_at"]
    if "account" in values:
        values["account_id"] = storable(values.pop("account")) or None
    if "plan" in values:
        plan = values.pop("plan")
        values["plan_id"] = plans.get(connection, plan).id if plan else None
    return values


def _check_end(key: Key, expires_at: float | None, scheme: KeyScheme, now: float) -> None:
    if expires_at is not None and expires_at <= now:
        raise UsageError("the end does not lie in the future", remedy="revoke the key instead")
    is_client = key.kind == Kind.OAUTH_CLIENT
    longest = (scheme.of_clients if is_client else scheme).max_life_s
    if longest and (expires_at is None or expires_at > key.created_at + longest):
        entry = "client_expiry_days" if is_client else "max_expiry_days"
        raise TransitionError(
            f"{key.id} would live longer than {'clients' if is_client else 'keys'} may",
            remedy=f"rotate it, or raise keys.{entry} in the configuration",
        )
