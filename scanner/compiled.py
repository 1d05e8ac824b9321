"""All patterns in one hyperscan database, compiled once a rule set and kept in the user's cache."""

import platform
import sys
from collections.abc import Mapping
from hashlib import blake2b
from pathlib import Path

import hyperscan
import msgspec

from scanner import cache
from scanner.archives.kinds import CONTAINERS
from scanner.automaton import loaded
from scanner.confirm import Bounds
from scanner.family import Family, Kin
from scanner.rules import RuleSet

_FORMAT = "14"  # raised when patterns are made otherwise from the same rules


class Kept(msgspec.Struct, frozen=True, array_like=True):
    """A compiled rule set, as it is written down; see `Compiled`."""

    meanings: tuple[tuple[int, ...], ...]
    everywhere: tuple[int, ...]
    by_keyword: tuple[int, ...]
    families: tuple[tuple[int, Kin], ...]
    bounds: tuple[Bounds, ...]
    database: memoryview


class Compiled(msgspec.Struct, frozen=True):
    """A database and what its patterns mean.

    Attributes:
        meanings: for each pattern the numbers it stands for. Those below the number of rules are
            rules; then come the encodings of decode.ENCODINGS, then the containers of
            archives.kinds.CONTAINERS.
        everywhere: rules for which `re` must read everything, for want of a keyword.
        by_keyword: rules that are found by their keywords alone.
        families: for patterns that many rules share, what tells the rules apart.
        bounds: of each rule, how far its matches reach.
    """

    database: hyperscan.Database
    meanings: tuple[tuple[int, ...], ...]
    everywhere: tuple[int, ...]
    by_keyword: frozenset[int]
    families: Mapping[int, Family]
    bounds: tuple[Bounds, ...]


def compiled(ruleset: RuleSet, *, cached: bool = True) -> Compiled:
    """Return the database of these rules, from the cache where it is there; else leave it there."""
    name = f"patterns-{ruleset.name}-{_key(ruleset)}"
    if (raw := cache.read(name)) is not None:
        try:
            kept = msgspec.msgpack.decode(raw, type=Kept)
            return _loaded(kept)
        except (msgspec.MsgspecError, hyperscan.HyperscanError):
            pass  # made by another machine, or damaged: it is made anew
    from scanner.compiling import kept_of  # noqa: PLC0415  (not where the cache has them)

    kept = kept_of(ruleset)
    if cached:
        cache.write(name, msgspec.msgpack.encode(kept))
        cache.forget("patterns-", keep=name)
    return _loaded(kept)


def _loaded(kept: Kept) -> Compiled:
    return Compiled(
        loaded(kept.database),
        kept.meanings,
        kept.everywhere,
        frozenset(kept.by_keyword),
        {pattern: Family(kept_kin) for pattern, kept_kin in kept.families},
        kept.bounds,
    )


def _key(ruleset: RuleSet) -> str:
    """Name all that a compiled database depends on."""
    stated = (
        _FORMAT,
        ruleset.sought or ruleset.digest,
        *(container.magic for container in CONTAINERS),
        str(getattr(hyperscan, "__version__", "")),
        platform.machine(),
        _cpu(),
    )
    return blake2b("\0".join(stated).encode(), digest_size=16).hexdigest()


def _cpu() -> str:
    """Return the features of the first processor, as the system states them."""
    if sys.platform != "linux":
        return platform.processor()
    try:
        with Path("/proc/cpuinfo").open(encoding="utf-8", errors="replace") as stream:
            first = stream.read(8192)
    except OSError:
        return ""
    return next((line for line in first.splitlines() if line.startswith(("flags", "Features"))), "")
