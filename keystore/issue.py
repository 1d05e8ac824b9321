"""Making keys: by the thousand, with their secret shown once, or taken over from elsewhere."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import msgspec
from sqlalchemy import Connection, insert, select

from database.schema import accounts, keys
from database.transaction import in_commit_order
from keystore import audit, feed, narrow, plans
from keystore.keys import UNDECLARED, Declared, Key, Kind, row_of
from keystore.names import checked_tokens
from keystore.scheme import DAY_S, DEFAULT_SCHEME, KeyScheme, hash_of, new_key_id
from vocabulary.errors import KeyStoreError, UsageError

_CHUNK = 10_000
_LONGEST_S = 1000 * 365 * DAY_S
KEY_CLASSES = ("human", "service", "cron", "mobile", "ai")


class KeyOrder(msgspec.Struct, frozen=True):
    """What is asked for in a new key.

    Attributes:
        environment: empty for the scheme's first one.
        publishable: whether it may stand in public code.
        owner: who is told when something happens to it.
        account: id of the account it belongs to; made when there is none.
        key_class: human, service, cron, mobile or ai; empty when not said.
        tz: IANA time zone of the owner; empty when not said.
        networks, endpoints, models, requires, limits: see `Key`.
        plan: id of a plan, instead of its account's.
        tokens_per_min, tokens_per_day, tokens_per_month: budget of AI tokens; None for its plan's.
        declared: what its owner says it will do.
        store: the configured store in which the key lives; empty for ours.
        external_id: what it is called there.
        life_s: seconds until it expires; 0 for no end, None for the scheme's default.
    """

    environment: str = ""
    publishable: bool = False
    name: str = ""
    owner: str = ""
    account: str = ""
    key_class: str = ""
    tz: str = ""
    scopes: tuple[str, ...] = ()
    networks: tuple[str, ...] = ()
    endpoints: tuple[str, ...] = ()
    models: tuple[str, ...] = ()
    requires: tuple[str, ...] = ()
    plan: str = ""
    limits: tuple[str, ...] = ()
    tokens_per_min: int | None = None
    tokens_per_day: int | None = None
    tokens_per_month: int | None = None
    declared: Declared = UNDECLARED
    store: str = ""
    external_id: str = ""
    life_s: float | None = None


class Origin(msgspec.Struct, frozen=True):
    """How a key is recognised; see `Key.pepper_id`, `Key.hash` and `Key.kind`."""

    hash: str
    pepper_id: str = ""
    public_id: str = ""
    prefix: str = ""
    kind: str = Kind.KEY.value


@dataclass(frozen=True, slots=True)
class Issued:
    """A new key and its secret, which exists nowhere else: show it once and forget it."""

    key: Key
    secret: str = field(repr=False)


def create_many(
    connection: Connection,
    orders: Sequence[KeyOrder],
    *,
    actor: str,
    reason: str,
    now: float,
    scheme: KeyScheme = DEFAULT_SCHEME,
) -> list[Issued]:
    """Make a key for each order.

    Raises:
        UsageError: when an order asks for what the scheme does not have.
    """
    complete = [_complete(order, scheme) for order in orders]
    made = []
    for order, number in zip(complete, _numbers(connection, len(complete), now), strict=True):
        secret = scheme.generate(order.environment, publishable=order.publishable)
        origin = Origin(hash_of(secret), prefix=scheme.prefix_of(publishable=order.publishable))
        made.append(Issued(_key(order, origin, number, now), secret))
    _insert(connection, [issued.key for issued in made], "create", actor, reason)
    return made


def adopt(
    connection: Connection,
    order: KeyOrder,
    origin: Origin,
    *,
    actor: str,
    reason: str,
    now: float,
    scheme: KeyScheme = DEFAULT_SCHEME,
) -> Key:
    """Take over a key that was made elsewhere, by its hash.

    One that goes on living there has no end here unless the order names one.

    Raises:
        KeyStoreError: when the store has it already.
        UsageError: when the order asks for what the scheme does not have.
    """
    if order.store and order.life_s is None:
        scheme = replace(scheme, life_s=0.0, max_life_s=0.0)
    complete = _complete(order, scheme)
    in_commit_order(connection)
    known = connection.execute(select(keys.c.id).where(keys.c.hash == origin.hash)).scalar()
    if known:
        raise KeyStoreError(f"the key is in the store already, as {known}", remedy="use that one")
    key = _key(complete, origin, next(_numbers(connection, 1, now)), now)
    _insert(connection, [key], "adopt", actor, reason)
    return key


def successor(
    connection: Connection, old: Key, *, actor: str, reason: str, now: float, scheme: KeyScheme
) -> Issued:
    """Make a key with the grants of `old`, and a life as long as its was."""
    life = 0.0 if old.expires_at is None else old.expires_at - old.created_at
    if scheme.max_life_s and not 0 < life <= scheme.max_life_s:
        life = scheme.max_life_s
    secret = scheme.generate(old.environment, publishable=old.publishable)
    key_id, seq = next(_numbers(connection, 1, now))
    key = Key(
        id=key_id,
        change_seq=seq,
        hash=hash_of(secret),
        prefix=scheme.prefix_of(publishable=old.publishable),
        created_at=now,
        expires_at=now + life if life else None,
        rotated_from=old.id,
        **{name: getattr(old, name) for name in _GRANTS},
    )
    _insert(connection, [key], "create", actor, reason)
    return Issued(key, secret)


_GRANTS = (
    "kind", "environment", "publishable", "name", "owner", "account_id", "key_class", "tz",
    "scopes", "networks", "endpoints", "models", "requires", "plan_id", "limits",
    "tokens_per_min", "tokens_per_day", "tokens_per_month", "declared",
)  # fmt: skip


def _complete(order: KeyOrder, scheme: KeyScheme) -> KeyOrder:
    """Fill in the scheme's defaults and refuse what it does not have."""
    environment = order.environment or scheme.environments[0]
    life = scheme.life_s if order.life_s is None else order.life_s
    _check_life(life, scheme)
    known = msgspec.structs.replace(order, environment=environment, life_s=life)
    return checked(known, scheme)


