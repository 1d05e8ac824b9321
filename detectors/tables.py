"""Bounded tables of what a key is known by: networks, countries, clients, endpoints.

A value that is not known waits in a list of the day; when the day has passed it is learned, and
trusted once it was seen on three days.
"""

from dataclasses import dataclass

import numpy as np

from detectors.profile import Rows, alarmed
from vocabulary.access import Codes, Flags, Ints

TRUSTED_DAYS = 3
"""Distinct days on which a value must have been seen before it explains anything."""

LIVES_DAYS, MOST_LIVES = 7, 26
"""A value lives a week longer for every day on which it was seen, up to half a year."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What the tables say of each event's value.

    Attributes:
        days: shape (n,), distinct days on which it was seen before today.
        fresh: shape (n,), True for the first event of the day with a value never seen before.
        count: shape (n,), how many such values the day has had so far, this one included.
    """

    days: Ints
    fresh: Flags
    count: Ints


def look_up(rows: Rows, name: str, row: Codes, value: np.ndarray, today: Ints) -> Seen:
    """Find values in the tables, touch those that are known, and remember those that are new.

    Args:
        rows: profiles, changed in place.
        name: the table.
        row: shape (n,), index of each event's profile, never decreasing.
        value: shape (n,), 0 for an event that has none: it counts as known.
        today: shape (k,), the open day of each profile.
    """
    head = np.flatnonzero(
        np.concatenate(([True], (row[1:] != row[:-1]) | (value[1:] != value[:-1])))
    )
    pair = row[head].astype(np.int64) << 32 | value[head]
    distinct, first, back = _distinct(pair)
    owner, item = (distinct >> 32).astype(np.int64), (distinct & 0xFFFFFFFF).astype(np.uint32)
    days, pending = _known(rows, name, owner, item, today)
    new = (days < 0) & ~pending & (item != 0)
    days = np.maximum(days, 0)
    days[item == 0] = np.iinfo(np.uint16).max
    began = head[first[new]]
    order = np.argsort(began)
    fresh, count = _remember(rows, name, owner[new][order], item[new][order], row, began[order])
    run = np.repeat(np.arange(len(head)), np.diff(np.append(head, len(row))))
    return Seen(days[back][run], fresh, count)


def _distinct(pair: Ints) -> tuple[Ints, Ints, Ints]:
    """Return the distinct pairs, where each stood first, and which of them each was."""
    if bool((pair[1:] > pair[:-1]).all()):
        # Nearly always so where most keys have one event.
        every = np.arange(len(pair))
        return pair, every, every
    return np.unique(pair, return_index=True, return_inverse=True)


# -1 for values that are in no table; 0 for those that a day brought on which something was wrong.
def _known(rows: Rows, name: str, owner: Ints, item: np.ndarray, today: Ints) -> tuple[Ints, Flags]:
    hits, place = _places(rows[name], owner, item)
    at = owner[hits]
    last, days = rows[f"{name}_last"], rows[f"{name}_days"]
    found = days[at, place].astype(np.int64)
    # Days before today: an entry touched earlier today has had its day counted already.
    touched = last[at, place] == today[at]
    earlier = np.full(len(owner), -1)
    earlier[hits] = found - touched
    first = np.flatnonzero(~touched)
    at, place = at[first], place[first]
    last[at, place] = today[at]
    days[at, place] = np.minimum(found[first] + 1, np.iinfo(np.uint16).max)
    pending = np.zeros(len(owner), np.bool_)
    may = np.flatnonzero(earlier < 0)
    may = may[rows[f"{name}_count"][owner[may]] > 0]
    pending[may] = (rows[f"{name}_new"][owner[may]] == item[may][:, None]).any(axis=1)
    return earlier, pending


def _places(table: np.ndarray, owner: Ints, item: np.ndarray) -> tuple[Ints, Ints]:
    """Return which values are known, and where in their tables, each of which holds it once."""
    wanted = np.flatnonzero(item)
    if table.shape[1] > SMALL:
        return _anywhere(table, owner, item, wanted)
    # What a key uses most is what it used first.
    usual = table[owner[wanted], 0] == item[wanted]
    hits, place = _anywhere(table, owner, item, wanted[~usual])
    first = wanted[usual]
    return np.concatenate((first, hits)), np.concatenate((np.zeros(len(first), np.int64), place))


