"""What the detectors saw, for a person."""

from enum import IntEnum

import numpy as np

from detectors.geoip import country_of
from detectors.hosting import Kind, kind_of
from detectors.profile import SESSION_FEATURES, Rows
from detectors.travel import unpacked


class Reason(IntEnum):
    """What a piece of evidence is about; stored in profiles, so numbers never change meaning."""

    NONE = 0
    NEW_NETWORK = 1
    YOUNG_NETWORK = 2
    NEW_CLIENT = 3
    SWARM = 4
    TRAVEL = 5
    NEW_TLS = 6
    OFF_HOURS = 10
    SILENCE = 11
    RATE_10S = 20
    RATE_2MIN = 21
    RATE_10MIN = 22
    RATE_1H = 23
    RATE_1D = 24
    NEW_ENDPOINTS = 30
    REFUSED = 31
    SEQUENCE = 32
    OBJECTS = 33
    TOKENS = 34
    BUDGET = 35


DETECTORS = {
    Reason.NEW_NETWORK: "geography",
    Reason.YOUNG_NETWORK: "geography",
    Reason.NEW_CLIENT: "client",
    Reason.NEW_TLS: "client",
    Reason.SWARM: "geography",
    Reason.TRAVEL: "travel",
    Reason.OFF_HOURS: "hours",
    Reason.SILENCE: "silence",
    Reason.RATE_10S: "rate",
    Reason.RATE_2MIN: "rate",
    Reason.RATE_10MIN: "rate",
    Reason.RATE_1H: "rate",
    Reason.RATE_1D: "rate",
    Reason.NEW_ENDPOINTS: "endpoints",
    Reason.REFUSED: "answers",
    Reason.SEQUENCE: "sequence",
    Reason.OBJECTS: "objects",
    Reason.TOKENS: "tokens",
    Reason.BUDGET: "tokens",
}

_WINDOW = {
    Reason.RATE_10S: "10 s",
    Reason.RATE_2MIN: "2 min",
    Reason.RATE_10MIN: "10 min",
    Reason.RATE_1H: "1 h",
    Reason.RATE_1D: "24 h",
}
_PLACES = (Reason.NEW_NETWORK, Reason.YOUNG_NETWORK, Reason.SWARM, Reason.TRAVEL)
Operators = dict[int, str]

SESSION = 64
"""From here on a reason is a session, and names its two most unusual features."""
_FEATURES = (
    ("requests", "{:.0f} requests"),
    ("endpoints", "{:.0f} endpoints"),
    ("objects", "{:.0f} distinct objects"),
    ("networks", "{:.0f} networks"),
    ("refusals", "{:.0f} answers 403"),
    ("failures", "{:.0%} failed"),
    ("writes", "{:.0%} writes"),
    ("size of answers", "{:.0f} KiB an answer"),
    ("pace", "{:.0%} within a second of the last"),
    ("time", "an hour rare for this key ({:.1f})"),
)
REASONS_KNOWN = frozenset(map(int, Reason)) | frozenset(
    range(SESSION, SESSION + len(SESSION_FEATURES) ** 2)
)
"""Every reason that there are words for."""
_LOGARITHMS = frozenset(
    SESSION_FEATURES.index(name)
    for name in ("requests", "endpoints", "objects", "networks", "refused", "size")
)


NEARLY_ALL_H = 20
MINUTE_S, HOUR_S = 60, 3600


def detector(reason: int) -> str:
    """Name the detector behind a reason."""
    return "session" if reason >= SESSION else DETECTORS[Reason(reason)]


def session(reason: int, value: float) -> str:
    """Say what a session had, by its most unusual features."""
    first, second = divmod(reason - SESSION, len(_FEATURES))
    return f"an hour with {feature(first, value)}, unusual too in its {_FEATURES[second][0]}"


def feature(which: int, value: float) -> str:
    """Say the value of a feature of a session."""
    plain = 2.0**value - 1.0 if which in _LOGARITHMS else value
    return _FEATURES[which][1].format(plain)


def observed(reason: int, seen: float, expected: float, operators: Operators) -> str:
    """Say what was seen."""
    n = round(seen)
    if reason >= SESSION:
        return session(reason, seen)
    reason = Reason(reason)
    if reason in _WINDOW:
        return f"{many(n, 'request')} in {_WINDOW[reason]}"
    if reason in (Reason.NEW_NETWORK, Reason.YOUNG_NETWORK):
        return f"use from {network(n, operators)}{_in(expected)}"
    if reason == Reason.TRAVEL:
        return journey(seen, expected, operators)
    return {
        Reason.NEW_CLIENT: "a client that this key never used",
        Reason.NEW_TLS: "a TLS fingerprint that this key never showed, by a client of a known name",
        Reason.SWARM: f"{n} networks new to this key within an hour",
        Reason.OFF_HOURS: f"use at {n:02d}:00 local time",
        Reason.SILENCE: f"use after {n} days of silence",
        Reason.NEW_ENDPOINTS: f"{many(n, 'endpoint')} never used before, today",
        Reason.REFUSED: f"{many(n, 'request')} refused (403) within an hour",
        Reason.SEQUENCE: f"{many(n, 'id')} one after the other within an hour",
        Reason.OBJECTS: f"{n} distinct objects in a day",
        Reason.TOKENS: f"{n:,} AI tokens today",
        Reason.BUDGET: f"{n:,} AI tokens today",
    }.get(reason, "something unusual")


