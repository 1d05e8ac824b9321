"""Under what an address is counted."""

from ipaddress import IPv6Address

_HOST_BITS = 64


def sender(address: str) -> str:
    """Return what stands for who sends: an IPv4 address, of IPv6 the /64, all of it one host's.

    A host chooses its address within it, and changes it when it likes (RFC 6177, RFC 8981).
    """
    if ":" not in address:
        return address
    try:
        network = int(IPv6Address(address)) >> _HOST_BITS << _HOST_BITS
    except ValueError:
        return address
    return f"{IPv6Address(network)}/64"
