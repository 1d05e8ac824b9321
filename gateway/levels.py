"""Which limits meet a request, on all levels: key, account, plan, endpoint, address, everybody."""

from functools import lru_cache
from ipaddress import IPv6Address, ip_address

from gateway.endpoints import Endpoint
from gateway.limits import Claim
from gateway.options import Options
from gateway.standing import Standing

_V6_BITS = 64
"""One customer of a provider gets a /64: its addresses are one."""


class Levels:
    """The limits of a gateway.

    Args:
        options: the operator's.
    """

    def __init__(self, options: Options) -> None:
        self._of_key = options.limits
        self._of_account = options.account_limits
        self._of_address = options.ip_limits
        self._of_all: tuple[Claim, ...] = tuple((limit, "") for limit in options.global_limits)

    def before(self, client: str) -> tuple[Claim, ...]:
        """Return the claims that a request makes whoever sends it."""
        if not self._of_address:
            return self._of_all
        subject = _block(client)
        return (*((limit, subject) for limit in self._of_address), *self._of_all)

    def after(
        self, standing: Standing, client: str, endpoints: tuple[Endpoint, ...]
    ) -> list[Claim]:
        """Return the claims that a request with this key makes."""
        grant, key_id = standing.grant, standing.key_id
        limits = self._of_key if grant.limits is None else grant.limits
        claims = [(limit, key_id) for limit in limits]
        if grant.throttle is not None:
            claims.append((grant.throttle, key_id))
        if grant.shared:
            claims += grant.shared
        if self._of_account and grant.account:
            claims += [(limit, grant.account) for limit in self._of_account]
        for one in endpoints:
            subject = one.pattern + "\n" + _counted(one.per, standing, client)
            claims += [(limit, subject) for limit in one.limits]
        return claims


def _counted(per: str, standing: Standing, client: str) -> str:
    """Return who shares a bucket of an endpoint."""
    if per == "key":
        return standing.key_id
    if per == "account":
        return standing.grant.account or standing.key_id
    return _block(client) if per == "ip" else ""


@lru_cache(maxsize=4096)
def _block(client: str) -> str:
    """Return the address, or the block of an IPv6 address that is one customer's."""
    try:
        address = ip_address(client)
    except ValueError:
        return ""
    if not isinstance(address, IPv6Address):
        return client
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(IPv6Address(int(address) >> _V6_BITS << _V6_BITS))
