"""Network: operators, prefixes, countries, sorts of network and clients that a key never used.

How rare a new operator is depends on how often this key has had new ones (after Freeman et al.,
"Who Are You?", NDSS 2016). A country counts only where prefix and operator are new too, since
databases move addresses between countries; use that alternates with the owner's own networks
counts more, a move without overlap (travel, a café, a new exit of the VPN) less.
"""

from dataclasses import dataclass

import numpy as np

from detectors import tables, travel, windows
from detectors.chance import Floats
from detectors.clocks import renumbered, running_index, segment_starts
from detectors.hosting import Kind
from detectors.profile import TEN_MS, TENS, Rows
from detectors.round import Evidence, Round, evidence
from detectors.tables import TRUSTED_DAYS, Seen
from detectors.words import Reason
from vocabulary.access import Codes, Flags, Ints

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
    disguised, server = in_disguise(day), sort_is_new(day)
    overlap, swarm = overlapping(day, new), swarming(day, seen["asn"].fresh)
    asn_days = seen["asn"].days
    half = (asn_days > 0) & (asn_days < TRUSTED_DAYS)
    # Of all other events there is nothing to say, and they are nearly all.
    which = np.flatnonzero(new | half | (seen["agent"].days == 0) | disguised)
    odd = Odd(
        which=which,
        row=day.row[which],
        new=new[which],
        half=half[which],
        unnamed=(seen["agent"].days == 0)[which],
        disguised=disguised[which],
        server=server[which],
        abroad=_abroad(day, seen, which),
        overlap=overlap[which] & ~server_like(day, which),
        swarm=swarm[which],
    )
    e, reason = np.zeros(len(new)), np.full(len(new), Reason.NEW_CLIENT, np.int64)
    if len(which):
        e[which], reason[which] = _of_odd(day.rows, odd)
    return _told(day, e, reason, new, swarm)


@dataclass(frozen=True, slots=True)
class Odd:
    """Events of which there may be something to say.

    Attributes:
        which: shape (m,), the events; all others are of the same shape.
        row: of whose profile each is.
        new, half: from a network that is new, or seen on few days.
        unnamed, disguised: by a client that is new by its name, or by its TLS hello.
        server, abroad: from a sort of network, or from a country, that is new.
        overlap: soon after the owner's own use, and not among servers.
        swarm: how many networks were new within the hour.
    """

    which: Ints
    row: Codes
    new: Flags
    half: Flags
    unnamed: Flags
    disguised: Flags
    server: Flags
    abroad: Flags
    overlap: Flags
    swarm: Ints


def _abroad(day: Round, seen: dict[str, Seen], which: Ints) -> Flags:
    country, prefix = seen["country"].days[which], seen["prefix"].days[which]
    abroad = (country == 0) & (prefix == 0) & (day.place["country"][which] != 0)
    # Where its owner said that a key would be used, it is not abroad.
    if day.said is not None:
        abroad = abroad & ~day.said.home[which] | (day.said.outside[which] & (prefix == 0))
    return np.asarray(abroad, np.bool_)


def _of_odd(rows: Rows, odd: Odd) -> tuple[Floats, Ints]:
    """Return the evidence and the reason of each of these events."""
    used, own = renumbered(odd.row)
    mature_days = rows["mature_days"][used][own]
    stranger = odd.unnamed | odd.disguised
    rarity = rarities(rows, "asn", used)[own]
    rare = np.where(odd.unnamed, rarities(rows, "agent", used)[own], 0.0)
    if odd.disguised.any():
        rare = np.maximum(rare, np.where(odd.disguised, rarities(rows, "tls", used)[own], 0.0))
    base = rarity + COUNTRY * odd.abroad + SERVER * odd.server
    known = base + OVERLAP * odd.overlap
    quiet = ~stranger & ~odd.overlap & (odd.swarm <= FEW)
    e = np.where(quiet, np.minimum(known, EXPLAINED), known + 0.6 * rare)
    e = e + SWARM * np.maximum(odd.swarm - FEW, 0)
    # On a key's first day every network is new: only what is new in kind says something.
    first = (mature_days == 0) & ~odd.server & ~odd.abroad
    e = np.where(first, np.minimum(e, EXPLAINED), e)
    e = np.where(odd.new, e, np.where(odd.half, 0.4 * rarity, 0.0))
    alone = mature_days > KNOWN_BY
    e = np.maximum(e, np.where(stranger & alone, 0.5 * rare, 0.0))
    reason = np.where(odd.disguised & ~odd.unnamed, Reason.NEW_TLS, Reason.NEW_CLIENT)
    leading = np.where(odd.swarm > FEW, Reason.SWARM, Reason.NEW_NETWORK)
    reason = np.where(odd.new, leading, reason)
    return e, np.where(odd.half & ~stranger, Reason.YOUNG_NETWORK, reason)


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


def rarities(rows: Rows, name: str, which: Ints) -> Floats:
    """Return -log10 of the chance that a day of some keys brings something new of the kind."""
    kept = rows["tls_news"] if name == "tls" else rows["novelties"][:, TABLES.index(name)]
    news = kept[which].astype(np.float64)
    days = rows["mature_days"][which].astype(np.float64)
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


def server_like(day: Round, which: Ints) -> Flags:
    """Return which of some events come from servers, by keys that live on servers."""
    lives = (day.rows["kinds"][day.row[which]].astype(np.int64) & 1 << Kind.HOSTING) != 0
    return np.asarray((day.place["kind"][which] == Kind.HOSTING) & lives, np.bool_)


def overlapping(day: Round, new: Flags) -> Flags:
    """Return which events from a new network follow closely on the owner's coming back.

    A key that goes to a café leaves home once; a key in two hands alternates.
    """
    if not (new.any() or day.rows["strange"].any()):
        return new
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
    return windows.flagged(day.rows, "fresh", day.row, day.t // TEN_MS, fresh, TEN_MS, TENS)


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
