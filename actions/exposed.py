"""Exposures of a key, joined with what the key was used for since.

How long it stood open, who could read it, and whether anybody but its owner has used it: networks
from which the key was never used before it was exposed are foreign. Uses are counted by the hour;
only when a network was first seen within its hour is known to the second. So the requests of a
foreign network are all after the exposure, and those of the owner's are counted from the beginning
of its hour on.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import Connection, Row, case, func, select

from actions.afterlife import ended
from actions.leaks import epoch_s
from database.schema import alerts, findings, keys, usage
from keystore.usage import HOUR_S
from vocabulary.moments import rfc3339

IN_LOG = "exposed-in-log"
_REFUSED = 4
_SHOWN = 5
_MOST = 50


class Use(msgspec.Struct, frozen=True):
    """What a key was used for since a moment.

    Attributes:
        known: whether it is known from where the key was used before; if not, nothing is foreign.
        requests: from anywhere, from the beginning of that hour on.
        refused: those of them that were answered with 4xx or 5xx.
        foreign: blocks of addresses from which it was not used before, the first one first, with
            their requests and the epoch seconds of the first one.
    """

    known: bool = False
    requests: int = 0
    refused: int = 0
    foreign: tuple[tuple[str, int, float], ...] = ()

    @property
    def foreign_requests(self) -> int:
        """Requests from all foreign networks."""
        return sum(number for _, number, _ in self.foreign)


class Exposed(msgspec.Struct, frozen=True):
    """One exposure of a key.

    Attributes:
        found: fingerprint of the finding, or id of the alert.
        where: a place as it was found; hostile text.
        repository: its address; empty where not known.
        exposure: public, private or log; empty where not known.
        authors: who committed it; hostile text.
        places: in how many it stands.
        exposed_at: epoch seconds of the first commit that holds it; of the first sight where
            commits do not tell.
        first_seen_at: epoch seconds.
        ended_at: epoch seconds at which the key was revoked; None while it was not.
    """

    found: str
    where: str
    repository: str
    exposure: str
    authors: tuple[str, ...]
    places: int
    exposed_at: float
    first_seen_at: float
    ended_at: float | None
    use: Use

    def sentence(self) -> str:
        """Say it to a person."""
        day = _minute(self.exposed_at)[:10]
        said = [f"exposed {_minute(self.exposed_at)}{f' ({self.exposure})' * bool(self.exposure)}"]
        if self.first_seen_at - self.exposed_at >= 60:  # noqa: PLR2004  (a minute)
            said.append(f"first seen {_minute(self.first_seen_at, day)}")
        said += _used(self.use, day)
        if self.ended_at is not None:
            said.append(f"ended {_minute(self.ended_at, day)}")
        return "; ".join(said)


def exposures(connection: Connection, key_id: str) -> list[Exposed]:
    """Return every known exposure of a key, the earliest first.

    Args:
        connection: any.
        key_id: of the key; the token of one that the store does not know, or `ip:…`, has none.
    """
    created_at = connection.scalar(select(keys.c.created_at).where(keys.c.id == key_id))
    if created_at is None:
        return []
    end = ended(connection, key_id).get(key_id)
    ended_at = end[1] if end else None
    found = [
        *(_of_finding(row, created_at) for row in _findings(connection, key_id)),
        *(_of_alert(row) for row in _in_logs(connection, key_id)),
    ]
    found.sort(key=lambda one: (one["exposed_at"], one["found"]))
    uses = {at: use_since(connection, key_id, at) for at in {one["exposed_at"] for one in found}}
    return [Exposed(**one, ended_at=ended_at, use=uses[one["exposed_at"]]) for one in found]


def use_since(connection: Connection, key_id: str, since: float) -> Use:
    """Return what a key was used for since a moment (epoch seconds)."""
    begin = since // HOUR_S * HOUR_S
    late = usage.c.hour >= begin
    number = func.coalesce(func.sum(case((late, usage.c.requests), else_=0)), 0)
    bad = late & (usage.c.status_class >= _REFUSED)
    rows = connection.execute(
        select(
            usage.c.network,
            func.min(func.coalesce(usage.c.first_at, usage.c.hour)).label("first_at"),
            number.label("requests"),
            func.coalesce(func.sum(case((bad, usage.c.requests), else_=0)), 0).label("refused"),
        )
        .where(usage.c.key_id == key_id)
        .group_by(usage.c.network)
    ).all()
    known = any(row.first_at < since for row in rows)
    new = [
        (str(row.network), int(row.requests), float(row.first_at))
        for row in rows
        if known and row.network and row.first_at >= since
    ]
    return Use(
        known=known,
        requests=sum(int(row.requests) for row in rows),
        refused=sum(int(row.refused) for row in rows),
        foreign=tuple(sorted(new, key=lambda one: (one[2], one[0]))),
    )


def exposed_json(one: Exposed) -> dict[str, Any]:
    """Return the JSON contract of an exposure: times as RFC 3339, and the sentence."""
    fields = msgspec.structs.asdict(one)
    del fields["use"]
    first = one.use.foreign[0][2] if one.use.foreign else None
    return fields | {
        "authors": list(one.authors),
        "exposed_at": rfc3339(one.exposed_at),
        "first_seen_at": rfc3339(one.first_seen_at),
        "ended_at": _time(one.ended_at),
        "requests": one.use.requests,
        "refused": one.use.refused,
        "owner_known": one.use.known,
        "foreign_requests": one.use.foreign_requests,
        "first_foreign_at": _time(first),
        "foreign_networks": [
            {"network": network, "requests": number, "first_at": rfc3339(at)}
            for network, number, at in one.use.foreign[:_MOST]
        ],
        "sentence": one.sentence(),
    }


def _used(use: Use, day: str) -> Iterator[str]:
    if not use.requests:
        yield "not used since"
        return
    if not use.known:
        yield f"{use.requests} requests, and nothing is known of its use before"
        return
    if not use.foreign:
        yield f"{use.requests} requests, all from networks it was used from before"
        return
    network, _, at = use.foreign[0]
    yield f"first foreign network {network} {_minute(at, day)}"
    many = len(use.foreign)
    others = ", ".join(name for name, _, _ in use.foreign[:_SHOWN]) + ", …" * (many > _SHOWN)
    what = f"{many} such networks ({others})" if many > 1 else "it"
    yield f"{use.foreign_requests} requests from {what}, {use.requests} in all"


def _findings(connection: Connection, key_id: str) -> Sequence[Row[Any]]:
    mine = select(findings).where(findings.c.key_id == key_id)
    newest = mine.order_by(findings.c.first_seen_at, findings.c.fingerprint)
    return connection.execute(newest.limit(_MOST)).all()


def _in_logs(connection: Connection, key_id: str) -> Sequence[Any]:
    mine = select(alerts.c.id, alerts.c.body, alerts.c.recorded_at).where(
        alerts.c.subject == key_id, alerts.c.kind == IN_LOG, alerts.c.feedback != "false"
    )
    return connection.execute(mine.order_by(alerts.c.recorded_at).limit(_MOST)).all()


def _of_finding(row: Row[Any], created_at: float) -> dict[str, Any]:
    body: Mapping[str, Any] = row.body
    places = body.get("places") or [body]
    dates = [at for one in places if (at := epoch_s(str(one.get("date", ""))))]
    # Dates of commits are what their authors say; a key cannot leak before it exists.
    told = min(dates, default=row.first_seen_at)
    authors = dict.fromkeys(str(one.get("author", "")) for one in places)
    line = f":{body['line']}" if body.get("line") else ""
    return {
        "found": row.fingerprint,
        "where": f"{body.get('path', '')}{line}{_asked_for(body)}",
        "repository": str(body.get("repository", "")),
        "exposure": str(body.get("exposure", "")),
        "authors": tuple(name for name in authors if name)[:_MOST],
        "places": int(body.get("count", len(places))),
        "exposed_at": min(max(told, created_at), row.first_seen_at),
        "first_seen_at": row.first_seen_at,
    }


def _asked_for(body: Mapping[str, Any]) -> str:
    """Name the pull request that alone holds the commit."""
    return f" ({body['ref']})" if body.get("ref") else ""


def _of_alert(row: Row[Any]) -> dict[str, Any]:
    at = epoch_s(str(row.body["events"][0])) or row.recorded_at
    return {
        "found": row.id,
        "where": str(row.body["summary"]),
        "repository": "",
        "exposure": "log",
        "authors": (),
        "places": int(row.body["events"][2]),
        "exposed_at": min(at, row.recorded_at),
        "first_seen_at": row.recorded_at,
    }


def _minute(at: float, day: str = "") -> str:
    """Return a time to the minute; without its date where that is `day`."""
    said = f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M}Z"
    return f"at {said[11:]}" if said[:10] == day else said


def _time(at: float | None) -> str | None:
    return None if at is None else rfc3339(at)