def expected(reason: int, value: float, row: Rows, operators: Operators) -> str:
    """Say what this key usually does."""
    if reason >= SESSION:
        return f"usually {feature((reason - SESSION) // len(_FEATURES), value)}"
    reason = Reason(reason)
    since = f"in {many(int(row['days']) or 1, 'day')} of use"
    if reason in _WINDOW:
        if value < 1:
            return f"nothing is known of this key's busiest {_WINDOW[reason]} yet"
        return f"this key's busiest {_WINDOW[reason]} {since} had {round(value)}"
    if reason in _PLACES:
        return f"{since}: {usual_networks(row, operators)}"
    return {
        Reason.NEW_CLIENT: f"{since}: {many(int((row['agent'] != 0).sum()), 'client')}",
        Reason.NEW_TLS: f"{since}: {many(int((row['tls'] != 0).sum()), 'TLS fingerprint')}",
        Reason.OFF_HOURS: f"active hours {since}: {active_hours(row)}",
        Reason.SILENCE: f"longest silence before: {round(value)} days",
        Reason.NEW_ENDPOINTS: f"about {value:.2g} a day {since}",
        Reason.REFUSED: f"hardly any {since}",
        Reason.SEQUENCE: f"no such run {since}",
        Reason.OBJECTS: f"about {round(value)} a day",
        Reason.TOKENS: f"about {round(value):,} on a day with any",
        Reason.BUDGET: f"its budget is {round(value):,} a day",
    }.get(reason, "")


def journey(seen: float, expected: float, operators: Operators) -> str:
    """Say where a key was used, and that nobody gets there so soon from where it was before."""
    (number, km), (country, seconds) = unpacked(seen), unpacked(expected)
    speed = km * 3600.0 / max(seconds, 1)
    return (
        f"use from {network(number, operators)}{_in(country)}, {km:,} km from where it was used "
        f"{span(seconds)} before ({speed:,.0f} km/h)"
    )


def span(seconds: int) -> str:
    """Say how long something took."""
    if seconds < MINUTE_S:
        return f"{seconds} s"
    if seconds < HOUR_S:
        return f"{seconds // MINUTE_S} min"
    return f"{seconds / HOUR_S:.1f} h"


def network(number: int, operators: Operators) -> str:
    """Name a network by its AS, or by its prefix where the AS is not known."""
    if number >> 31:
        return "an IPv6 /48"
    if number >> 30:
        return f"{(number >> 8) & 255}.{number & 255}.0.0/16"
    name = operators.get(number, "")
    sort = {Kind.HOSTING: ", hosting", Kind.VPN: ", VPN"}.get(kind_of(number, name), "")
    return f"AS{number}{f' {name}' if name else ''}{sort}"


def usual_networks(row: Rows, operators: Operators) -> str:
    """Name the networks and countries that a key is known by, the most used first."""
    if not row["asn"].any():
        return "no network is known yet"
    # Days before today, so that the words do not depend on how far today's batches have come.
    days = row["asn_days"].astype(int) - (row["asn_last"] == row["day"])
    best = np.argsort(-days, kind="stable")
    names = [network(int(row["asn"][i]), operators) for i in best[:3] if row["asn"][i]]
    places = [country_of(int(code)) for code in row["country"] if code]
    more = int((row["asn"] != 0).sum()) - len(names)
    return " and ".join(filter(None, [", ".join(names), f"{more} more" if more > 0 else ""])) + (
        f" ({', '.join(places[:4])})" if places else ""
    )


def active_hours(row: Rows) -> str:
    """Name the hours of the day within which nine tenths of the key's use fall."""
    by_hour = row["active"].reshape(7, 24).sum(axis=0)
    total = float(by_hour.sum())
    if total <= 0:
        return "none known"
    around = np.concatenate(([0.0], np.cumsum(np.tile(by_hour, 2))))
    best = min(
        (length, start)
        for length in range(1, 25)
        for start in np.flatnonzero(around[length : length + 24] - around[:24] >= 0.9 * total)[:1]
    )
    length, start = best
    return (
        "all day"
        if length > NEARLY_ALL_H
        else f"mostly {start:02d}:00-{(start + length) % 24:02d}:00"
    )


def many(n: int, what: str) -> str:
    """Return the number and the noun, in the plural where it must be."""
    return f"{n} {what}" if n == 1 else f"{n} {what}s"


def _in(code: float) -> str:
    country = country_of(int(code))
    return f" in {country}" if country else ""


def rfc3339(ms: int) -> str:
    """Write epoch milliseconds as RFC 3339, UTC."""
    return f"{np.datetime64(ms, 'ms')}Z"