SMALL = 16
"""Places of a table below which the first is looked at before all others."""


def _anywhere(table: np.ndarray, owner: Ints, item: np.ndarray, which: Ints) -> tuple[Ints, Ints]:
    # Every profile occurs: as many pairs as profiles are one for each, in order.
    every = len(which) == len(owner) == len(table)
    match = (table if every else table[owner[which]]) == item[which][:, None]
    hits, place = np.divmod(np.flatnonzero(match), table.shape[1])
    return which[hits], place


def _remember(
    rows: Rows, name: str, owner: Ints, item: np.ndarray, row: Codes, began: Ints
) -> tuple[Flags, Ints]:
    """Append to the lists of the day, in order of arrival; a full list takes no more."""
    waiting, count = rows[f"{name}_new"], rows[f"{name}_count"]
    before = count.astype(np.int64)
    fresh = np.zeros(len(row), bool)
    if len(owner):
        start = np.concatenate(([True], owner[1:] != owner[:-1]))
        rank = np.arange(len(owner)) - np.flatnonzero(start)[np.cumsum(start) - 1]
        place = before[owner] + rank
        fits = place < waiting.shape[1]
        waiting[owner[fits], place[fits]] = item[fits]
        count[:] = before + np.bincount(owner[fits], minlength=len(rows))
        fresh[began[fits]] = True
        if not fresh.any():
            return fresh, before[row]
    else:
        return fresh, before[row]
    total = np.cumsum(fresh)
    starts = np.concatenate(([True], row[1:] != row[:-1]))
    base = (total - fresh)[np.flatnonzero(starts)][np.cumsum(starts) - 1]
    return fresh, before[row] + total - base


def learn(rows: Rows, name: str) -> None:
    """Take the day's new values into the tables; the longest unseen give way."""
    which = np.flatnonzero(rows[f"{name}_count"])
    if not len(which):
        return
    known = rows[name][which] != 0
    used = known.sum(axis=1)
    room = used + rows[f"{name}_count"][which] <= known.shape[1]
    # Where all fit behind what is known, nothing needs to be weighed.
    room &= (known == (np.arange(known.shape[1]) < used[:, None])).all(axis=1)
    _append(rows, name, which[room], used[room])
    _weigh(rows, name, which[~room])
    rows[f"{name}_new"][which] = 0
    rows[f"{name}_count"][which] = 0


def _append(rows: Rows, name: str, which: Ints, used: Ints) -> None:
    count = rows[f"{name}_count"][which].astype(np.int64)
    row = np.repeat(np.arange(len(which)), count)
    rank = np.arange(len(row)) - np.repeat(np.cumsum(count) - count, count)
    owner, place = which[row], used[row] + rank
    rows[name][owner, place] = rows[f"{name}_new"][owner, rank]
    rows[f"{name}_last"][owner, place] = rows["day"][owner]
    rows[f"{name}_days"][owner, place] = ~alarmed(rows)[owner]


def _weigh(rows: Rows, name: str, which: Ints) -> None:
    if not len(which):
        return
    new = rows[f"{name}_new"][which]
    today = np.broadcast_to(rows["day"][which][:, None], new.shape)
    values = np.concatenate((rows[name][which], new), axis=1)
    last = np.concatenate((rows[f"{name}_last"][which], today), axis=1)
    # What came on a day that was alarming counts from its second day on.
    first = np.where(alarmed(rows)[which][:, None], 0, np.ones_like(new))
    days = np.concatenate((rows[f"{name}_days"][which], first), axis=1)
    lives = LIVES_DAYS * np.minimum(days, MOST_LIVES)
    worth = np.where(values != 0, last.astype(np.int64) + lives, -1)
    best = np.argsort(-worth, axis=1, kind="stable")[:, : rows[name].shape[1]]
    rows[name][which] = np.take_along_axis(values, best, axis=1)
    rows[f"{name}_last"][which] = np.take_along_axis(last, best, axis=1)
    rows[f"{name}_days"][which] = np.take_along_axis(days, best, axis=1)
