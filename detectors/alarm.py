"""When to speak: one alert a key and incident, again only when it grows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from ipaddress import ip_address

import numpy as np

from detectors import words
from detectors.clocks import segment_starts
from detectors.fuse import Fused
from detectors.profile import FAMILIES, HOUR_MS, Rows
from detectors.round import Evidence, Round
from vocabulary.access import Ints
from vocabulary.alert import Alert, Severity, Span
from vocabulary.alert import Evidence as Told

QUIET_MS = 12 * HOUR_MS
"""An incident ends when nothing was said of it for so long."""
SERIES_MS = 2 * HOUR_MS
SUSPICIOUS = 1.0
WORTH_TELLING = 0.5


LONGEST_ADDRESS = 64
"""Characters: with a zone an IPv6 address is shorter, and a log may hold anything."""


@dataclass(frozen=True, slots=True)
class Labels:
    """What alerts call things.

    Attributes:
        keys: shape (k,), names of the profiles.
        operators: names of AS numbers.
        address: returns where an event of the round came from, as the log has it.
    """

    keys: Sequence[str]
    operators: dict[int, str]
    address: Callable[[int], str]


@dataclass(frozen=True, slots=True)
class Suspects:
    """The suspicious events up to each event: when their series began, and how many."""

    first: Ints
    count: Ints


def raise_alerts(
    day: Round, fused: Fused, families: Sequence[Evidence], labels: Labels
) -> list[Alert]:
    """Return the alerts of a round, and remember in the profiles what was said.

    Args:
        day: the round.
        fused: what its events amount to.
        families: the evidence, in the order of FAMILIES.
        labels: what alerts call things.
    """
    suspects = _suspects(day, families)
    before = np.concatenate(([0], fused.severity[:-1]))
    starts = segment_starts(day.row)
    before[starts] = day.rows["severity"][day.row[starts]]
    last = np.append(starts[1:], len(day.row)) - 1
    day.rows["severity"] = fused.severity[last]
    alerts = [
        _alert(day, fused, families, suspects, labels, i)
        for i in np.flatnonzero(fused.severity > before).tolist()
        if _is_news(day, fused, i)
    ]
    _keep(day, fused, families, last)
    return alerts


def _is_news(day: Round, fused: Fused, i: int) -> bool:
    rows, r = day.rows, int(day.row[i])
    severity, now = int(fused.severity[i]), int(day.t[i])
    leading = 1 << int(np.argmax([share[i] for share in fused.share]))
    over = now - int(rows["alerted"][r]) > QUIET_MS
    alarmed, told = (0, 0) if over else (int(rows["alarmed"][r]), int(rows["families"][r]))
    other = severity >= Severity.MEDIUM and severity >= alarmed and not told & leading
    if severity <= alarmed and not other:
        return False
    rows["alarmed"][r] = max(severity, alarmed)
    rows["families"][r] = told | leading if severity >= Severity.MEDIUM else told
    rows["alerted"][r] = now
    return True


def _alert(
    day: Round,
    fused: Fused,
    families: Sequence[Evidence],
    suspects: Suspects,
    labels: Labels,
    i: int,
) -> Alert:
    r = int(day.row[i])
    row, key, operators = day.rows[r], labels.keys[r], labels.operators
    order = sorted(range(len(FAMILIES)), key=lambda f: -float(fused.share[f][i]))
    told = []
    for f in order:
        share = float(fused.share[f][i])
        if share >= WORTH_TELLING:
            reason, seen, usual = _reason(row, fused, families, f, i)
            told.append(
                Told(
                    words.detector(reason),
                    words.observed(reason, seen, usual, operators),
                    words.expected(reason, usual, row, operators),
                    round(10.0**-share, 6),
                )
            )
    severity = Severity(int(fused.severity[i])).word
    moment = words.rfc3339(int(day.t[i]))
    name = blake2b(f"{key}\0{severity}\0{FAMILIES[order[0]]}\0{moment}".encode(), digest_size=10)
    return Alert(
        id=f"alr_{name.hexdigest()}",
        ts=moment,
        kind="anomaly",
        severity=severity,
        family=FAMILIES[order[0]],
        summary=_summary(told, learning=not day.mature[r], row=row) + _explained(fused, i),
        evidence=tuple(told),
        events=Span(words.rfc3339(int(suspects.first[i])), moment, int(suspects.count[i])),
        key=key,
        ip=_plain(labels.address(i)),
    )


def _plain(address: str) -> str:
    """Return the address, or nothing where the log holds something else in its place."""
    if len(address) > LONGEST_ADDRESS:
        return ""
    try:
        ip_address(address)
    except ValueError:
        return ""
    return address


def _summary(told: Sequence[Told], *, learning: bool, row: Rows) -> str:
    parts = [f"{one.observed}; {one.expected}" for one in told[:2]]
    more = [one.observed for one in told[2:]]
    text = ". ".join(parts) + (f". Also: {'; '.join(more)}" if more else "")
    if learning:
        text += f" (still learning, after {words.many(int(row['days']), 'day')} of use)"
    return text


def _explained(fused: Fused, i: int) -> str:
    """Say what harmless cause would explain two families at once, where that was allowed for."""
    again = fused.again[i]
    if not again:
        return ""
    causes = {"time": "a journey", "volume": "work at another hour", "behaviour": "a new version"}
    cause = next(
        said for name, said in causes.items() if fused.share[FAMILIES.index(name)][i] == again
    )
    return f". Both may be {cause}: that alone acts on no key"


def _reason(
    row: Rows, fused: Fused, families: Sequence[Evidence], f: int, i: int
) -> tuple[int, float, float]:
    at = int(fused.since[f][i])
    if at < 0:
        return (
            int(row["reason"][f]),
            float(row["observed"][f]),
            float(row["expected"][f]),
        )
    one = families[f]
    return int(one.reason[at]), float(one.observed[at]), float(one.expected[at])


def _keep(day: Round, fused: Fused, families: Sequence[Evidence], last: Ints) -> None:
    """Remember the evidence of each family as it stands after each key's last event."""
    for f, one in enumerate(families):
        since = fused.since[f][last]
        new = np.flatnonzero(since >= 0)
        at = since[new]
        day.rows["evidence"][new, f] = fused.level[f][last][new]
        day.rows["reason"][new, f] = one.reason[at]
        day.rows["observed"][new, f] = one.observed[at]
        day.rows["expected"][new, f] = one.expected[at]


