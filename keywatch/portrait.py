"""`keywatch keys profile`: a key's profile read from the database, as text and as a page."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from hashlib import sha256
from html import escape
from typing import Any

import numpy as np
from sqlalchemy import Engine

from database.transaction import reading
from detectors import endpoints
from detectors.beside import settled
from detectors.geoip import GeoReader
from detectors.portrait import portrait
from detectors.prefixes import prefix_text
from detectors.profile import Rows
from detectors.seeds import SEED, grown
from detectors.store import ProfileStore
from detectors.watcher import WatchSettings
from vocabulary.errors import KeyNotFoundError

_SHADES = " ·░▒▓█"
_BARS = " ▁▂▃▄▅▆▇█"
_SHOWN = 8
_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;max-width:60rem;margin:2rem auto;padding:0 1rem;
color:#1d2430;background:#fff}
table{border-collapse:collapse;margin:.5rem 0 1.5rem}
th{font-weight:500;text-align:left;padding:.1rem .6rem .1rem 0;color:#5b6472}
td{padding:.1rem .6rem .1rem 0}
.map td{width:1.5rem;height:1.2rem;padding:0;border:1px solid #fff}
.s0{background:#f1f3f6}.s1{background:#d5e3f5}.s2{background:#a6c6ec}.s3{background:#6fa1dd}
.s4{background:#3b78c4}.s5{background:#164f96}
@media(prefers-color-scheme:dark){
body{color:#e4e8ee;background:#14181f}.map td{border-color:#14181f}
.s0{background:#222833}th{color:#9aa4b2}}
"""


def read(engine: Engine, key: str, geo: GeoReader) -> dict[str, Any]:
    """Return what is known of a key.

    Args:
        engine: the database; it is only read.
        key: its id.
        geo: names the networks.

    Raises:
        KeyNotFoundError: when the pipeline has never seen it.
    """
    store = ProfileStore(engine)
    store.open()
    kept = store.load([key]).get(key)
    if kept is None:
        said = store.told[0] if store.told else f"nothing was ever seen of {key}"
        raise KeyNotFoundError(said, remedy="see `keywatch keys list` for the ids of keys")
    settings = WatchSettings()
    rows = grown(kept, settings) if kept.dtype == SEED else settled(kept, settings)
    _name_networks(rows, geo)
    need = (settings.learning_days, settings.learning_events, settings.learning_active_days)
    with reading(engine) as connection:
        names = endpoints.load(connection, endpoints.called(rows))
    return {"key": key, **portrait(rows, geo.operators, need, names)}


def called(engine: Engine, key: str) -> tuple[str, ...]:
    """Return the endpoints that a key calls, by name, what it called on most days first."""
    store = ProfileStore(engine)
    store.open()
    kept = store.load([key]).get(key)
    if kept is None:
        return ()
    settings = WatchSettings()
    rows = grown(kept, settings) if kept.dtype == SEED else settled(kept, settings)
    with reading(engine) as connection:
        return endpoints.Names(endpoints.load(connection, endpoints.called(rows))).of(rows)


def _name_networks(rows: Rows, geo: GeoReader) -> None:
    """Look the known prefixes up, so that the names of their operators are known."""
    known = [int(n) for n in rows["prefix"][0] if n and not int(n) >> 31]
    addresses = [prefix_text(n).replace(".0/24", ".1") for n in known]
    which = np.arange(len(known), dtype=np.int32)
    newest = np.full(len(known), rows["clock"][0], np.int64)
    if known:
        geo.places(addresses, which, newest)


