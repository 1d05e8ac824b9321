"""What narrows a key: networks, endpoints, models, limits; checked when written, matched when used.

Everything here is a function of its arguments: the gateway compiles what it caches.
"""

import re
from collections.abc import Callable, Iterable, Sequence
from fnmatch import translate
from functools import cache
from importlib.resources import files
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from zoneinfo import available_timezones

from keystore.keys import Declared
from vocabulary.errors import UsageError

REQUIREMENTS = ("token", "certificate")
_METHODS = frozenset("GET HEAD POST PUT PATCH DELETE OPTIONS *".split())
_LIMIT = re.compile(r"[0-9]{1,9}/(?!0(?:s|min|h|d))[0-9]{0,5}(?:s|min|h|d)(?::[0-9]{1,9})?")
_SCOPE = re.compile(r"[\x21\x23-\x5b\x5d-\x7e]{1,200}")
_MOST = 1000
_MOST_PER_H = 1e12

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network


class Networks:
    """A set of CIDR blocks that answers for an address in one look-up for each prefix length.

    Args:
        blocks: such as `10.0.0.0/8` and `2001:db8::/32`; none holds every address.
    """

    __slots__ = ("_blocks",)

    def __init__(self, blocks: Sequence[str]) -> None:
        # (version, bits that do not count) → first addresses of the blocks, without those bits
        self._blocks: dict[tuple[int, int], set[int]] = {}
        for block in map(_block, blocks):
            tail = block.max_prefixlen - block.prefixlen
            first = int(block.network_address) >> tail
            self._blocks.setdefault((block.version, tail), set()).add(first)

    def __contains__(self, text: str) -> bool:
        """Whether the address is in a block; what is no address is in none."""
        if not self._blocks:
            return True
        address = _address(text)
        if address is None:
            return False
        version, number = address.version, int(address)
        return any(
            number >> tail in firsts for (of, tail), firsts in self._blocks.items() if of == version
        )


def zone(name: str) -> str:
    """Return the IANA name of a time zone as it is; empty where none is said.

    Raises:
        UsageError: when there is no such zone.
    """
    if name and name not in _zones():
        raise UsageError(f"there is no time zone {name!r}", remedy="such as Europe/Paris")
    return name


@cache
def _zones() -> set[str]:
    """Return the names of all time zones; they are read from the disk."""
    return available_timezones()


def networks(blocks: Iterable[str]) -> tuple[str, ...]:
    """Return the blocks as they are written down, each once.

    Raises:
        UsageError: when one is no CIDR block, or has bits beyond its prefix.
    """
    return _few({str(_block(text)): None for text in blocks}, "networks")