def _suspects(day: Round, families: Sequence[Evidence]) -> Suspects:
    """Follow the series of suspicious events of each key; a pause of two hours ends one."""
    n = len(day.t)
    suspicious = np.zeros(n, bool)
    for one in families:
        suspicious |= one.e >= SUSPICIOUS
    at = np.flatnonzero(suspicious)
    first, count = day.t.copy(), np.ones(n, np.int64)
    if not len(at):
        return Suspects(first, count)
    row, t = day.row[at], day.t[at]
    begins = np.concatenate(([True], row[1:] != row[:-1]))
    before = np.concatenate(([0], t[:-1]))
    before[begins] = day.rows["suspected"][row[begins]]
    breaks = t - before > SERIES_MS
    carried = begins & ~breaks
    series = np.flatnonzero(begins | breaks)
    length = np.diff(np.append(series, len(at)))
    start = np.where(carried[series], day.rows["suspect"][row[series]], t[series])
    base = np.where(carried[series], day.rows["suspects"][row[series]].astype(np.int64), 0)
    group = np.repeat(np.arange(len(series)), length)
    first[at] = start[group]
    count[at] = base[group] + np.arange(len(at)) - series[group] + 1
    ends = np.flatnonzero(np.append(row[1:] != row[:-1], True))
    day.rows["suspect"][row[ends]] = first[at][ends]
    day.rows["suspected"][row[ends]] = t[ends]
    day.rows["suspects"][row[ends]] = count[at][ends]
    return Suspects(first, count)
