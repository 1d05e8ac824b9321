"""Reading keys: by id, by credential, and as a list; many at once in few statements."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice

import msgspec
from sqlalchemy import ColumnElement, Connection, and_, case, or_, select

from database.listed import among
from database.schema import keys
from keystore.audit import storable
from keystore.keys import ORIGINS, PUBLIC_ID, SHA256, Key, KeyState, key_of
from vocabulary.credential import Credential
from vocabulary.errors import KeyNotFoundError

_CHUNK = 10_000
"""Values in one statement: SQLite takes 32,766 and PostgreSQL 65,535."""


class Filter(msgspec.Struct, frozen=True):
    """Which keys are listed; an empty entry filters nothing.

    Attributes:
        state: the effective one.
        kind: one of `keys.Kind`, or "!key" for all but keys.
        ends_before: only keys that work, and end by themselves before it, epoch seconds.
    """

    owner: str = ""
    account_id: str = ""
    environment: str = ""
    state: str = ""
    kind: str = ""
    plan_id: str = ""
    store: str = ""
    ends_before: float | None = None


def get(connection: Connection, key_id: str) -> Key:
    """Return the key.

    Raises:
        KeyNotFoundError: when there is none of this id.
    """
    found = by_ids(connection, [key_id])
    if not found:
        raise KeyNotFoundError(
            f"no key or identity is called {key_id!r}",
            remedy="see `keywatch keys list` and `keywatch identities list`",
        )
    return found[key_id]


def by_ids(connection: Connection, key_ids: Iterable[str]) -> dict[str, Key]:
    """Return those of the keys that exist, by id."""
    return {key.id: key for key in _where_in(connection, keys.c.id, key_ids)}


def find(connection: Connection, credentials: Sequence[Credential]) -> list[Key | None]:
    """Return the key of each credential, None for those that are not ours.

    A hash is compared with keys of its own origin only: an SHA-256 never with an HMAC, an HMAC
    never under another pepper. A public id alone identifies only keys whose secret the store
    never had; elsewhere the secret must be right as well.
    """
    found: list[Key | None] = [None] * len(credentials)
    for origin, wanted in _wanted(credentials).items():
        column = keys.c.public_id if origin == PUBLIC_ID else keys.c.hash
        for key in _where_in(connection, column, wanted, keys.c.pepper_id == origin):
            for place in wanted[key.public_id if origin == PUBLIC_ID else key.hash]:
                found[place] = found[place] or key
    return found


def newest(
    connection: Connection,
    now: float,
    wanted: Filter = Filter(),  # noqa: B008  (frozen)
    limit: int | None = 100,
) -> list[Key]:
    """Return keys, the newest first; `limit` None for all of them."""
    query = select(keys).where(*conditions(wanted, now))
    query = query.order_by(keys.c.created_at.desc(), keys.c.id.desc()).limit(limit)
    return [key_of({**row}) for row in connection.execute(query).mappings()]


def _wanted(credentials: Sequence[Credential]) -> dict[str, dict[str, list[int]]]:
    """Return origin → what to look for → places in `credentials`; the strongest origin first."""
    wanted: dict[str, dict[str, list[int]]] = {SHA256: {}}
    public: dict[str, list[int]] = {}
    for place, credential in enumerate(credentials):
        wanted[SHA256].setdefault(credential.sha256, []).append(place)
        for pepper_id, mac in credential.hmacs.items():
            if pepper_id in ORIGINS:
                continue  # no pepper is called so: see KeyStore
            wanted.setdefault(pepper_id, {}).setdefault(mac, []).append(place)
        if credential.public_id:
            public.setdefault(credential.public_id, []).append(place)
    return wanted | {PUBLIC_ID: public}


def _where_in(
    connection: Connection,
    column: ColumnElement[str],
    values: Iterable[str],
    *conditions: ColumnElement[bool],
) -> Iterator[Key]:
    # what no database can hold (NUL, lone surrogates: logs are hostile) is nobody's id
    rest = (value for value in values if storable(value) == value)
    while chunk := list(islice(rest, _CHUNK)):
        query = select(keys).where(among(column, chunk), *conditions)
        for row in connection.execute(query).mappings():
            yield key_of({**row})


def conditions(wanted: Filter, now: float) -> Iterator[ColumnElement[bool]]:
    """Yield what a row of the table `keys` must fulfil."""
    columns: Mapping[str, ColumnElement[str]] = {
        "owner": keys.c.owner,
        "account_id": keys.c.account_id,
        "environment": keys.c.environment,
        "kind": keys.c.kind,
        "plan_id": keys.c.plan_id,
        "store": keys.c.store,
        "state": _effective_state(now),
    }
    if wanted.ends_before is not None:
        yield _ending(wanted.ends_before, now)
    for name, column in columns.items():
        value = getattr(wanted, name)
        if value.startswith("!") and name == "kind":
            yield column != value[1:]
        elif value:
            yield column == storable(value)


def _ending(before: float, now: float) -> ColumnElement[bool]:
    working = _effective_state(now).in_([KeyState.ACTIVE.value, KeyState.DEPRECATED.value])
    in_grace = and_(keys.c.state == KeyState.DEPRECATED.value, keys.c.grace_until < before)
    return and_(working, or_(keys.c.expires_at < before, in_grace))


def _effective_state(now: float) -> ColumnElement[str]:
    """Return `Key.effective_state` as SQL; a test holds the two equal."""
    deprecated = keys.c.state == KeyState.DEPRECATED.value
    return case(
        (keys.c.state == KeyState.REVOKED.value, KeyState.REVOKED.value),
        (keys.c.expires_at <= now, KeyState.EXPIRED.value),
        (and_(deprecated, keys.c.grace_until <= now), KeyState.REVOKED.value),
        else_=keys.c.state,
    )