def endpoints(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return patterns such as `GET /v1/*` as they are written down: a method, or *, and a path.

    Raises:
        UsageError: when one is written otherwise.
    """
    return _few({_endpoint(pattern): None for pattern in patterns}, "endpoints")


def models(patterns: Iterable[str]) -> tuple[str, ...]:
    """Return patterns of AI models such as `gpt-4o-*`.

    Raises:
        UsageError: when one is empty or has a blank in it.
    """
    found = {pattern.strip(): None for pattern in patterns}
    for pattern in found:
        if not pattern or not pattern.isprintable() or " " in pattern:
            raise UsageError(f"{pattern!r} is no model", remedy="write it like gpt-4o-*")
    return _few(found, "models")


def scopes(names: Iterable[str]) -> tuple[str, ...]:
    """Return scopes (RFC 6749, 3.3), each once.

    Raises:
        UsageError: when one has a blank, a quote or something that is not ASCII in it.
    """
    found = {name.strip(): None for name in names}
    for name in found:
        if not _SCOPE.fullmatch(name):
            raise UsageError(f"{name!r} is no scope", remedy="write it like orders:read")
    return _few(found, "scopes")


def limits(texts: Iterable[str]) -> tuple[str, ...]:
    """Return limits such as `600/min:50` (50 at once), without blanks.

    Raises:
        UsageError: when one is written otherwise.
    """
    found = {text.replace(" ", ""): None for text in texts}
    for text in found:
        if not _LIMIT.fullmatch(text):
            raise UsageError(f"{text!r} is no limit", remedy="write it like 600/min or 20/s:5")
    return _few(found, "limits")


def requirements(names: Iterable[str]) -> tuple[str, ...]:
    """Return what must come with a key.

    Raises:
        UsageError: when it is neither a token nor a certificate.
    """
    found = tuple(dict.fromkeys(names))
    for name in found:
        if name not in REQUIREMENTS:
            raise UsageError(f"no key can require {name!r}", remedy="token or certificate")
    return found


def declared(said: Declared) -> Declared:
    """Return a declared profile as it is written down: each entry once, in order.

    Raises:
        UsageError: when an hour, a day, a country or the rate cannot be.
    """
    countries = tuple(sorted({country.strip().upper() for country in said.countries}))
    for country in countries:
        if country not in _known_countries():
            raise UsageError(f"{country!r} is no country", remedy="two letters, such as FR")
    if not set(said.hours) <= set(range(24)):
        raise UsageError("an hour of the day is 0 to 23")
    if not set(said.days) <= set(range(7)):
        raise UsageError("a day of the week is 0 (Monday) to 6")
    if not 0 <= said.rate_per_h <= _MOST_PER_H:
        raise UsageError(f"a rate cannot be {said.rate_per_h:g} requests an hour")
    hours, days = tuple(sorted(set(said.hours))), tuple(sorted(set(said.days)))
    return Declared(countries, hours, days, float(said.rate_per_h))


@cache
def _known_countries() -> frozenset[str]:
    """Return the codes of ISO 3166-1, from tzdata, and the one that GeoIP databases give Kosovo."""
    table = files("tzdata.zoneinfo").joinpath("iso3166.tab").read_text("utf-8")
    return frozenset({line[:2] for line in table.splitlines() if line[:1] != "#"} | {"XK"})


def endpoint_matcher(patterns: Sequence[str]) -> Callable[[str, str], bool]:
    """Return whether a method and a path (without its query) may be called.

    `*` stands for anything, slashes too; matching is case-sensitive.
    """
    if not patterns:
        return lambda _method, _path: True
    compiled = [
        (method, re.compile(translate(path)))
        for method, _, path in (each.partition(" ") for each in patterns)
    ]

    def allows(method: str, path: str) -> bool:
        return any(of in ("*", method) and path_of.match(path) for of, path_of in compiled)

    return allows


def model_matcher(patterns: Sequence[str]) -> Callable[[str], bool]:
    """Return whether an AI model may be asked; `*` stands for anything."""
    if not patterns:
        return lambda _model: True
    either = re.compile("|".join(f"(?:{translate(pattern)})" for pattern in patterns))
    return lambda model: either.match(model) is not None


def _block(text: str) -> Network:
    try:
        return _plain(ip_network(text.strip()))
    except ValueError:
        raise UsageError(
            f"{text!r} is no network", remedy="write it like 203.0.113.0/24 or 2001:db8::/32"
        ) from None


def _plain(block: Network) -> Network:
    """Return an IPv4 block that is written as IPv6 (::ffff:0:0/96) as what it is."""
    mapped = block.network_address.ipv4_mapped if isinstance(block, IPv6Network) else None
    width = block.prefixlen - 96
    return IPv4Network((int(mapped), width)) if mapped is not None and width >= 0 else block


def _address(text: str) -> Address | None:
    try:
        address = ip_address(text)
    except ValueError:
        return None
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _endpoint(pattern: str) -> str:
    method, _, path = " ".join(pattern.split()).partition(" ")
    if method.startswith("/"):
        method, path = "*", method if not path else ""
    if method.upper() not in _METHODS or not path.startswith("/") or " " in path:
        raise UsageError(f"{pattern!r} is no endpoint", remedy="write it like GET /v1/*")
    return f"{method.upper()} {path}"


def _few(found: Iterable[str], what: str) -> tuple[str, ...]:
    kept = tuple(found)
    if len(kept) > _MOST:
        raise UsageError(f"a key can have {_MOST} {what}, not {len(kept)}")
    return kept
