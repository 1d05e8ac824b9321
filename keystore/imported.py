"""A row of an import: fields as text or JSON → a key, or why it is none."""

import re
from collections.abc import Collection, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Any

import msgspec

from keystore import issue
from keystore.audit import storable
from keystore.issue import KeyOrder
from keystore.keys import PUBLIC_ID, SHA256, Declared, Key, KeyState, public_id_hash
from keystore.scheme import KeyScheme
from vocabulary.errors import UsageError

FIELDS = (
    "hash", "pepper", "public_id", "name", "owner", "account", "environment", "publishable",
    "class", "tz", "scopes", "networks", "endpoints", "models", "plan", "limits",
    "tokens_per_min", "tokens_per_day", "tokens_per_month", "declared", "state", "created_at",
    "expires_at", "prefix", "store", "external_id",
)  # fmt: skip
"""What a row may have; `hash` or `public_id` it must."""

_HASH = re.compile(r"[0-9a-fA-F]{64}")
_LISTS = ("scopes", "networks", "endpoints", "models", "limits")
_NUMBERS = ("tokens_per_min", "tokens_per_day", "tokens_per_month")
_TRUE, _FALSE = frozenset({"true", "1", "yes", "t"}), frozenset({"", "false", "0", "no", "f"})
_LATEST = datetime(9999, 1, 1, tzinfo=UTC).timestamp()


class Row(msgspec.Struct, frozen=True):
    """A key that is to be taken over, still without an id; `account` is made when there is none."""

    key: Key
    account: str


def row_of_import(
    fields: Mapping[str, Any], scheme: KeyScheme, peppers: Collection[str], now: float
) -> Row:
    """Read a row.

    Lists may be JSON arrays or text with blanks between; times epoch seconds or ISO 8601.

    Args:
        fields: see `FIELDS`; empty text is as if it were not there.
        scheme: the environments there are.
        peppers: ids of the peppers that are configured.
        now: epoch seconds.

    Raises:
        UsageError: when it cannot be taken over; its message holds no hash.
    """
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    unknown = sorted(given.keys() - set(FIELDS))
    if unknown:
        raise UsageError(f"there is no field {unknown[0][:50]!r}")
    order = _order(given, scheme)
    plain = msgspec.structs.replace(order, name="", owner="", account="", external_id="")
    grants = _grants(plain, scheme)
    created = _time(given, "created_at")
    return Row(
        Key(
            id="",
            **_origin(given, peppers),
            prefix=_text(given, "prefix"),
            environment=order.environment,
            publishable=order.publishable,
            name=storable(order.name),
            owner=storable(order.owner),
            account_id=storable(order.account) or None,
            external_id=storable(order.external_id),
            plan_id=order.plan or None,
            state=_state(given),
            previous_state=KeyState.ACTIVE.value if _state(given) == KeyState.REVOKED else "",
            created_at=now if created is None else min(created, now),
            expires_at=_time(given, "expires_at"),
            **grants,
        ),
        storable(order.account),
    )


_AS_ORDERED = (
    "key_class", "tz", "scopes", "networks", "endpoints", "models", "limits", "tokens_per_min",
    "tokens_per_day", "tokens_per_month", "declared", "store",
)  # fmt: skip


@lru_cache(maxsize=4096)
def _grants(order: KeyOrder, scheme: KeyScheme) -> dict[str, Any]:
    """Check what many rows have in common once."""
    checked = issue.checked(order, scheme)
    return {name: getattr(checked, name) for name in _AS_ORDERED}


def _order(given: Mapping[str, Any], scheme: KeyScheme) -> KeyOrder:
    declared = given.get("declared")
    try:
        said = msgspec.convert(_json(declared), Declared) if declared else Declared()
    except msgspec.ValidationError as error:
        raise UsageError(f"declared: {error}") from None
    numbers: dict[str, Any] = {name: _number(given, name) for name in _NUMBERS}
    return KeyOrder(
        environment=_text(given, "environment") or scheme.environments[0],
        publishable=_flag(given, "publishable"),
        name=_text(given, "name"),
        owner=_text(given, "owner"),
        account=_text(given, "account"),
        key_class=_text(given, "class"),
        tz=_text(given, "tz"),
        plan=_text(given, "plan"),
        declared=said,
        store=_text(given, "store"),
        external_id=_text(given, "external_id"),
        **({name: _list(given, name) for name in _LISTS} | numbers),
    )


def _origin(given: Mapping[str, Any], peppers: Collection[str]) -> dict[str, Any]:
    """Return hash, pepper_id and public_id."""
    public_id, pepper = _text(given, "public_id"), _text(given, "pepper")
    digest = _text(given, "hash")
    if not digest and public_id:
        known = public_id_hash(public_id)
        return {"hash": known, "pepper_id": PUBLIC_ID, "public_id": public_id}
    if not _HASH.fullmatch(digest):
        raise UsageError("`hash` is no SHA-256 or HMAC-SHA-256", remedy="64 hex digits")
    if pepper and pepper not in peppers:
        raise UsageError(f"no pepper {pepper[:50]!r} is configured", remedy="see keys.peppers")
    return {"hash": digest.lower(), "pepper_id": pepper or SHA256, "public_id": public_id}


def _state(given: Mapping[str, Any]) -> str:
    state = _text(given, "state").lower() or KeyState.ACTIVE.value
    if state not in (KeyState.ACTIVE.value, KeyState.REVOKED.value):
        raise UsageError(f"no key is imported {state[:50]!r}", remedy="active or revoked")
    return state


def _text(given: Mapping[str, Any], name: str) -> str:
    value = given.get(name, "")
    if isinstance(value, (list, dict, bool)):
        raise UsageError(f"`{name}` is no text")
    return str(value).strip()


def _list(given: Mapping[str, Any], name: str) -> tuple[str, ...]:
    value = _json(given.get(name, ()))
    if isinstance(value, str):
        return tuple(value.split("|") if name == "endpoints" else value.split())
    if not isinstance(value, (list, tuple)) or not all(isinstance(each, str) for each in value):
        raise UsageError(f"`{name}` is no list of texts")
    return tuple(value)


def _number(given: Mapping[str, Any], name: str) -> int | None:
    value = given.get(name)
    if value is None:
        return None
    try:
        return int(value)
    except (TypeError, ValueError, OverflowError):
        raise UsageError(f"`{name}` is no whole number") from None


def _flag(given: Mapping[str, Any], name: str) -> bool:
    text = str(given.get(name, "")).lower()
    if text not in _TRUE | _FALSE:
        raise UsageError(f"`{name}` is neither true nor false")
    return text in _TRUE


def _time(given: Mapping[str, Any], name: str) -> float | None:
    value = given.get(name)
    if value is None:
        return None
    try:
        at = float(value)
    except (TypeError, ValueError):
        at = _moment(value, name)
    if not 0 < at < _LATEST:
        raise UsageError(f"`{name}` is out of range")
    return at


def _moment(value: Any, name: str) -> float:  # noqa: ANN401
    try:
        moment = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError:
        raise UsageError(f"`{name}` is no time", remedy="epoch seconds or ISO 8601") from None
    return moment.replace(tzinfo=moment.tzinfo or UTC).timestamp()


def _json(value: Any) -> Any:  # noqa: ANN401
    """Return what a text that looks like JSON says, and anything else as it is."""
    if isinstance(value, str) and value[:1] in "[{":
        try:
            return msgspec.json.decode(value)
        except (msgspec.DecodeError, RecursionError):
            return value
    return value
