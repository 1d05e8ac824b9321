"""Network: operators, prefixes, countries, sorts of network and clients that a key never used.

How rare a new operator is depends on how often this key has had new ones (after Freeman et al.,
"Who Are You?", NDSS 2016). A country counts only where prefix and operator are new too, since
databases move addresses between countries; use that alternates with the owner's own networks
counts more, a move without overlap (travel, a café, a new exit of the VPN) less.
"""

import numpy as np

from detectors import tables, travel, windows
from detectors.chance import Floats
from detectors.clocks import running_index, segment_starts
from detectors.hosting import Kind
from detectors.profile import TEN_MS, Rows
from detectors.round import Evidence, Round, evidence
from detectors.tables import TRUSTED_DAYS, Seen
from detectors.words import Reason
from vocabulary.access import Flags, Ints

TABLES = ("prefix", "asn", "country", "agent", "endpoint")
KNOWN = (*TABLES, "tls")
"""All that a key is known by: fingerprints came later, and have their novelties elsewhere."""
SEEN_DAYS, SEEN_NEWS = 10.0, 0.05
"""Before a key has shown itself: so many news in so many days."""
OVERLAP_MS = 20 * 60_000
FEW = 2
"""So many new networks within an hour are a walk with a phone."""
KNOWN_BY = 3
"""Days of use before which everything about a key is new."""
SERVERS = (1 << Kind.HOSTING) | (1 << Kind.VPN)

COUNTRY, SERVER, OVERLAP, SWARM = 0.6, 0.7, 0.8, 1.2
"""What each circumstance adds, in -log10 p."""
EXPLAINED = 2.1
"""The most that a new network says of a known client without overlap: low, not medium."""


def score(day: Round) -> tuple[Evidence, Flags]:
    """Return the evidence of networks, and which events came from a network that is new."""
    seen = {
        "prefix": _seen(day, "prefix", day.place["prefix"]),
        "asn": _seen(day, "asn", day.network),
        "country": _seen(day, "country", day.place["country"].astype(np.uint32)),
        "agent": _seen(day, "agent", day.agent),
    }
    new = seen["asn"].days == 0
    # The first network of a key's life is no news.
    first = (seen["asn"].count <= 1) & (day.rows["mature_days"] == 0)[day.row]
    new &= ~first if day.said is None else ~first | day.said.abroad
    return _weighed(day, seen, new), new


def _seen(day: Round, name: str, value: np.ndarray) -> Seen:
    return tables.look_up(day.rows, name, day.row, value.astype(np.uint32), day.rows["day"])


def _weighed(day: Round, seen: dict[str, Seen], new: Flags) -> Evidence:
    rarity = {name: rarities(day.rows, name)[day.row] for name in ("asn", "agent")}
    unnamed, disguised = seen["agent"].days == 0, in_disguise(day)
    stranger = unnamed | disguised
    rare = np.where(unnamed, rarity["agent"], 0.0)
    if disguised.any():
        rare = np.maximum(rare, np.where(disguised, rarities(day.rows, "tls")[day.row], 0.0))
    server = sort_is_new(day)
    abroad = (seen["country"].days == 0) & (seen["prefix"].days == 0) & (day.place["country"] != 0)
    if day.said is not None:
        # Where its owner said that a key would be used, it is not abroad.
        abroad &= ~day.said.home
    overlap, swarm = overlapping(day, new), swarming(day, seen["asn"].fresh)
    base = rarity["asn"] + COUNTRY * abroad + SERVER * server
    alike = server_like(day)
    known = base + OVERLAP * (overlap & ~alike)
    quiet = ~stranger & (~overlap | alike) & (swarm <= FEW)
    e = np.where(quiet, np.minimum(known, EXPLAINED), known + 0.6 * rare)
    e = e + SWARM * np.maximum(swarm - FEW, 0)
    # On a key's first day every network is new: only what is new in kind says something.
    first = (day.rows["mature_days"] == 0)[day.row] & ~server & ~abroad
    e = np.where(first, np.minimum(e, EXPLAINED), e)
    half = (seen["asn"].days > 0) & (seen["asn"].days < TRUSTED_DAYS)
    e = np.where(new, e, np.where(half, 0.4 * rarity["asn"], 0.0))
    alone = (day.rows["mature_days"] > KNOWN_BY)[day.row]
    e = np.maximum(e, np.where(stranger & alone, 0.5 * rare, 0.0))
    reason = np.where(disguised & ~unnamed, Reason.NEW_TLS, Reason.NEW_CLIENT)
    reason = np.where(new, np.where(swarm > FEW, Reason.SWARM, Reason.NEW_NETWORK), reason)
    reason = np.where(half & ~stranger, Reason.YOUNG_NETWORK, reason)
    return _told(day, e, reason, new, swarm)


