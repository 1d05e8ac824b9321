"""Addresses into places: country, AS, sort of network, coordinates.

City, country and ASN databases of MaxMind are read through geoip2; flat ones (DB-IP Lite and
others that geoip2's typed readers refuse) through maxminddb. Without any file, the table of
countries of the package iptocc serves.
"""

from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from ipaddress import IPv4Address, ip_address
from pathlib import Path
from socket import AF_INET, inet_pton
from typing import Any, NamedTuple
from zlib import crc32

import geoip2.database
import geoip2.errors
import maxminddb
import numpy as np
from numpy.typing import NDArray

from detectors.hosting import Kind, kind_of
from vocabulary.errors import ConfigError

CACHED = 1 << 18
"""Addresses and prefixes that are remembered; then the cache starts anew."""


class Place(NamedTuple):
    """What is known of an address.

    Attributes:
        prefix: number of its /24 (IPv4), or of its /48 with the highest bit set (IPv6).
        country: ISO 3166-1 alpha-2, or empty.
        asn: 0 when unknown.
        operator: name of the AS's operator.
        lat, lon: degrees; NaN when unknown.
    """

    prefix: int = 0
    country: str = ""
    asn: int = 0
    operator: str = ""
    kind: int = Kind.UNKNOWN
    lat: float = float("nan")
    lon: float = float("nan")


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


class Labels(NamedTuple):
    """What one database says of an address."""

    country: str = ""
    asn: int = 0
    operator: str = ""
    lat: float = float("nan")
    lon: float = float("nan")


Labeller = Callable[[str], Labels]


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
        self._city = sorted((_edition(name) for name in city), key=lambda one: one.since_ms)
        self._asn = sorted((_edition(name) for name in asn), key=lambda one: one.since_ms)
        if not self._city:
            self._city = [Edition(-(1 << 62), _builtin())]
        self._turns = sorted({one.since_ms for one in (*self._city, *self._asn)})
        self._by_address: dict[tuple[str, int], tuple[object, ...]] = {}
        self._by_prefix: dict[tuple[int, int], Labels] = {}
        self.operators: dict[int, str] = {}
        self.missing = "" if self._asn else _WITHOUT_ASN

    def places(
        self, addresses: Sequence[str], which: NDArray[Any], ts_ms: NDArray[Any]
    ) -> NDArray[np.void]:
        """Return a PLACE row for each event.

        Args:
            addresses: distinct addresses as text.
            which: shape (n,), points into `addresses`.
            ts_ms: shape (n,), epoch milliseconds of the events.
        """
        edition = np.searchsorted(np.array(self._turns), ts_ms, side="right")
        pairs, back = np.unique(which.astype(np.int64) << 8 | edition, return_inverse=True)
        found = [self._record(addresses[pair >> 8], pair & 255) for pair in pairs.tolist()]
        return np.array(found, PLACE)[back]

    def _record(self, address: str, edition: int) -> tuple[object, ...]:
        record = self._by_address.get((address, edition))
        if record is None:
            if len(self._by_address) >= CACHED:
                self._by_address.clear()
            place = self.place(address, edition)
            record = (place.prefix, place.asn, code_of(place.country), place.kind, *place[5:])
            self._by_address[address, edition] = record
        return record

    def place(self, address: str, edition: int = 255) -> Place:
        """Return what is known of an address in the `edition`-th state of the databases."""
        prefix, private = prefix_of(address)
        if private or not prefix:
            return Place(prefix, kind=Kind.PRIVATE if private else Kind.UNKNOWN)
        labels = self._by_prefix.get((prefix, edition))
        if labels is None:
            if len(self._by_prefix) >= CACHED:
                self._by_prefix.clear()
            labels = self._by_prefix[prefix, edition] = self._labels(address, edition)
        country, asn, operator, lat, lon = labels
        return Place(prefix, country, asn, operator, kind_of(asn, operator), lat, lon)

    def _labels(self, address: str, edition: int) -> Labels:
        until = self._turns[min(edition, len(self._turns)) - 1] if edition else self._turns[0]
        city, asn = _at(self._city, until, address), _at(self._asn, until, address)
        operator = asn.operator or city.operator
        number = asn.asn or city.asn
        if number:
            self.operators[number] = operator
        return Labels(city.country or asn.country, number, operator, city.lat, city.lon)


