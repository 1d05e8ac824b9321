"""Keys and their use."""

from typing import Any

import msgspec

from keywatch.desk.contract.shared import Shown


class Key(Shown, frozen=True, kw_only=True):
    """A key of the store, without anything secret; as `keywatch keys show --json`."""

    id: str
    kind: str
    name: str
    public_id: str
    owner: str
    account: str
    environment: str
    publishable: bool
    prefix: str
    class_: str = msgspec.field(name="class")
    tz: str
    scopes: tuple[str, ...]
    networks: tuple[str, ...]
    endpoints: tuple[str, ...]
    models: tuple[str, ...]
    requires: tuple[str, ...]
    plan: str
    limits: tuple[str, ...]
    tokens: dict[str, int | None]
    declared: dict[str, Any]
    store: str
    external_id: str
    state: str
    verdict: str
    throttle: dict[str, Any] | None
    suspended: bool
    suspended_until: str | None
    leak_proven: bool
    created_at: str | None
    expires_at: str | None
    deprecated_at: str | None
    grace_until: str | None
    rotated_from: str | None
    rotated_to: str | None
    last_used_at: str | None


class Budget(Shown, frozen=True, kw_only=True):
    """AI tokens that a key may spend, and those of which it has not recovered yet."""

    window: str
    tokens: int
    used: int | None


class Use(Shown, frozen=True, kw_only=True):
    """How much a key was used in an hour."""

    hour: str
    requests: int
    refused: int
    tokens: int