def _told(day: Round, e: Floats, reason: Ints, new: Flags, swarm: Ints) -> Evidence:
    """Return the evidence with what words need: a journey that nobody can have made, too."""
    journey = travel.follow(day, np.flatnonzero(new))
    leapt = (reason == Reason.NEW_NETWORK) & journey.impossible()
    seen = np.where(reason == Reason.SWARM, swarm, day.network).astype(np.float64)
    usual = day.place["country"].astype(np.float64)
    return evidence(
        e,
        np.where(leapt, Reason.TRAVEL, reason).astype(np.uint8),
        np.where(leapt, travel.packed(day.network, journey.km), seen),
        np.where(leapt, travel.packed(day.place["country"], journey.ms / 1000.0), usual),
    )


def rarities(rows: Rows, name: str) -> Floats:
    """Return -log10 of the chance that a day of each key brings something new of the kind."""
    kept = rows["tls_news"] if name == "tls" else rows["novelties"][:, TABLES.index(name)]
    news = kept.astype(np.float64)
    days = rows["mature_days"].astype(np.float64)
    return np.asarray(-np.log10(np.minimum((news + SEEN_NEWS) / (days + SEEN_DAYS), 1.0)))


def in_disguise(day: Round) -> Flags:
    """Return which events come with a TLS fingerprint that is new, by keys that have shown one.

    The hello of a TLS library changes with its version, a user agent with whoever writes it.
    """
    if not day.tls.any():
        return np.zeros(len(day.tls), np.bool_)
    seen = _seen(day, "tls", day.tls)
    shown = (day.rows["tls"] != 0).any(axis=1)
    return np.asarray((seen.days == 0) & shown[day.row], np.bool_)


def sort_is_new(day: Round) -> Flags:
    """Return which events come from servers or VPN exits, by keys that know neither."""
    bit = np.left_shift(1, day.place["kind"].astype(np.int64))
    known = day.rows["kinds"].astype(np.int64)
    day.rows["kinds_new"] |= np.bitwise_or.reduceat(bit, segment_starts(day.row)).astype(np.uint8)
    return np.asarray(((bit & SERVERS) != 0) & ((known & SERVERS) == 0)[day.row], np.bool_)


def server_like(day: Round) -> Flags:
    """Return which events come from servers, by keys that live on servers."""
    lives = (day.rows["kinds"].astype(np.int64) & 1 << Kind.HOSTING) != 0
    return np.asarray((day.place["kind"] == Kind.HOSTING) & lives[day.row], np.bool_)


def overlapping(day: Round, new: Flags) -> Flags:
    """Return which events from a new network follow closely on the owner's coming back.

    A key that goes to a café leaves home once; a key in two hands alternates.
    """
    starts = segment_starts(day.row)
    before = np.concatenate(([False], new[:-1]))
    before[starts] = day.rows["strange"][day.row[starts]].astype(bool)
    back = running_index(day.row, ~new & before)
    switched = np.where(back >= 0, day.t[np.maximum(back, 0)], day.rows["switched"][day.row])
    last = np.append(starts[1:], len(day.row)) - 1
    day.rows["switched"] = switched[last]
    day.rows["strange"] = new[last]
    return new & (day.t - switched <= OVERLAP_MS)


def swarming(day: Round, fresh: Flags) -> Ints:
    """Return how many networks were new within the last hour."""
    clock = day.rows["clock"] // TEN_MS
    counted = windows.count(
        day.row, day.t // TEN_MS, fresh.astype(np.int64), day.rows["fresh"], clock, (6,)
    )
    day.rows["fresh"] = counted.ring
    return counted.counts[0]


def learn(rows: Rows, elapsed_days: Floats) -> None:
    """Take the closed day's values into the tables, and how many of them were new."""
    keep = 0.5 ** (elapsed_days / 90.0)
    settled = rows["mature_days"] >= KNOWN_BY
    for i, name in enumerate(TABLES):
        most = 5 if name == "endpoint" else 1
        news = np.minimum(rows[f"{name}_count"], most) * settled
        rows["novelties"][:, i] = rows["novelties"][:, i] * keep + news
        tables.learn(rows, name)
    _learn_prints(rows, keep, settled)
    rows["mature_days"] = rows["mature_days"] * keep + 1.0
    rows["kinds"] |= rows["kinds_new"]
    rows["kinds_new"] = 0


def _learn_prints(rows: Rows, keep: Floats, settled: Flags) -> None:
    if not (rows["tls_count"].any() or rows["tls_news"].any()):
        return
    # With its first fingerprint a key has begun to show them, and nothing is new.
    shown = (rows["tls"] != 0).any(axis=1)
    news = np.minimum(rows["tls_count"], 1) * (settled & shown)
    rows["tls_news"] = rows["tls_news"] * keep + news
    tables.learn(rows, "tls")