def checked(order: KeyOrder, scheme: KeyScheme) -> KeyOrder:
    """Return the order as it is written down.

    Raises:
        UsageError: when it asks for what cannot be, or for what the scheme does not have.
    """
    environment = order.environment
    if environment not in scheme.environments:
        known = ", ".join(scheme.environments)
        raise UsageError(f"there is no environment {environment!r}", remedy=f"one of {known}")
    if order.key_class and order.key_class not in KEY_CLASSES:
        known = ", ".join(KEY_CLASSES)
        raise UsageError(f"there is no class {order.key_class!r}", remedy=f"one of {known}")
    return msgspec.structs.replace(order, **_narrowed(order))


def _narrowed(order: KeyOrder) -> dict[str, Any]:
    """Return the order's grants as they are written down; refuse those that cannot be."""
    budgets = ("tokens_per_min", "tokens_per_day", "tokens_per_month")
    return {
        "name": audit.storable(order.name),
        "owner": audit.storable(order.owner),
        "tz": narrow.zone(order.tz),
        "scopes": narrow.scopes(order.scopes),
        "networks": narrow.networks(order.networks),
        "endpoints": narrow.endpoints(order.endpoints),
        "models": narrow.models(order.models),
        "requires": narrow.requirements(order.requires),
        "limits": narrow.limits(order.limits),
        "declared": narrow.declared(order.declared),
        **{name: checked_tokens(getattr(order, name)) for name in budgets},
    }


def _check_life(life: float, scheme: KeyScheme) -> None:
    if not 0 <= life <= _LONGEST_S:
        raise UsageError("a key cannot live so long", remedy="name an end that lies ahead")
    if scheme.max_life_s and not 0 < life <= scheme.max_life_s:
        raise UsageError(
            f"keys live at most {scheme.max_life_s / DAY_S:g} days",
            remedy="ask for less, or raise keys.max_expiry_days in the configuration",
        )


def _numbers(connection: Connection, count: int, now: float) -> Iterator[tuple[str, int]]:
    """Return new key ids, each with the number of its first change."""
    ids = [new_key_id() for _ in range(count)]
    return zip(ids, feed.record(connection, ids, now), strict=True)


def _key(order: KeyOrder, origin: Origin, number: tuple[str, int], now: float) -> Key:
    return Key(
        id=number[0],
        change_seq=number[1],
        kind=origin.kind,
        hash=origin.hash,
        pepper_id=origin.pepper_id,
        public_id=origin.public_id,
        prefix=origin.prefix,
        environment=order.environment,
        publishable=order.publishable,
        name=order.name,
        owner=order.owner,
        account_id=audit.storable(order.account) or None,
        key_class=order.key_class,
        tz=order.tz,
        plan_id=order.plan or None,
        **{name: getattr(order, name) for name in _AS_ORDERED},
        created_at=now,
        expires_at=now + order.life_s if order.life_s else None,
    )


_AS_ORDERED = (
    "scopes", "networks", "endpoints", "models", "requires", "limits", "declared",
    "tokens_per_min", "tokens_per_day", "tokens_per_month", "store", "external_id",
)  # fmt: skip


def _insert(
    connection: Connection, made: Sequence[Key], verb: str, actor: str, reason: str
) -> None:
    """Write the keys and their audit rows."""
    if made:
        theirs = (key.account_id for key in made if key.account_id)
        open_accounts(connection, theirs, made[0].created_at)
        _need_plans(connection, made)
        connection.execute(insert(keys), [row_of(key) for key in made])
    audit.append(
        connection,
        [audit.Entry(key.created_at, actor, verb, key.id, reason, _details(key)) for key in made],
    )


def _details(key: Key) -> dict[str, object]:
    row = row_of(key)
    return {name: row[name] for name in _TOLD if row[name]} | (
        {"kind": key.kind} if key.kind != Kind.KEY else {}
    )


_TOLD = (
    "environment", "publishable", "owner", "account_id", "expires_at", "rotated_from", "scopes",
    "networks", "endpoints", "models", "requires", "plan_id", "limits", "tokens_per_min",
    "tokens_per_day", "tokens_per_month", "declared", "store", "external_id",
)  # fmt: skip


def _need_plans(connection: Connection, made: Sequence[Key]) -> None:
    for plan_id in sorted({key.plan_id for key in made if key.plan_id}):
        plans.get(connection, plan_id)


def open_accounts(connection: Connection, account_ids: Iterable[str], now: float) -> None:
    """Make those of the accounts that are not there."""
    wanted = sorted(set(account_ids))
    for start in range(0, len(wanted), _CHUNK):
        names = wanted[start : start + _CHUNK]
        query = select(accounts.c.id).where(accounts.c.id.in_(names))
        missing = set(names) - set(connection.execute(query).scalars())
        rows = [{"id": name, "name": name, "created_at": now} for name in sorted(missing)]
        if rows:
            connection.execute(insert(accounts), rows)
