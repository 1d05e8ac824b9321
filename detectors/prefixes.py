"""Addresses as numbers: the prefix that each belongs to, whole columns at a time."""

from collections.abc import Sequence
from ipaddress import IPv4Address, ip_address
from itertools import repeat
from socket import AF_INET, inet_pton
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from vocabulary.access import Flags

Prefixes = NDArray[np.uint32]

_NOT_ROUTED = (
    (24, 0), (24, 10), (24, 127), (20, 0xAC1), (16, 0xC0A8), (22, 0x191), (16, 0xA9FE), (29, 7),
    (8, 0xC00000), (8, 0xC00002), (17, 0x6309), (8, 0xC63364), (8, 0xCB0071),
)  # fmt: skip
"""0/8, 10/8, 127/8, 172.16/12, 192.168/16, 100.64/10, 169.254/16, all from 224/3 on, 192.0.0/24,
198.18/15, and 192.0.2/24, 198.51.100/24, 203.0.113/24 of manuals (IANA IPv4 Special-Purpose
Address Registry), as (shift, number)."""


def prefixes(addresses: Sequence[str]) -> tuple[Prefixes, Flags]:
    """Return the number of each address's prefix, and whether the address is private.

    The number of the /24 for IPv4, of the /48 with the highest bit set for IPv6, and 0 for what
    is no address.
    """
    try:
        packed = b"".join(map(inet_pton, repeat(AF_INET), addresses))
    except (OSError, ValueError, UnicodeEncodeError):
        return _mixed(addresses)
    number = np.frombuffer(packed, ">u4").astype(np.uint32)
    return number >> np.uint32(8), _not_routed(number)


def prefix_of(address: str) -> tuple[int, bool]:
    """Return the number of the address's prefix (0 for no address), and whether it is private."""
    number, private = prefixes([address])
    return int(number[0]), bool(private[0])


def prefix_text(prefix: int) -> str:
    """Return a prefix for a person."""
    if prefix >> 31:
        return "an IPv6 /48"
    return f"{prefix >> 16 & 255}.{prefix >> 8 & 255}.{prefix & 255}.0/24"


def _not_routed(number: Prefixes) -> Flags:
    private = np.zeros(len(number), np.bool_)
    for shift, block in _NOT_ROUTED:
        private |= number >> np.uint32(shift) == block
    return private


def _mixed(addresses: Sequence[str]) -> tuple[Prefixes, Flags]:
    """Do the same where some are no plain IPv4 addresses; those are looked at one by one."""
    packed = [_packed(address) for address in addresses]
    number = np.frombuffer(b"".join(packed), ">u4").astype(np.uint32)
    prefix, private = number >> np.uint32(8), _not_routed(number)
    for i, some in enumerate(packed):
        if some is _OTHER:
            prefix[i], private[i] = _parsed(addresses[i])
    return prefix, private


_OTHER = b"\0\0\0\0"


def _packed(address: str) -> bytes:
    try:
        return inet_pton(AF_INET, address)
    except (OSError, ValueError, UnicodeEncodeError):
        return _OTHER


def _parsed(address: str) -> tuple[int, bool]:
    try:
        parsed = ip_address(address.partition("%")[0])
    except ValueError:
        return 0, False
    if isinstance(parsed, IPv4Address):
        return int(parsed) >> 8, not parsed.is_global
    if parsed.ipv4_mapped:
        return prefix_of(str(parsed.ipv4_mapped))
    return crc32(parsed.packed[:6]) | 1 << 31, not parsed.is_global
