"""The compiled form of a rule set: made once, and kept in the user's cache."""

import platform
import sys
from hashlib import blake2b
from pathlib import Path

import hyperscan
import msgspec

from scanner import cache
from scanner.archives.kinds import CONTAINERS
from scanner.compiled import Compiled, Stored, compiled_of
from scanner.decode import announcing
from scanner.rules import RuleSet, load_rules

_FORMAT = "20"  # raised when patterns are made otherwise from the same rules


def compiled(ruleset: RuleSet, *, cached: bool = True) -> Compiled:
    """Return a rule set compiled, from the cache where it is there; else leave it there."""
    if found := _cached(ruleset):
        try:
            return compiled_of(found)
        except hyperscan.HyperscanError:
            pass  # made by another machine, or damaged: it is made anew
    return compiled_of(_made(ruleset, cached=cached))


def _cached(ruleset: RuleSet) -> Stored | None:
    if (raw := cache.read(_name(ruleset))) is None:
        return None
    try:
        return msgspec.msgpack.decode(raw, type=Stored)
    except msgspec.MsgspecError:
        return None


def _made(ruleset: RuleSet, *, cached: bool) -> Stored:
    """Compile a rule set: of shipped rules that the user amends, only what is not shipped."""
    from scanner.compiling import stored_of  # noqa: PLC0415
    from scanner.composing import composed, shares  # noqa: PLC0415  (not where the cache has them)

    if ruleset.amended and shares(ruleset.rules, (shipped := load_rules(cached=cached)).rules):
        base = _cached(shipped) or _made(shipped, cached=cached)
        stored = composed(ruleset.rules, shipped.rules, base)
    else:
        stored = stored_of(ruleset.rules)
    if cached:
        name = _name(ruleset)
        cache.write(name, msgspec.msgpack.encode(stored))
        cache.forget(f"patterns-{ruleset.name}-", keep=name)
    return stored


def _name(ruleset: RuleSet) -> str:
    """Name all that a compiled rule set depends on."""
    stated = (
        _FORMAT,
        ruleset.sought or ruleset.digest,
        *(container.magic for container in CONTAINERS),
        *announcing(),
        str(getattr(hyperscan, "__version__", "")),
        platform.machine(),
        _cpu(),
    )
    key = blake2b("\0".join(stated).encode(), digest_size=16).hexdigest()
    return f"patterns-{ruleset.name}-{key}"


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
