"""Addresses into places: country, AS, sort of network, coordinates.

City, country and ASN databases of MaxMind are read through geoip2; flat ones (DB-IP Lite and
others that geoip2's typed readers refuse) through maxminddb. Without any file, the table of
countries of the package iptocc serves.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv6Address
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from detectors.hosting import Kind, kind_of
from detectors.prefixes import prefixes
from detectors.records import taken
from vocabulary.errors import ConfigError

if TYPE_CHECKING:
    import geoip2.database

# The libraries that read databases take long to import, and many have no database.
# ruff: noqa: PLC0415

CACHED = 1 << 18
"""Prefixes that are remembered; then the cache starts anew."""


PLACE = np.dtype(
    [
        ("prefix", "u4"),
        ("asn", "u4"),
        ("country", "u2"),
        ("kind", "u1"),
        ("lat", "f4"),
        ("lon", "f4"),
    ]
)
"""What is known of an address: its prefix (see `prefixes`), the AS's number (0 when unknown), the
country as `code_of` packs it, the sort of network, and coordinates in degrees (NaN when unknown).
"""


class Labels(NamedTuple):
    """What one database says of an address."""

    country: str = ""
    asn: int = 0
    operator: str = ""
    lat: float = float("nan")
    lon: float = float("nan")


Labeller = Callable[[str], Labels]
Countries = Callable[[Sequence[str]], list[str | None]]


@dataclass(frozen=True, slots=True)
class Edition:
    """A database that is believed from a moment of event time on."""

    since_ms: int
    labels: Labeller


class GeoReader:
    """Looks addresses up, in the edition of the databases that holds at the event's time.

    Args:
        city: city or country files, each `FILE` or `FILE@RFC3339` for one that takes over later.
        asn: ASN files, likewise.

    Raises:
        ConfigError: when a file cannot be read or is no such database.
    """

    def __init__(self, city: Sequence[str] = (), asn: Sequence[str] = ()) -> None:
        self._names = (tuple(city), tuple(asn))
        self._marks = self._marked()
        self.operators: dict[int, str] = {}
        self._open()
        self.missing = "" if self._asn else _WITHOUT_ASN

    def refresh(self) -> str:
        """Take up files that were replaced; return a sentence about it, or nothing.

        Replace a file by renaming another to its place. One that cannot be read changes nothing:
        the databases in use stay.
        """
        marks = self._marked()
        if marks == self._marks:
            return ""
        self._marks = marks
        try:
            self._open()
        except ConfigError as error:
            return f"{error}: the databases of places in use stay"
        return "the databases of places were replaced and are used from now on"

    def _marked(self) -> tuple[object, ...]:
        return tuple(_mark(_path_of(name)[0]) for names in self._names for name in names)

    def _open(self) -> None:
        city, asn = (
            sorted(map(_edition, names), key=lambda one: one.since_ms) for names in self._names
        )
        self._city, self._asn = city, asn
        self._countries: Countries | None = None
        if not self._city:
            self._countries = _builtin()
            self._city = [Edition(-(1 << 62), _one_of(self._countries))]
        self._turns = sorted({one.since_ms for one in (*self._city, *self._asn)})
        self._by_prefix: dict[int, tuple[object, ...]] = {}

    def places(
        self, addresses: Sequence[str], which: NDArray[Any], ts_ms: NDArray[Any]
    ) -> NDArray[np.void]:
        """Return a PLACE row for each event.

        Args:
            addresses: distinct addresses as text.
            which: shape (n,), points into `addresses`.
            ts_ms: shape (n,), epoch milliseconds of the events.
        """
        if self._countries and not self._asn:
            return taken(self._by_country(addresses, self._countries), which)
        edition = np.searchsorted(np.array(self._turns), ts_ms, side="right")
        pairs, back = np.unique(which.astype(np.int64) << 8 | edition, return_inverse=True)
        named = [addresses[i] for i in (pairs >> 8).tolist()]
        return taken(self._by_edition(named, pairs & 255), back)

    def _by_country(self, addresses: Sequence[str], countries: Countries) -> NDArray[np.void]:
        """Look up whole columns in the built-in table, which knows nothing but countries."""
        found, public = _blank(addresses)
        codes = countries([addresses[i] for i in public.tolist()])
        # Two letters are a big-endian number, as `code_of` has it.
        letters = np.array([code or "" for code in codes], "S2").view(">u2")
        found["country"][public] = letters
        return found

    def _by_edition(self, addresses: Sequence[str], edition: NDArray[Any]) -> NDArray[np.void]:
        found, public = _blank(addresses)
        if len(public):
            prefix = found["prefix"][public].astype(np.int64) << 8 | edition[public]
            records = [
                self._record(pair, addresses[i])
                for pair, i in zip(prefix.tolist(), public.tolist(), strict=True)
            ]
            found[public] = np.array(records, PLACE)
        return found

    def _record(self, pair: int, address: str) -> tuple[object, ...]:
        """Return the PLACE of a prefix in an edition of the databases."""
        record = self._by_prefix.get(pair)
        if record is None:
            if len(self._by_prefix) >= CACHED:
                self._by_prefix.clear()
            country, asn, operator, lat, lon = self._labels(_plain(address), pair & 255)
            kind = kind_of(asn, operator)
            record = (pair >> 8, asn, code_of(country), kind, lat, lon)
            self._by_prefix[pair] = record
        return record

    def _labels(self, address: str, edition: int) -> Labels:
        until = self._turns[min(edition, len(self._turns)) - 1] if edition else self._turns[0]
        city, asn = _at(self._city, until, address), _at(self._asn, until, address)
        operator = asn.operator or city.operator
        number = asn.asn or city.asn
        if number:
            self.operators[number] = operator
        return Labels(city.country or asn.country, number, operator, city.lat, city.lon)


def _plain(address: str) -> str:
    """Return the address as databases know it: without a zone, and as IPv4 where it is that."""
    plain = address.partition("%")[0]
    if ":" not in plain:
        return plain
    mapped = IPv6Address(plain).ipv4_mapped
    return str(mapped) if mapped else plain


_WITHOUT_ASN = (
    "no ASN database: networks are told apart by prefix and country only, so a stolen key used "
    "from another operator of the same country is noticed by its prefix alone (set geoip.asn)"
)


def code_of(country: str) -> int:
    """Pack an ISO 3166-1 alpha-2 code into 16 bits; 0 for none."""
    return int.from_bytes(country.encode("ascii", "ignore")[:2].ljust(2, b"\0"), "big")


def country_of(code: int) -> str:
    """Unpack what `code_of` packed."""
    return int(code).to_bytes(2, "big").rstrip(b"\0").decode("ascii", "replace")


def _at(editions: list[Edition], moment_ms: int, address: str) -> Labels:
    if len(editions) == 1:
        return editions[0].labels(address)
    last = bisect_right([one.since_ms for one in editions], moment_ms) - 1
    return editions[max(last, 0)].labels(address) if editions else Labels()


def _path_of(name: str) -> tuple[str, str]:
    """Divide FILE@RFC3339 into file and moment."""
    if Path(name).exists() or "@" not in name:
        return name, ""
    path, _, moment = name.rpartition("@")
    return path, moment


def _mark(path: str) -> tuple[int, int, int]:
    """Return what changes when a file is replaced; zeros where there is none."""
    try:
        found = Path(path).stat()
    except OSError:
        return 0, 0, 0
    return found.st_ino, found.st_size, found.st_mtime_ns


def _edition(name: str) -> Edition:
    path, moment = _path_of(name)
    try:
        since = int(datetime.fromisoformat(moment).timestamp() * 1000) if moment else -(1 << 62)
    except ValueError as error:
        raise ConfigError(
            f"{moment!r} is no moment", where=name, remedy="write it like 2026-10-20T00:00:00Z"
        ) from error
    return Edition(since, _labeller(path))


def _labeller(path: str) -> Labeller:
    import geoip2.database
    import maxminddb

    try:
        reader = geoip2.database.Reader(path)
        kind = reader.metadata().database_type
    except (OSError, maxminddb.InvalidDatabaseError) as error:
        raise ConfigError(
            "this GeoIP database cannot be read", where=path, remedy="name a .mmdb file"
        ) from error
    if "DBIP" in kind.replace("-", "").upper() or not any(
        word in kind for word in ("City", "Country", "Enterprise", "ASN", "ISP")
    ):
        reader.close()
        return _flat(path)
    return _typed(reader, kind)


def _typed(reader: "geoip2.database.Reader", kind: str) -> Labeller:
    from geoip2.errors import AddressNotFoundError

    def asn(address: str) -> Labels:
        found = (reader.asn if "ASN" in kind else reader.isp)(address)
        name = found.autonomous_system_organization or ""
        return Labels(asn=found.autonomous_system_number or 0, operator=name)

    def city(address: str) -> Labels:
        found = (reader.enterprise if "Enterprise" in kind else reader.city)(address)
        spot = found.location
        lat = float("nan") if spot.latitude is None else spot.latitude
        lon = float("nan") if spot.longitude is None else spot.longitude
        return Labels(found.country.iso_code or "", lat=lat, lon=lon)

    def country(address: str) -> Labels:
        return Labels(reader.country(address).country.iso_code or "")

    typed = asn if "ASN" in kind or "ISP" in kind else country if "Country" in kind else city

    def labels(address: str) -> Labels:
        try:
            return typed(address)
        except AddressNotFoundError:
            return Labels()

    return labels


def _flat(path: str) -> Labeller:
    import maxminddb

    reader = maxminddb.open_database(path)

    def labels(address: str) -> Labels:
        found = reader.get(address)
        if not isinstance(found, dict):
            return Labels()
        return Labels(
            _text(found, "country_code", "country", "iso_code"),
            _number(found, "autonomous_system_number", "asn", "as_number"),
            _text(found, "autonomous_system_organization", "as_organization", "as_name", "name"),
            _degrees(found, "latitude"),
            _degrees(found, "longitude"),
        )

    return labels


def _text(found: dict[str, Any], *names: str) -> str:
    for name in names:
        value = found.get(name)
        if isinstance(value, dict):
            value = value.get("iso_code")
        if isinstance(value, str) and value:
            return value
    return ""


def _number(found: dict[str, Any], *names: str) -> int:
    digits = next((str(found[name]) for name in names if name in found), "").upper()
    digits = digits.removeprefix("AS")
    return int(digits) if digits.isdigit() else 0


def _degrees(found: dict[str, Any], name: str) -> float:
    value = found.get(name, found.get("location", {}).get(name))
    try:
        return float(value)
    except (TypeError, ValueError):
        return float("nan")


def _blank(addresses: Sequence[str]) -> tuple[NDArray[np.void], NDArray[np.int64]]:
    """Return the places of addresses as far as their numbers tell, and which can be looked up."""
    prefix, private = prefixes(addresses)
    found = np.zeros(len(prefix), PLACE)
    found["prefix"], found["lat"], found["lon"] = prefix, np.nan, np.nan
    found["kind"] = np.where(private, Kind.PRIVATE, Kind.UNKNOWN)
    return found, np.flatnonzero((prefix != 0) & ~private)


def _builtin() -> Countries:
    from iptocc import country_code  # unpacks its table when it is imported

    return country_code


def _one_of(countries: Countries) -> Labeller:
    def labels(address: str) -> Labels:
        return Labels(countries([address])[0] or "")

    return labels
