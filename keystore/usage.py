"""How much each key is used, per hour, method, status class and network, and when it was last.

Also until when that is known: who counts says so with every flush, and a gap is remembered, so
that silence is not taken for a key that nobody uses.
"""

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from ipaddress import ip_network
from operator import itemgetter

import msgspec
from sqlalchemy import Connection, delete, select

from database import counters
from database.listed import lengthened
from database.schema import usage
from database.transaction import in_commit_order

HOUR_S = 3600
GAP_S = 600
"""A longer silence of whoever counts is a gap."""
METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS".split())
_ROWS = 500
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
    """Add up uses, in a write transaction; no two are of one place."""
    in_commit_order(connection)
    rows = sorted(map(msgspec.structs.astuple, uses), key=itemgetter(slice(5)))
    for start in range(0, len(rows), _ROWS):
        part = rows[start : start + _ROWS]
        connection.exec_driver_sql(
            _adding(connection.dialect.name, len(part)),
            tuple(value for row in part for value in row),
        )


@lru_cache(maxsize=256)
def _adding(dialect: str, count: int) -> str:
    """Return the statement that adds up so many rows at once.

    In many statements SQLite's driver would give up the interpreter for each: to have it back
    from a thread that answers requests costs several times what the row does.
    """
    mark = "?" if dialect == "sqlite" else "%s"
    names = ",".join(Use.__struct_fields__)
    row = f"({','.join([mark] * len(Use.__struct_fields__))})"
    # What is unknown stays unknown: nothing is earlier than NULL.
    earlier = (
        "CASE WHEN usage.first_at > excluded.first_at "
        "THEN excluded.first_at ELSE usage.first_at END"
    )
    return (
        f"INSERT INTO usage ({names}) VALUES {','.join([row] * count)} "  # noqa: S608  (our own)
        f"ON CONFLICT ({','.join(column.name for column in usage.primary_key)}) DO UPDATE SET "
        "requests = usage.requests + excluded.requests, "
        f"tokens = usage.tokens + excluded.tokens, first_at = {earlier}"
    )


def touch(connection: Connection, latest: Mapping[str, float]) -> None:
    """Write last uses, at most once an hour a key; that is no change of the key.

    Args:
        connection: a write transaction.
        latest: key id → epoch seconds.
    """
    if not latest:
        return
    in_commit_order(connection)  # who changes a key has asked for that before its row
    moved = sorted(latest.items())
    for start in range(0, len(moved), _ROWS):
        part = lengthened(moved[start : start + _ROWS])
        connection.exec_driver_sql(
            _touching(connection.dialect.name, len(part)),
            tuple(value for key in part for value in key),
        )


@lru_cache(maxsize=32)
def _touching(dialect: str, count: int) -> str:
    """Return the statement that notes so many last uses; one each would cost as `_adding` says."""
    mark = "?" if dialect == "sqlite" else "%s"
    told = ",".join([f"({mark},{mark})"] * count)
    return (
        f"WITH told(id, used_at) AS (VALUES {told}) "  # noqa: S608  (marks)
        "UPDATE keys SET last_used_at = told.used_at FROM told WHERE keys.id = told.id "
        f"AND (keys.last_used_at IS NULL OR keys.last_used_at <= told.used_at - {HOUR_S})"
    )


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
