"""Under what an address is counted."""

from ipaddress import IPv6Address

_HOST_BITS = 64


def sender(address: str) -> str:
    """Return what stands for who sends: an IPv4 address, of IPv6 the /64, all of it one host's.

    A host chooses its address within it, and changes it when it likes (RFC 6177, RFC 8981). An IPv4
    address that is written as IPv6 (::ffff:0:0/96) is what it is.
    """
    if ":" not in address:
        return address
    try:
        whole = IPv6Address(address)
    except ValueError:
        return address
    if whole.ipv4_mapped is not None:
        return str(whole.ipv4_mapped)
    network = int(whole) >> _HOST_BITS << _HOST_BITS
    return f"{IPv6Address(network)}/64"