def text(told: dict[str, Any]) -> Iterator[str]:
    """Yield the lines of the profile for a terminal."""
    seen, maturity, hours, rate = (told[name] for name in ("seen", "maturity", "hours", "rate"))
    yield f"{told['key']}: {seen['events']} requests on {seen['days'] + 1} days"
    yield f"  from {seen['first']} to {seen['last']}"
    yield f"  {_learning(maturity)}"
    if told["tolerance"]:
        yield f"  false alarms: it takes {told['tolerance']:.2f} more to alert about it"
    yield ""
    yield f"hours of its week, on its owner's clock: {hours['usual']}"
    yield "      " + "".join(f"{hour:<6}" for hour in range(0, 24, 3))
    for day, shares in hours["week"].items():
        yield f"  {day} " + "".join(_SHADES[shade(share)] * 2 for share in shares)
    yield ""
    yield f"requests an hour ({rate['per_day']:g} a day)"
    most = max(max(values) for values in rate["per_hour"].values())
    for kind, values in rate["per_hour"].items():
        bars = "".join(_BARS[round(8 * value / most) if most else 0] * 2 for value in values)
        yield f"  {kind:<8}{bars}  at most {max(values):g}"
    busiest = ", ".join(f"{n:g} in {window}" for window, n in rate["busiest"].items() if n)
    yield f"  busiest: {busiest or 'not known before the first day has passed'}"
    for title, rows in tables(told):
        yield ""
        yield title
        yield from (f"  {'  '.join(row)}" for row in rows[:_SHOWN])
        if len(rows) > _SHOWN:
            yield f"  and {len(rows) - _SHOWN} more"


def tables(told: dict[str, Any]) -> Iterator[tuple[str, list[tuple[str, str]]]]:
    """Yield what a key is known by: a title, and rows of words."""
    for title, names, name in (
        ("networks", "networks", "network"),
        ("countries", "countries", "country"),
        ("prefixes", "prefixes", "prefix"),
    ):
        rows = [(str(one[name]), _days(one)) for one in told[names]]
        if rows:
            yield title, rows
    kinds = [
        (
            name,
            f"{told[name]['known']} known, {told[name]['trusted']} of them on three days or more",
        )
        for name in ("clients", "endpoints")
    ]
    yield "clients and endpoints", kinds
    if told["sessions"]:
        yield "an hour of use has", [(name, said) for name, said in told["sessions"].items()]


def page(told: dict[str, Any]) -> Iterator[str]:
    """Yield the profile as one HTML page that loads nothing and runs nothing."""
    digest = b64encode(sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"
    yield '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
    yield f"<title>keywatch: {escape(told['key'])}</title>\n<style>{_STYLE}</style>\n</head>\n"
    yield f"<body>\n<h1>{escape(told['key'])}</h1>\n"
    seen = told["seen"]
    yield f"<p>{seen['events']} requests from {seen['first']} to {seen['last']}.<br>"
    yield f"{escape(_learning(told['maturity']))}</p>\n"
    yield f"<h2>Hours of its week: {escape(told['hours']['usual'])}</h2>\n"
    yield from _map(told["hours"]["week"], 1.0)
    yield f"<h2>Requests an hour, {told['rate']['per_day']:g} a day</h2>\n"
    per_hour = told["rate"]["per_hour"]
    yield from _map(per_hour, max(max(values) for values in per_hour.values()))
    for title, rows in [*tables(told), ("busiest", _busiest(told))]:
        yield f"<h2>{escape(title.capitalize())}</h2>\n<table>"
        yield from (
            "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in row) + "</tr>\n" for row in rows
        )
        yield "</table>\n"
    yield "</body>\n</html>\n"


def _map(rows: dict[str, Sequence[float]], most: float) -> Iterator[str]:
    yield '<table class="map"><tr><th></th>'
    yield "".join(f"<th>{hour}</th>" for hour in range(24)) + "</tr>\n"
    for name, values in rows.items():
        cells = "".join(
            f'<td class="s{shade(v / most if most else 0)}" title="{v:g}"></td>' for v in values
        )
        yield f"<tr><th>{escape(name)}</th>{cells}</tr>\n"
    yield "</table>\n"


def shade(share: float) -> int:
    """Return the shade of a share from 0 to 1: nothing at all has a shade of its own."""
    return 0 if share <= 0 else min(1 + int(share * 5), 5)


def _busiest(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(window, f"{n:g} requests") for window, n in told["rate"]["busiest"].items()]


def _days(one: dict[str, Any]) -> str:
    young = "" if one["trusted"] else ", not yet trusted"
    return f"{one['days']} {'day' if one['days'] == 1 else 'days'}, last on {one['last']}{young}"


def _learning(maturity: dict[str, Any]) -> str:
    if maturity["known"]:
        return "known well enough"
    has, needs = maturity["has"], maturity["needs"]
    parts = ", ".join(f"{has[n]} of {needs[n]} {n.replace('_', ' ')}" for n in needs)
    return f"still learning, {maturity['progress']:.0%}: {parts}"
