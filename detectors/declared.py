"""What owners said that their keys would do, believed until the keys have shown it.

A key that is still learned has no hours, no countries and no records to be measured by. Where its
owner has named them, or the networks that it was issued for, use from elsewhere, at other hours or
far above the rate says something from the first event on. Once the key is known, only what it does
counts.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import lru_cache
from ipaddress import IPv6Address, ip_address, ip_network

import numpy as np

from detectors.chance import Floats
from detectors.facts import UNKNOWN, KeyFacts, nothing_is_said
from detectors.geoip import code_of
from detectors.profile import DAY_MS, HOUR_MS, HOURS, Rows
from vocabulary.access import Codes, Flags, Ints

OUTSIDE = 2200
"""How unusual a declared key's other hours are, in thousandths of -log10 p: use in one of them is
no alert by itself, use in three of them is."""
BURST = 3.0
"""The busiest window of a key is so many times what its declared rate brings on average."""


@dataclass(frozen=True, slots=True)
class Said:
    """What was declared of the profiles of a round that are still learned.

    Attributes:
        rows: shape (k,), True where hours or days of the week were declared.
        per_h: shape (k,), requests in a usual hour; 0 for nothing said.
        per_day: shape (k,), the same for a day.
        home, abroad: shape (n,), True for events from where the key was declared to be used, and
            from elsewhere.
        outside: shape (n,), True for those from elsewhere than the networks it was issued for.
    """

    rows: Flags
    per_h: Floats
    per_day: Floats
    home: Flags
    abroad: Flags
    outside: Flags


def has_said(facts: KeyFacts) -> bool:
    """Return whether anything was declared of a key."""
    if facts is UNKNOWN:
        return False
    named = facts.countries or facts.networks
    return bool(named or facts.hours or facts.days or facts.rate_per_h)


def said(
    rows: Rows,
    facts: Sequence[KeyFacts],
    row: Codes,
    country: np.ndarray,
    address: Callable[[int], str],
) -> Said | None:
    """Return what was declared; None where nothing was, or all keys are known.

    Args:
        rows: the profiles.
        facts: of each profile.
        row: shape (n,), index of each event's profile.
        country: shape (n,), where the events came from; 0 for unknown.
        address: returns the address that an event came from; empty for unknown.
    """
    if nothing_is_said(facts):
        return None
    mature = rows["mature"]
    which = [i for i, one in enumerate(facts) if has_said(one) and not mature[i]]
    if not which:
        return None
    timed, per_h, hours = np.zeros(len(rows), np.bool_), np.zeros(len(rows)), np.zeros(len(rows))
    home, named, outside = np.zeros((3, len(row)), np.bool_)
    for i in which:
        one = facts[i]
        timed[i] = bool(one.hours or one.days)
        per_h[i], hours[i] = one.rate_per_h, len(one.hours) or HOURS
        begin, end = np.searchsorted(row, (i, i + 1)).tolist()
        if one.networks:
            inside = [is_inside(one.networks, address(at)) for at in range(begin, end)]
            home[begin:end] = [found is True for found in inside]
            outside[begin:end] = [found is False for found in inside]
        elif one.countries:
            codes = [code_of(name) for name in one.countries]
            home[begin:end] = np.isin(country[begin:end], codes)
            named[begin:end] = True
    abroad = outside | named & ~home & (country != 0)
    return Said(timed, per_h, per_h * hours, home, abroad, outside)


@lru_cache(maxsize=65536)
def is_inside(networks: tuple[str, ...], address: str) -> bool | None:
    """Return whether an address is in one of some networks; None for what is no address."""
    try:
        found = ip_address(address.partition("%")[0])
    except ValueError:
        return None
    plain = (found.ipv4_mapped if isinstance(found, IPv6Address) else None) or found
    return any(plain in ip_network(block, strict=False) for block in networks)


def foresee(rows: Rows, facts: Sequence[KeyFacts], which: Ints, today: Ints, offset: Ints) -> None:
    """Write into profiles that are still learned how unusual each hour of today would be.

    Args:
        rows: the profiles.
        facts: of each profile.
        which: the profiles whose day opens.
        today: shape (k,), the days since 1970.
        offset: shape (k,), by how many milliseconds owners are ahead of UTC.
    """
    if nothing_is_said(facts):
        return
    timed = [i for i in which.tolist() if has_said(facts[i]) and not rows["mature"][i]]
    for i in timed:
        one = facts[i]
        if one.hours or one.days:
            first = (int(today[i]) * DAY_MS + int(offset[i])) // HOUR_MS + 3 * HOURS
            slot = (first + np.arange(HOURS)) % (7 * HOURS)
            usual = np.isin(slot % HOURS, one.hours or np.arange(HOURS))
            usual &= np.isin(slot // HOURS, one.days or np.arange(7))
            rows["surprise"][i] = np.where(usual, 0, OUTSIDE)
