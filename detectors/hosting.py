"""Which networks are data centres, clouds and VPN exits rather than people's lines.

By AS number for the well-known ones, by words in the operator's name for the rest: a company
that sells servers mostly says so in its name.
"""

import re
from enum import IntEnum


class Kind(IntEnum):
    """What sort of network an address belongs to."""

    UNKNOWN = 0
    ACCESS = 1
    HOSTING = 2
    VPN = 3
    PRIVATE = 4


# Amazon, Google, Microsoft, Oracle, IBM/SoftLayer, Alibaba, Tencent, Huawei, OVH, Hetzner,
# DigitalOcean, Linode, Vultr, Contabo, Scaleway, LeaseWeb, Rackspace, Fastly, Cloudflare,
# Akamai, IONOS, Hostinger, Aruba, UpCloud, Selectel, … A list kept by hand and not complete: an
# operator that it lacks is told by its name, or counts as no hosting network.
HOSTING = frozenset({
    14618, 16509, 8987, 7224, 62785, 15169, 396982, 19527, 36384, 36385, 8075, 8068, 8069, 3598,
    31898, 792, 36351, 13884, 45102, 37963, 45103, 132203, 45090, 133478, 136907, 55990, 16276,
    35540, 24940, 213230, 212317, 14061, 46652, 200130, 62567, 393406, 63949, 48337, 20473, 64515,
    51167, 40021, 141995, 12876, 29447, 60781, 28753, 30633, 59253, 133752, 396190, 205544, 7203,
    395954, 27357, 33070, 19994, 15395, 54113, 13335, 209242, 132892, 20940, 16625, 8560, 15418,
    47583, 204915, 31034, 202053, 25697, 49505, 50340, 34224, 202425, 49981, 26496, 20773, 21499,
    32244, 46606, 55293, 22612, 398101, 53667, 30083, 16265, 36024, 62904, 55081, 29802, 29791,
    64200, 63023, 23470, 35916, 40676, 36352, 55286, 8100, 53850, 46562, 25820, 32097, 19318,
    13213, 12989, 20454, 20450, 22552, 33387, 46475, 9370, 7506, 9371, 58073, 29182, 197695,
    9123, 48282, 44112, 57523, 211252, 44477, 50867, 34119, 42831, 60117, 49349, 39572, 24961,
    61317, 62240, 199524, 202422, 58061, 43180, 51395, 34549, 197540, 8972, 61157, 34788, 25532,
})  # fmt: skip

# Operators whose addresses are mostly exits of VPN services and anonymisers.
VPN = frozenset({
    9009, 212238, 60068, 39351, 51852, 11878, 62371, 136787, 43350, 209103, 207137, 147049, 141039,
    206092, 49453, 42201, 56655, 197595, 60729, 208323, 210558, 53667, 62744, 22295, 46844, 3223,
    206804, 137409, 216025, 212815, 39287, 44925, 214996, 8100,
})  # fmt: skip

_SELLS_SERVERS = re.compile(
    r"host(?:ing|ed|er|s)?\b|\bcloud|server|data ?cent(?:er|re)|\bvps\b|\bcolo|dedicated|compute",
    re.IGNORECASE,
)
_SELLS_PRIVACY = re.compile(r"\bvpn|proxy|\btor\b|anonym|privacy", re.IGNORECASE)


def kind_of(asn: int, name: str) -> Kind:
    """Return the sort of network that an AS is.

    Args:
        asn: AS number; 0 when unknown.
        name: the operator's name as the database has it.
    """
    if not asn:
        return Kind.UNKNOWN
    if asn in VPN or _SELLS_PRIVACY.search(name):
        return Kind.VPN
    if asn in HOSTING or _SELLS_SERVERS.search(name):
        return Kind.HOSTING
    return Kind.ACCESS