_WITHOUT_ASN = (
    "no ASN database: networks are told apart by prefix and country only, so a stolen key used "
    "from another operator of the same country is noticed by its prefix alone"
)


_NOT_ROUTED = (
    (24, 0), (24, 10), (24, 127), (20, 0xAC1), (16, 0xC0A8), (22, 0x191), (16, 0xA9FE), (29, 7),
)  # fmt: skip
"""0/8, 10/8, 127/8, 172.16/12, 192.168/16, 100.64/10, 169.254/16, and all from 224/3 on
(IANA IPv4 Special-Purpose Address Registry), as (shift, number)."""


_SUSPECT = frozenset({0, 10, 100, 127, 169, 172, 192, *range(224, 256)})
"""First octets of those blocks."""


def code_of(country: str) -> int:
    """Pack an ISO 3166-1 alpha-2 code into 16 bits; 0 for none."""
    return int.from_bytes(country.encode("ascii", "ignore")[:2].ljust(2, b"\0"), "big")


def country_of(code: int) -> str:
    """Unpack what `code_of` packed."""
    return int(code).to_bytes(2, "big").rstrip(b"\0").decode("ascii", "replace")


def prefix_of(address: str) -> tuple[int, bool]:
    """Return the number of the address's prefix (0 for no address), and whether it is private."""
    try:
        number = int.from_bytes(inet_pton(AF_INET, address), "big")
    except (OSError, ValueError, UnicodeEncodeError):
        return _prefix_of_any(address)
    # The blocks that IANA never routes, without the cost of an ipaddress object.
    return number >> 8, number >> 24 in _SUSPECT and _is_not_routed(number)


def _is_not_routed(number: int) -> bool:
    return any(number >> shift == block for shift, block in _NOT_ROUTED)


def _prefix_of_any(address: str) -> tuple[int, bool]:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return 0, False
    if isinstance(parsed, IPv4Address):
        return int(parsed) >> 8, not parsed.is_global
    if parsed.ipv4_mapped:
        return prefix_of(str(parsed.ipv4_mapped))
    return crc32(parsed.packed[:6]) | 1 << 31, not parsed.is_global


def prefix_text(prefix: int) -> str:
    """Return a prefix for a person."""
    if prefix >> 31:
        return "an IPv6 /48"
    return f"{prefix >> 16 & 255}.{prefix >> 8 & 255}.{prefix & 255}.0/24"


def _at(editions: list[Edition], moment_ms: int, address: str) -> Labels:
    if len(editions) == 1:
        return editions[0].labels(address)
    last = bisect_right([one.since_ms for one in editions], moment_ms) - 1
    return editions[max(last, 0)].labels(address) if editions else Labels()


def _edition(name: str) -> Edition:
    path, moment = name, ""
    if not Path(name).exists() and "@" in name:
        path, _, moment = name.rpartition("@")
    try:
        since = int(datetime.fromisoformat(moment).timestamp() * 1000) if moment else -(1 << 62)
    except ValueError as error:
        raise ConfigError(
            f"{moment!r} is no moment", where=name, remedy="write it like 2026-10-20T00:00:00Z"
        ) from error
    return Edition(since, _labeller(path))


def _labeller(path: str) -> Labeller:
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


def _typed(reader: geoip2.database.Reader, kind: str) -> Labeller:
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
        except geoip2.errors.AddressNotFoundError:
            return Labels()

    return labels


def _flat(path: str) -> Labeller:
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


def _builtin() -> Labeller:
    from iptocc import country_code  # noqa: PLC0415  (unpacks its table when it is imported)

    def labels(address: str) -> Labels:
        return Labels(country_code(address) or "")

    return labels
