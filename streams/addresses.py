"""The client's address: its canonical form, and whose word on it is believed."""

from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from socket import AF_INET, inet_pton

from vocabulary.errors import ConfigError

_LONGEST = 128
"""Characters of an IPv6 address with zone, brackets and port, and room to spare."""

_MOST_HOPS = 64

Address = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Proxies:
    """The networks of our own proxies; the address that anybody else forwards is not believed."""

    networks: tuple[IPv4Network | IPv6Network, ...] = ()

    @classmethod
    def of(cls, networks: Iterable[str]) -> "Proxies":
        """Read networks such as `10.0.0.0/8` or single addresses.

        Raises:
            ConfigError: when one is neither.
        """
        return cls(tuple(_network(text) for text in networks))

    def __bool__(self) -> bool:
        """Whether there are any."""
        return bool(self.networks)

    def __contains__(self, address: Address) -> bool:
        """Whether the address is one of a proxy."""
        return any(address in network for network in self.networks)


NO_PROXIES = Proxies()


def address(text: str) -> str:
    """Return the address in its canonical form, without zone and port; "" when it is none.

    IPv4 addresses mapped into IPv6 (RFC 4291, 2.5.5.2) are given as IPv4.
    """
    try:
        # Four plain numbers are what nearly every log holds, and canonical as they are.
        inet_pton(AF_INET, text)
    except (OSError, ValueError):
        found = _parsed(text)
        return "" if found is None else str(found)
    return text


def client(peer: str, forwarded: str, proxies: Proxies) -> str:
    """Return the client's address behind our proxies.

    The addresses of X-Forwarded-For are gone through from the last, which the nearest proxy
    added, for as long as the one that told them is a proxy of ours.

    Args:
        peer: who connected.
        forwarded: the header's value, `client, proxy, proxy`.
        proxies: ours.
    """
    nearest = _parsed(peer)
    if nearest is None:
        return ""
    hops = [] if forwarded in {"", "-"} else forwarded.rsplit(",", _MOST_HOPS)
    for hop in reversed(hops):
        told = _parsed(hop.strip())
        if nearest not in proxies or told is None:
            break
        nearest = told
    return str(nearest)


def _parsed(text: str) -> Address | None:
    if len(text) > _LONGEST:
        return None
    try:
        found = ip_address(_bare(text))
    except ValueError:
        return None
    return (isinstance(found, IPv6Address) and found.ipv4_mapped) or found


def _bare(text: str) -> str:
    if text.startswith("["):  # [2001:db8::1%eth0]:443
        text = text[1:].partition("]")[0]
    elif text.count(":") == 1:  # 192.0.2.1:443
        text = text.partition(":")[0]
    return text.partition("%")[0]


def _network(text: str) -> IPv4Network | IPv6Network:
    try:
        return ip_network(text.strip(), strict=False)
    except ValueError as error:
        raise ConfigError(
            "no network", where=f"proxies: {text[:64]!r}", remedy="write it like 10.0.0.0/8"
        ) from error
