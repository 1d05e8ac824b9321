"""Keys that have ended are watched on: who still tries them, from where, and until when.

From the counted uses: a request with a key that has ended is answered with 401 or 403 and counted
under its network. Within the hour in which a key ended, refusals of before cannot be told apart,
so counting begins with the next one.
"""

import msgspec
from sqlalchemy import Connection, func, select

from database.schema import audit, keys, usage

_ENDS = ("revoke", "close_grace", "suspend", "rotate")
_REFUSED = 4
_MOST = 1000


class Tries(msgspec.Struct, frozen=True):
    """What was tried with a key after it had ended.

    Attributes:
        ended_at: epoch seconds.
        networks: blocks of addresses with their requests, the busiest first.
        first_at, last_at: epoch seconds of the first and the last hour with a try.
    """

    key_id: str
    owner: str
    ended_at: float
    requests: int
    networks: tuple[tuple[str, int], ...]
    first_at: float
    last_at: float

    def sentence(self) -> str:
        """Say it to a person."""
        where = ", ".join(f"{network or 'unknown'} ({n})" for network, n in self.networks[:5])
        return f"{self.requests} tries since it ended, from {where}"


def still_tried(connection: Connection, since: float, key_id: str = "") -> list[Tries]:
    """Return the revoked keys that somebody still tries, the most tried first.

    Args:
        connection: any.
        since: epoch seconds; earlier tries are left out.
        key_id: only this one.
    """
    ends = ended(connection, key_id)
    query = (
        select(usage.c.key_id, usage.c.network, usage.c.hour, func.sum(usage.c.requests).label("n"))
        .join(keys, keys.c.id == usage.c.key_id)
        .where(keys.c.state == "revoked", usage.c.status_class == _REFUSED, usage.c.hour >= since)
        .group_by(usage.c.key_id, usage.c.network, usage.c.hour)
    )
    if key_id:
        query = query.where(usage.c.key_id == key_id)
    by_key: dict[str, list[tuple[str, float, int]]] = {}
    for row in connection.execute(query):
        if row.hour > ends[row.key_id][1]:
            by_key.setdefault(row.key_id, []).append((row.network, float(row.hour), int(row.n)))
    found = [_tries(name, *ends[name], uses) for name, uses in by_key.items()]
    return sorted(found, key=lambda one: (-one.requests, one.key_id))[:_MOST]


def ended(connection: Connection, key_id: str) -> dict[str, tuple[str, float]]:
    """Return of each revoked key its owner and when it ended."""
    newest = func.max(audit.c.at)
    query = (
        select(keys.c.id, keys.c.owner, keys.c.created_at, newest.label("at"))
        .join(audit, (audit.c.subject == keys.c.id) & audit.c.verb.in_(_ENDS), isouter=True)
        .where(keys.c.state == "revoked")
        .group_by(keys.c.id, keys.c.owner, keys.c.created_at)
    )
    if key_id:
        query = query.where(keys.c.id == key_id)
    rows = connection.execute(query)
    return {row.id: (row.owner, row.at if row.at is not None else row.created_at) for row in rows}


def _tries(key_id: str, owner: str, ended_at: float, uses: list[tuple[str, float, int]]) -> Tries:
    networks: dict[str, int] = {}
    for network, _, number in uses:
        networks[network] = networks.get(network, 0) + number
    hours = [hour for _, hour, _ in uses]
    return Tries(
        key_id=key_id,
        owner=owner,
        ended_at=ended_at,
        requests=sum(networks.values()),
        networks=tuple(sorted(networks.items(), key=lambda pair: (-pair[1], pair[0]))),
        first_at=min(hours),
        last_at=max(hours),
    )
