"""How much each key is used, per hour, method, status class and network, and when it was last.

Also until when that is known: who counts says so with every flush, and a gap is remembered, so
that silence is not taken for a key that nobody uses.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_network

import msgspec
from sqlalchemy import Connection, bindparam, case, delete, or_, select, update

from database import counters
from database.schema import keys, usage
from database.transaction import in_commit_order
from database.upsert import inserting

HOUR_S = 3600
GAP_S = 600
"""A longer silence of whoever counts is a gap."""
METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_IPV4 = re.compile(rf"(?:{_OCTET}\.){{3}}{_OCTET}")
_SINCE, _UNTIL = "usage_heard_since_s", "usage_heard_until_s"
_WATCHED = "usage_watched_until_s"


class Use(msgspec.Struct, frozen=True):
    """A row of the table `usage`.

    Attributes:
        hour: epoch seconds of its beginning.
        method: one of `METHODS`, or "other".
        status_class: 2 for 200 to 299; 0 when unknown.
        network: a /24 or /48; empty when unknown.
        tokens: AI tokens, as the access log says.
        first_at: epoch seconds of the earliest of these requests; None when unknown.
    """

    key_id: str
    hour: int
    method: str
    status_class: int
    network: str
    requests: int
    tokens: int = 0
    first_at: float | None = None


class Heard(msgspec.Struct, frozen=True):
    """From when to when usage is known without a gap, epoch seconds."""

    since: float
    until: float


def record(
    connection: Connection, uses: Sequence[Use], latest: Mapping[str, float], until: float
) -> None:
    """Add up what `watch` counted in logs.

    Args:
        connection: a write transaction.
        uses: what is added to what is there.
        latest: key id → epoch seconds of its last use; written when that moves it by an hour.
        until: epoch seconds up to which all was counted.
    """
    add(connection, uses)
    touch(connection, latest)
    hear(connection, until)
    counters.put(connection, {_WATCHED: int(until)})


def add(connection: Connection, uses: Sequence[Use]) -> None:
    """Add up uses, in a write transaction."""
    in_commit_order(connection)
    if uses:
        statement = inserting(connection, usage)
        new = statement.excluded
        added = {name: usage.c[name] + new[name] for name in ("requests", "tokens")}
        # What is unknown stays unknown: nothing is earlier than NULL.
        earlier = case((usage.c.first_at > new.first_at, new.first_at), else_=usage.c.first_at)
        statement = statement.on_conflict_do_update(
            index_elements=list(usage.primary_key), set_={**added, "first_at": earlier}
        )
        rows = sorted(uses, key=lambda use: (use.key_id, use.hour))
        connection.execute(statement, [msgspec.structs.asdict(use) for use in rows])


def touch(connection: Connection, latest: Mapping[str, float]) -> None:
    """Write last uses, at most once an hour a key; that is no change of the key.

    Args:
        connection: a write transaction.
        latest: key id → epoch seconds.
    """
    moved = [
        {"key": key_id, "at": at, "floor": at - HOUR_S} for key_id, at in sorted(latest.items())
    ]
    if not moved:
        return
    connection.execute(_TOUCH, moved)


def heard(connection: Connection) -> Heard | None:
    """Return from when to when usage is known; None when nobody ever counted."""
    known = counters.all_of(connection)
    return Heard(known[_SINCE], known[_UNTIL]) if _UNTIL in known else None


def of_key(connection: Connection, key_id: str, since: float) -> list[Use]:
    """Return the rows of a key from the hour of `since` on, the oldest first."""
    query = (
        select(usage)
        .where(usage.c.key_id == key_id, usage.c.hour > since - HOUR_S)
        .order_by(usage.c.hour, usage.c.method, usage.c.status_class, usage.c.network)
    )
    return [Use(**row) for row in connection.execute(query).mappings()]


def prune(connection: Connection, before: float) -> int:
    """Forget hours that began before `before`; return the number of rows."""
    in_commit_order(connection)
    return connection.execute(delete(usage).where(usage.c.hour < before)).rowcount


@lru_cache(maxsize=65_536)
def network_of(ip: str) -> str:
    """Return the block that an address is counted under: /24 of IPv4, /48 of IPv6."""
    if _IPV4.fullmatch(ip):  # parsing it as an address takes ten times as long
        return ip[: ip.rindex(".")] + ".0/24"
    try:
        return str(ip_network((ip, 48), strict=False)) if ":" in ip else ""
    except ValueError:
        return ""


def watched(connection: Connection) -> float | None:
    """Return until when `watch` has counted, epoch seconds; None when it never did."""
    return counters.all_of(connection).get(_WATCHED)


def hear(connection: Connection, until: float) -> None:
    """Note that all uses are counted that there were up to a moment, epoch seconds."""
    known = heard(connection)
    if known is None or until > known.until + GAP_S:
        counters.put(connection, {_SINCE: int(until)})
    if known is None or until > known.until:
        counters.put(connection, {_UNTIL: int(until)})


_TOUCH = (
    update(keys)
    .where(
        keys.c.id == bindparam("key"),
        or_(keys.c.last_used_at.is_(None), keys.c.last_used_at <= bindparam("floor")),
    )
    .values(last_used_at=bindparam("at"))
)
