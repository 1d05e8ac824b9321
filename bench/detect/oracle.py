"""How many staged bursts could be told at all, by whoever knows all days of a key at once.

    python bench/detect/oracle.py DIR...

A statistic of the minute counts (requests in a window, how many deviations they are above what the
other weeks had at that hour, or above the last hour, the likelihood ratio of a tenfold rate) has a
daily maximum on each of the key's days. A burst is told if it is above all of them, above all but
one, or above all but five: nobody who looks at this statistic, however he chooses his threshold,
tells more bursts for as few false alerts. Weeks are compared with the other weeks, later ones too.
Last, every burst is spread evenly over its window, as the generator does not.
"""

import json
import sys
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

import numpy as np
from log import batches

from detectors.chance import Floats, excess
from vocabulary.access import Flags, Ints

DAY, WEEK, SHAPE, TENFOLD = 1440, 10080, 8.0, 10.0
WIDTHS = (1, 2, 5, 10, 30, 60)
SPARE = (0, 1, 5)
Level = tuple[int, int]
Span = tuple[int, int]


def minute_counts(folder: Path, start_ms: int, days: int, keys: set[str]) -> dict[str, Ints]:
    """Return of some keys the requests in each minute of the benchmark's days."""
    found = {key: np.zeros(days * DAY, np.int64) for key in keys}
    for batch in batches(folder, 65536):
        minute = (batch.ts_ms - start_ms) // 60_000
        edges = np.searchsorted(batch.key, np.arange(len(batch.keys) + 1))
        for i, key in enumerate(batch.keys):
            if key in found:
                here = minute[edges[i] : edges[i + 1]]
                here = here[(here >= 0) & (here < days * DAY)]
                found[key] += np.bincount(here, minlength=days * DAY)
    return found


def in_window(counts: Ints, width: int) -> Floats:
    """Return the requests in the minutes up to each one."""
    total = np.concatenate((np.zeros(width), np.cumsum(counts)))
    return np.asarray(total[width:] - total[:-width], np.float64)


def statistics(counts: Ints, own: Flags) -> dict[str, Floats]:
    """Return every statistic of each minute; `own` are the minutes without the burst."""
    found = {}
    minute = np.arange(len(counts))
    slot, week = minute // 60 % 168, minute // WEEK
    for width in WIDTHS:
        n = in_window(counts, width)
        found[f"requests in {width} min"] = n
        usual, size = np.zeros(len(n)), np.zeros(len(n))
        for one in range(int(week[-1]) + 1):
            usual_at, size_at = others(n, slot, own & (week != one))
            here = week == one
            usual[here], size[here] = usual_at[slot[here]], size_at[slot[here]]
        usual += 0.5
        hour = (in_window(counts, 60 + width) - n) * width / 60
        found[f"above this hour of the other weeks, {width} min"] = excess(n, usual, SHAPE)
        found[f"above the last hour, too, {width} min"] = excess(n, np.maximum(usual, hour), SHAPE)
        rate = np.log((size + usual) / (size + TENFOLD * usual))
        found[f"likelihood ratio, {width} min"] = n * np.log(TENFOLD) + (n + size) * rate
    return found


def others(n: Floats, slot: Ints, use: Flags) -> tuple[Floats, Floats]:
    """Return the mean of each hour of the week, and the size of a negative binomial around it."""
    weight = np.maximum(np.bincount(slot[use], minlength=168), 1)
    mean = np.bincount(slot[use], n[use], 168) / weight
    more = np.bincount(slot[use], n[use] ** 2, 168) / weight - mean * mean - mean
    return mean, np.clip(mean * mean / np.maximum(more, 1e-9), 0.05, 30.0)


def told(counts: Ints, begin: int, end: int, spans: Sequence[Span]) -> dict[str, list[bool]]:
    """Return of each statistic whether it tells the burst, for each number of days to spare.

    Args:
        counts: shape (minutes,).
        begin: the first minute of the burst.
        end: the minute after it.
        spans: the burst and all else that was staged on the key: none of that is its own.
    """
    own, days = np.ones(len(counts), bool), np.ones(len(counts) // DAY, bool)
    for first, last in spans:
        own[first : last + 60] = False
        days[first // DAY : (last + 60) // DAY + 1] = False
    found = {}
    for name, values in statistics(counts, own).items():
        highest = np.sort(values.reshape(-1, DAY).max(axis=1)[days])[::-1]
        found[name] = [bool(values[begin : end + 5].max() > highest[k]) for k in SPARE]
    found["any of these"] = [any(one[k] for one in found.values()) for k in range(len(SPARE))]
    return found


def evenly(counts: Ints, begin: int, end: int) -> Ints:
    """Return the counts with those of the burst's window in no particular minute of it."""
    n = int(counts[begin:end].sum())
    spread = counts.copy()
    each = np.full(end - begin, 1 / (end - begin))
    spread[begin:end] = np.random.default_rng(begin).multinomial(n, each)
    return spread


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).timestamp() * 1000)


def judge(folder: Path, hits: dict[str, dict[Level, list[list[bool]]]]) -> None:
    meta = json.loads((folder / "meta.json").read_text())
    start = milliseconds(meta["start"])
    days = (milliseconds(meta["end"]) - start) // 60_000 // DAY
    rows = [json.loads(line) for line in (folder / "truth.jsonl").open()]
    bursts = [row for row in rows if row["scenario"] == 8]
    spans = defaultdict(list)
    for row in rows:
        begin = (milliseconds(row["start"]) - start) // 60_000
        end = -((start - milliseconds(row["end"])) // 60_000)
        for key in row.get("keys", [row.get("key")]) if row["events"] else []:
            spans[key].append((begin, end))
    counts = minute_counts(folder, start, days, {row["key"] for row in bursts})
    for row in bursts:
        begin = (milliseconds(row["start"]) - start) // 60_000
        end = -((start - milliseconds(row["end"])) // 60_000)
        level = (row["level"]["factor"], row["level"]["minutes"])
        of_key, staged = counts[row["key"]], spans[row["key"]]
        for name, one in told(of_key, begin, end, staged).items():
            hits[name][level].append(one)
        even = told(evenly(of_key, begin, end), begin, end, staged)
        hits["any of these, bursts spread evenly"][level].append(even["any of these"])


def main() -> None:
    hits: dict[str, dict[Level, list[list[bool]]]] = defaultdict(lambda: defaultdict(list))
    for folder in map(Path, sys.argv[1:]):
        judge(folder, hits)
    levels = sorted(next(iter(hits.values())), key=lambda level: (-level[1], -level[0]))
    print(f"{'':46}" + "".join(f"{f'x{factor}, {m} min':>18}" for factor, m in levels))
    for name, by_level in hits.items():
        shares = (np.mean(by_level[level], axis=0) for level in levels)
        print(f"{name:46}" + "".join(f"{' '.join(f'{x:.2f}' for x in one):>18}" for one in shares))


if __name__ == "__main__":
    main()
