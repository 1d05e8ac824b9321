"""The key store as the configuration describes it, and its keys as text and JSON."""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Engine

from keystore.issuers import Issuer
from keystore.keys import DAY_S, Key
from keystore.scheme import KeyScheme
from keystore.store import KeyStore
from keystore.usage import Use
from keywatch.config_keys import IssuerSettings, KeySettings
from vocabulary.errors import ConfigError
from vocabulary.moments import minute, rfc3339

_COLUMNS = ("id", "state", "environment", "expires", "owner", "account", "name", "limits")
_ALWAYS = _COLUMNS[:4]


def key_store(engine: Engine, settings: KeySettings) -> KeyStore:
    """Return the key store in the database behind `engine`."""
    peppers = {name: pepper.encode() for name, pepper in settings.peppers.items()}
    return KeyStore(engine, scheme=scheme_of(settings), peppers=peppers)


def scheme_of(settings: KeySettings) -> KeyScheme:
    """Return what the configuration says of new keys.

    Raises:
        ConfigError: when keys could not be told apart, or would live longer than allowed.
    """
    return KeyScheme(
        prefix=settings.prefix,
        publishable_prefix=settings.publishable_prefix,
        environments=settings.environments,
        life_s=settings.expiry_days * DAY_S,
        max_life_s=settings.max_expiry_days * DAY_S,
        client_life_s=_client_life_s(settings),
        grace_s=settings.grace_days * DAY_S,
    )


def _client_life_s(settings: KeySettings) -> float | None:
    return None if settings.client_expiry_days < 0 else settings.client_expiry_days * DAY_S


def issuers_of(settings: Sequence[IssuerSettings]) -> dict[str, Issuer]:
    """Return the configured issuers by name.

    Raises:
        ConfigError: when one would let forged tokens in, or two have the same name.
    """
    found = {each.name: Issuer(**msgspec.structs.asdict(each)) for each in settings}
    if len(found) < len(settings) or "" in found:
        raise ConfigError("each issuer has a `name` of its own", where="issuers")
    return found


def table(keys: Sequence[Key], now: float) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows for a person; a column in which no key has anything is left out."""
    rows = [_cells(key, now) for key in keys]
    names = [name for name in _COLUMNS if name in _ALWAYS or any(r[name] for r in rows)]
    columns = ["env" if name == "environment" else name for name in names]
    return columns, [[row[name] for name in names] for row in rows]


def identities_table(keys: Sequence[Key], now: float) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows of identities that are no keys."""
    columns = ["id", "kind", "name", "state", "owner", "limits"]
    rows = [
        [
            key.id,
            key.kind,
            key.public_id,
            key.effective_state(now).value,
            key.owner,
            limits(key, now),
        ]
        for key in keys
    ]
    return columns, rows


def _cells(key: Key, now: float) -> dict[str, str]:
    return {
        "id": key.id,
        "state": key.effective_state(now).value,
        "environment": key.environment + (" (publishable)" if key.publishable else ""),
        "expires": rfc3339(key.expires_at)[:10] if key.expires_at else "never",
        "owner": key.owner,
        "account": key.account_id or "",
        "name": key.name,
        "limits": limits(key, now),
    }


def limits(key: Key, now: float) -> str:
    """Say what lies over the key's state, for a person; empty when nothing does."""
    said = []
    if key.is_throttled(now):
        said.append(f"throttled to {key.throttle_per_min}/min{_until(key.throttle_until)}")
    if key.is_suspended(now):
        said.append(f"suspended{_until(key.suspended_until)}")
    if key.leak_proven:
        said.append("leak proven")
    return ", ".join(said)


def key_json(key: Key, now: float) -> dict[str, Any]:
    """Return the JSON contract of a key: nothing of its secret, times in RFC 3339."""
    throttle = {"per_min": key.throttle_per_min, "until": _time(key.throttle_until)}
    return {
        "id": key.id,
        "kind": key.kind,
        "name": key.name,
        "public_id": key.public_id,
        "owner": key.owner,
        "account": key.account_id or "",
        "environment": key.environment,
        "publishable": key.publishable,
        "prefix": key.prefix,
        "class": key.key_class,
        "tz": key.tz,
        "scopes": list(key.scopes),
        "networks": list(key.networks),
        "endpoints": list(key.endpoints),
        "models": list(key.models),
        "requires": list(key.requires),
        "plan": key.plan_id or "",
        "limits": list(key.limits),
        "tokens": {
            "per_min": key.tokens_per_min,
            "per_day": key.tokens_per_day,
            "per_month": key.tokens_per_month,
        },
        "declared": msgspec.to_builtins(key.declared),
        "store": key.store,
        "external_id": key.external_id,
        "state": key.effective_state(now).value,
        "verdict": key.verdict(now),
        "throttle": throttle if key.is_throttled(now) else None,
        "suspended": key.is_suspended(now),
        "suspended_until": _time(key.suspended_until) if key.is_suspended(now) else None,
        "leak_proven": key.leak_proven,
        "created_at": _time(key.created_at),
        "expires_at": _time(key.expires_at),
        "deprecated_at": _time(key.deprecated_at),
        "grace_until": _time(key.grace_until),
        "rotated_from": key.rotated_from,
        "rotated_to": key.rotated_to,
        "last_used_at": _time(key.last_used_at),
    }


def use_json(use: Use) -> dict[str, Any]:
    """Return the JSON contract of a row of usage."""
    times = {"hour": rfc3339(use.hour), "first_at": _time(use.first_at)}
    return msgspec.structs.asdict(use) | times


def usage_table(uses: Sequence[Use]) -> tuple[list[str], list[list[str]]]:
    """Return columns and rows for a person, tokens only where there are any."""
    columns = ["hour", "method", "status", "network", "requests"]
    rows = [
        [minute(use.hour), use.method, _status(use), use.network, f"{use.requests:,}"]
        for use in uses
    ]
    if any(use.tokens for use in uses):
        columns.append("tokens")
        rows = [[*row, f"{use.tokens:,}"] for row, use in zip(rows, uses, strict=True)]
    return columns, rows


def _status(use: Use) -> str:
    return f"{use.status_class}xx" if use.status_class else ""


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)


def _until(at: float | None) -> str:
    return "" if at is None else f" until {minute(at)}"
