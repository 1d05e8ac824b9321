"""A map of the world as dots: one for each place that the time zone database knows.

The dots come from `zone.tab` of tzdata (public domain), which is installed anyway. It shows
countries alone, because that is all a profile knows: a dot says which, not where in it.
"""

import re
from collections.abc import Iterator, Sequence
from functools import cache
from importlib.resources import files
from itertools import starmap
from math import sqrt
from typing import Any, NamedTuple

from markupsafe import Markup, escape

from keywatch.console.charts import figure, legend

_WIDTH, _HEIGHT = 720, 330
_NORTH, _SOUTH = 80.0, -58.0
_PLACE = re.compile(r"([+-])(\d{2})(\d{2})(?:\d{2})?([+-])(\d{3})(\d{2})(?:\d{2})?")
_LEAST, _MOST = 6.0, 13.0
_KNOWN_DAYS = 30.0
"""Days of use from which on a country's circle is as large as it gets."""


class Dot(NamedTuple):
    """A place, in degrees."""

    country: str
    latitude: float
    longitude: float


@cache
def dots() -> tuple[Dot, ...]:
    """Return the places of zone.tab; of a country the most populous one first."""
    table = files("tzdata.zoneinfo").joinpath("zone.tab").read_text("utf-8")
    rows = (line.split("\t") for line in table.splitlines() if line[:1] not in ("", "#"))
    return tuple(starmap(_dot, ((row[0], row[1]) for row in rows)))


@cache
def names() -> dict[str, str]:
    """Return country code → name, from iso3166.tab."""
    table = files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text("utf-8")
    rows = (line.split("\t") for line in table.splitlines() if line[:1] not in ("", "#"))
    return {code: name for code, name in rows}  # noqa: C416  (a row has two cells, or it is wrong)


def world(countries: Sequence[dict[str, Any]]) -> Markup:
    """Draw where a key is used from.

    Args:
        countries: of its profile: `country` (ISO 3166), `days` of use, `trusted`.
    """
    places = {dot.country: dot for dot in reversed(dots())}
    known = [one for one in countries if one["country"] in places]
    if not known:
        return Markup("")
    parts = [*_ground(), *(_mark(one, places[one["country"]]) for one in known)]
    said = ", ".join(names().get(one["country"], one["country"]) for one in known)
    words = [("bar", "known country"), ("bad", "not yet trusted")]
    return figure(f"Countries on a map: {said}", _HEIGHT, parts, whole=True) + legend(words)


def _ground() -> Iterator[str]:
    """Yield the equator, and a small dot a place."""
    _, equator = _at(0.0, 0.0)
    yield f'<line class="axis" x1="0" x2="{_WIDTH}" y1="{equator:.1f}" y2="{equator:.1f}"/>'
    for dot in dots():
        x, y = _at(dot.latitude, dot.longitude)
        if 0 <= y <= _HEIGHT:
            yield f'<circle class="land" cx="{x:.1f}" cy="{y:.1f}" r="2.6"/>'


def _mark(one: dict[str, Any], dot: Dot) -> str:
    x, y = _at(dot.latitude, dot.longitude)
    size = _LEAST + (_MOST - _LEAST) * sqrt(min(one["days"] / _KNOWN_DAYS, 1.0))
    kind = "bar" if one["trusted"] else "bad"
    name = names().get(one["country"], one["country"])
    end = ' text-anchor="end"' if x > _WIDTH - 60 else ""
    beside = x - size - 4 if end else x + size + 4
    return (
        f"<g><title>{escape(name)}: {one['days']} days, last on {escape(one['last'])}</title>"
        f'<circle class="{kind}" cx="{x:.1f}" cy="{y:.1f}" r="{size:.1f}"/>'
        f'<text class="strong" x="{beside:.1f}" y="{y + 4:.1f}"{end}>'
        f"{escape(one['country'])}</text></g>"
    )


def _at(latitude: float, longitude: float) -> tuple[float, float]:
    """Return where a place is drawn: equirectangular, north up."""
    return (longitude + 180) / 360 * _WIDTH, (_NORTH - latitude) / (_NORTH - _SOUTH) * _HEIGHT


def _dot(country: str, coordinates: str) -> Dot:
    """Read ISO 6709: degrees and minutes, perhaps seconds, which do not matter here."""
    found = _PLACE.fullmatch(coordinates)
    assert found is not None, coordinates
    south, north_d, north_m, west, east_d, east_m = found.groups()
    latitude = (int(north_d) + int(north_m) / 60) * (-1 if south == "-" else 1)
    longitude = (int(east_d) + int(east_m) / 60) * (-1 if west == "-" else 1)
    return Dot(country, latitude, longitude)
