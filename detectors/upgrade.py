"""Rows of older versions, brought to what PROFILE is now.

Whoever changes PROFILE or SEED raises VERSION and puts the layout that was there before into
LAYOUTS or SEED_LAYOUTS. What
both have keeps its value; what is new begins as in a key that was never seen. Rows of versions that
are not listed, newer ones above all, are not read.
"""

import numpy as np

from detectors.profile import PROFILE, Rows, blank, padded
from detectors.seeds import SEED, Seeds


def _without(*names: str) -> "np.dtype[np.void]":
    """Return what PROFILE was before these were added."""
    kept = [name for name in PROFILE.names or () if name not in (*names, "padding")]
    return padded([(name, PROFILE[name]) for name in kept])


SINCE_NINE = ("spent", "spends", "spent_most", "held_spent")
SINCE_EIGHT = ("gap", "pending", *SINCE_NINE)
SINCE_SEVEN = ("tls", "tls_last", "tls_days", "tls_new", "tls_count", "tls_news", *SINCE_EIGHT)
SINCE_SIX = ("spot", "spotted", "heir", *SINCE_SEVEN)
_EIGHT = _without(*SINCE_NINE)
_SEVEN = _without(*SINCE_EIGHT)
_SIX = _without(*SINCE_SEVEN)
_FIVE = _without(*SINCE_SIX)
_FOUR = _without("turn", "turned", *SINCE_SIX)

LAYOUTS: dict[int, np.dtype[np.void]] = {
    3: _FOUR, 4: _FOUR, 5: _FIVE, 6: _SIX, 7: _SEVEN, 8: _EIGHT,
}  # fmt: skip
"""Version → layout. Version 3 had the same rows as 4, and no seeds."""
SEED_LAYOUTS: dict[int, np.dtype[np.void]] = dict.fromkeys(
    (4, 5, 6), np.dtype([(name, SEED[name]) for name in SEED.names or () if name != "tls"])
)
"""Version → layout of seeds, where it was another one."""


def layout(version: int, current: int) -> np.dtype[np.void] | None:
    """Return the layout of rows of a version; None when it is not known."""
    return PROFILE if version == current else LAYOUTS.get(version)


def is_beginning(kind: "np.dtype[np.void]") -> bool:
    """Say whether PROFILE begins with this layout, so that changes of its words fit onto rows."""
    names = [name for name in kind.names or () if name != "padding"]
    return all(kind.fields[name] == PROFILE.fields[name] for name in names)  # type: ignore[index]


def seeds_of(raw: bytes, version: int) -> Seeds:
    """Return the seeds that a version wrote; none where the bytes are no whole number of them."""
    kind = SEED_LAYOUTS.get(version, SEED)
    if len(raw) % kind.itemsize:
        return np.zeros(0, SEED)
    old = np.frombuffer(raw, kind)
    if kind == SEED:
        return old
    new = np.zeros(len(old), SEED)
    for name in kind.names or ():
        new[name] = old[name]
    return new


def upgraded(old: Rows) -> Rows:
    """Return rows of any known layout as rows of PROFILE."""
    if old.dtype == PROFILE:
        return old
    new = blank(len(old))
    for name in set(PROFILE.names or ()) & set(old.dtype.names or ()):
        if new[name].shape == old[name].shape:
            new[name] = old[name]
    return new
