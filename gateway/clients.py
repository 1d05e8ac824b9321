"""Who sent a request: the peer's address, or what a trusted proxy says it was."""

from collections.abc import Callable, Iterable
from functools import lru_cache
from ipaddress import ip_address, ip_network

from keystore.narrow import Networks
from vocabulary.errors import ConfigError

Trust = Callable[[str], bool]


def trust_in(networks: Iterable[str]) -> Trust:
    """Return the test whether an address is that of a trusted proxy.

    Args:
        networks: CIDR, v4 or v6.

    Raises:
        ConfigError: for what is no network.
    """
    try:
        trusted = tuple(ip_network(network) for network in networks)
    except ValueError as error:
        raise ConfigError(str(error), where="gateway.trusted_proxies") from None

    @lru_cache(maxsize=1024)
    def is_trusted(address: str) -> bool:
        try:
            ip = ip_address(address)
        except ValueError:
            return False
        return any(ip in network for network in trusted)

    return is_trusted if trusted else lambda _: False


def client_of(peer: str, forwarded: bytes, is_trusted: Trust) -> str:
    """Return the client's address.

    X-Forwarded-For grows to the right: each proxy adds who spoke to it. Read from the right, the
    first address that is no trusted proxy's is the client; what stands left of it may be invented.

    Args:
        peer: who opened the connection, empty when unknown.
        forwarded: the values of X-Forwarded-For in order, joined by commas.
        is_trusted: see `trust_in`.
    """
    client = peer
    if not forwarded:
        return client
    for hop in reversed(forwarded.split(b",")):
        if not is_trusted(client):
            break
        address = _address(hop)
        if address is None:
            break
        client = address
    return client


@lru_cache(maxsize=4096)
def _address(hop: bytes) -> str | None:
    try:
        return str(ip_address(hop.strip().decode("ascii")))
    except ValueError:
        return None


@lru_cache(maxsize=4096)
def is_within(address: str, blocks: tuple[str, ...]) -> bool:
    """Whether an address lies in one of the CIDR blocks; what is no address lies in none."""
    return address in _networks(blocks)


@lru_cache(maxsize=1024)
def _networks(blocks: tuple[str, ...]) -> Networks:
    return Networks(blocks)
