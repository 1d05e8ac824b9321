"""What would stop if a key were cut off, from what it was really used for."""

from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import Connection, func, select

from database import counters
from database.listed import among
from database.schema import keys, usage
from keystore.usage import HOUR_S, heard

DAY_S = 86_400
_TOTAL, _TOTAL_AT = "traffic_day_requests", "traffic_day_at_s"
_SHOWN = 5

Called = Callable[[str], Sequence[str]]
"""Key id → the endpoints that it calls, by name."""


def nobody_knows(_: str) -> tuple[str, ...]:
    """Return what a key calls where no profile is kept of it."""
    return ()


class Blast(msgspec.Struct, frozen=True):
    """The use of a key on the day before.

    Attributes:
        known: False where nobody counted uses; then nothing else means anything.
        requests: within 24 hours.
        per_hour: requests in its busiest hour.
        share: of the requests of all keys, 0 to 1.
        refused: share of its requests that were answered with 4xx or 5xx.
        networks: the busiest blocks of addresses, with their requests.
        methods: with their requests.
        last_used_at: epoch seconds; None for never.
        endpoints: what it may call; none for all.
        called: what it really calls, what it called on most days first; none where nobody looks.
    """

    known: bool
    requests: int = 0
    per_hour: int = 0
    share: float = 0.0
    refused: float = 0.0
    networks: tuple[tuple[str, int], ...] = ()
    methods: tuple[tuple[str, int], ...] = ()
    last_used_at: float | None = None
    endpoints: tuple[str, ...] = ()
    called: tuple[str, ...] = ()

    def sentence(self) -> str:
        """Say it to a person."""
        if not self.known:
            return "nobody counts what keys are used for"
        if not self.requests:
            return "not used within 24 hours"
        where = ", ".join(network or "unknown" for network, _ in self.networks)
        return (
            f"{self.requests} requests within 24 hours ({self.share:.1%} of all), "
            f"{self.per_hour} in its busiest hour, from {where}{_calls(self.called)}"
        )


def blast_of(connection: Connection, key_id: str, now: float, called: Sequence[str] = ()) -> Blast:
    """Return what a key was used for on the day that ends now; `called` are its endpoints."""
    row = connection.execute(
        select(keys.c.last_used_at, keys.c.endpoints).where(keys.c.id == key_id)
    ).first()
    if row is None or heard(connection) is None:
        return Blast(known=False)
    columns = (usage.c.hour, usage.c.method, usage.c.status_class, usage.c.network)
    mine = select(*columns, usage.c.requests).where(
        usage.c.key_id == key_id, usage.c.hour > now - DAY_S
    )
    found = connection.execute(mine).all()
    requests = sum(use.requests for use in found)
    refused = sum(use.requests for use in found if use.status_class >= 4)  # noqa: PLR2004
    total = max(requests, traffic(connection, now))
    by_hour, by_network, by_method = (
        _summed([(use[column], use.requests) for use in found]) for column in (0, 3, 1)
    )
    return Blast(
        known=True,
        requests=requests,
        per_hour=max((n for _, n in by_hour), default=0),
        share=requests / total if total else 0.0,
        refused=refused / requests if requests else 0.0,
        networks=tuple((str(name), n) for name, n in by_network[:_SHOWN]),
        methods=tuple((str(name), n) for name, n in by_method[:_SHOWN]),
        last_used_at=row.last_used_at,
        endpoints=tuple(row.endpoints or ()),
        called=tuple(called),
    )


def _calls(called: Sequence[str]) -> str:
    if not called:
        return ""
    more = f" and {len(called) - _SHOWN} more" if len(called) > _SHOWN else ""
    return f"; it calls {', '.join(called[:_SHOWN])}{more}"


def share_of(connection: Connection, key_ids: set[str], until: float, now: float) -> float:
    """Return which part of a day's requests so many keys made together, 0 to 1.

    Zero where nobody counts them.

    Args:
        connection: any.
        key_ids: of the keys.
        until: epoch seconds; the hours before it count. Of a key in other hands that is when it
            began: a thief must not make a key too busy to be revoked.
        now: epoch seconds.
    """
    if not key_ids or heard(connection) is None:
        return 0.0
    theirs = select(func.coalesce(func.sum(usage.c.requests), 0)).where(
        among(usage.c.key_id, sorted(key_ids)),
        usage.c.hour > until - DAY_S,
        usage.c.hour <= until - HOUR_S,
    )
    requests = int(connection.execute(theirs).scalar_one())
    total = max(requests, traffic(connection, now))
    return requests / total if total else 0.0


def traffic(connection: Connection, now: float) -> int:
    """Return the requests of all keys within the last day; counted anew once an hour at most.

    In a write transaction what was counted is remembered.
    """
    known = counters.all_of(connection)
    if _TOTAL_AT in known and 0 <= now - known[_TOTAL_AT] < HOUR_S:
        return known[_TOTAL]
    everything = select(func.coalesce(func.sum(usage.c.requests), 0))
    total = int(connection.execute(everything.where(usage.c.hour > now - DAY_S)).scalar_one())
    if connection.get_execution_options().get("write"):
        counters.put(connection, {_TOTAL: total, _TOTAL_AT: int(now)})
    return total


def _summed(pairs: list[tuple[object, int]]) -> list[tuple[object, int]]:
    """Return each name with its sum, the largest first."""
    sums: dict[object, int] = {}
    for name, number in pairs:
        sums[name] = sums.get(name, 0) + number
    return sorted(sums.items(), key=lambda pair: (-pair[1], str(pair[0])))
