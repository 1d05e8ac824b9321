"""Score the volume detector on series of the Numenta Anomaly Benchmark, in its own way.

    python bench/detect/nab.py FOLDER

FOLDER holds the series (CSV, gzipped or not) and anomaly_windows.json. Each series becomes the
requests of one key, about 40 in a mean five minutes, evenly within them. An alert is a detection at
the five minutes in which it was raised. The score is that of the profile `standard` (a detection in
a window counts more the earlier it comes, a missed window -1, a false one -0.11, the first 15 %
count for nothing), from 0 for silence to 100 for one detection at each window's beginning:
Lavin and Ahmad, "Evaluating Real-time Anomaly Detection Algorithms" (2015).
"""

import argparse
import csv
import gzip
import json
import math
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from log import Line, batch_of

from detectors.geoip import GeoReader
from detectors.watcher import Watcher

MEAN, BIN_S, BATCH = 40.0, 300, 65536
PROBATION, MOST_PROBATION = 0.15, 750
MISSED, FALSE = 1.0, 0.11
SEVERITIES = ("low", "medium", "high")


def series(file: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the epoch seconds and the values of a series."""
    raw = file.read_bytes()
    lines = (gzip.decompress(raw) if file.suffix == ".gz" else raw).decode().splitlines()
    rows = [(row["timestamp"], float(row["value"])) for row in csv.DictReader(lines)]
    return np.array([seconds(t) for t, _ in rows]), np.array([value for _, value in rows])


def seconds(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()


def requests(begins: np.ndarray, values: np.ndarray) -> Iterator[list[Line]]:
    lines: list[Line] = []
    scale = MEAN / max(values.mean(), 1e-9)
    for begin, value in zip(begins.tolist(), values.tolist(), strict=True):
        n = round(value * scale)
        for i in range(n):
            at = datetime.fromtimestamp(begin + (i + 0.5) * BIN_S / n, UTC)
            lines.append(Line(at, "key", "8.8.8.8", "GET", "/v1/orders", 200, 512, "acme/1"))
        if len(lines) >= BATCH:
            yield lines
            lines = []
    if lines:
        yield lines


def alerts(begins: np.ndarray, values: np.ndarray) -> list[tuple[float, str]]:
    """Return when the key was alerted about, and how severely."""
    watcher = Watcher(None, GeoReader(), clock=lambda: math.inf)
    return [
        (datetime.fromisoformat(alert.ts).timestamp(), alert.severity)
        for lines in requests(begins, values)
        for alert in watcher.step(batch_of(lines), {}).alerts
    ]


def score(begins: np.ndarray, windows: list[tuple[int, int]], hits: list[int]) -> float:
    """Return the raw score of detections (indices) against windows (first and last index)."""
    start = min(int(PROBATION * len(begins)), MOST_PROBATION)
    total, caught = 0.0, set()
    for hit in sorted(set(hits)):
        if hit < start:
            continue
        inside = next((w for w in windows if w[0] <= hit <= w[1]), None)
        if inside is None:
            total += FALSE * after(hit, windows)
        elif inside not in caught:
            caught.add(inside)
            total += sigmoid(-(inside[1] - hit + 1) / (inside[1] - inside[0] + 1)) / sigmoid(-1.0)
    return total - MISSED * len([w for w in windows if w not in caught])


def after(hit: int, windows: list[tuple[int, int]]) -> float:
    """Return what a false detection costs: less so soon after a window."""
    before = [w for w in windows if w[1] < hit]
    if not before:
        return -1.0
    first, last = before[-1]
    return sigmoid((hit - last) / max(last - first, 1))


def sigmoid(position: float) -> float:
    return -1.0 if position > 3.0 else 2.0 / (1.0 + math.exp(5.0 * position)) - 1.0


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path)
    args = parser.parse_args()
    named = json.loads((args.folder / "anomaly_windows.json").read_text())
    totals = dict.fromkeys(SEVERITIES, 0.0)
    count = 0
    print(f"{'series':34}{'windows':>8}" + "".join(f"{s:>16}" for s in SEVERITIES))
    for name, spans in named.items():
        stem = Path(name).name
        file = next((f for f in args.folder.glob(f"{stem}*") if f.suffix in (".csv", ".gz")), None)
        if file is None:
            continue
        begins, values = series(file)
        windows = [
            (int(np.searchsorted(begins, seconds(a))), int(np.searchsorted(begins, seconds(b))))
            for a, b in spans
        ]
        found = alerts(begins, values)
        cells = []
        for i, severity in enumerate(SEVERITIES):
            hits = [
                int(np.searchsorted(begins, at, side="right")) - 1
                for at, said in found
                if said in (*SEVERITIES, "critical")[i:]
            ]
            raw = score(begins, windows, hits)
            totals[severity] += raw
            cells.append(f"{100 * (raw + len(windows)) / (2 * len(windows)):8.1f} ({len(hits)})")
        count += len(windows)
        print(f"{stem:34}{len(windows):>8}" + "".join(f"{cell:>16}" for cell in cells), flush=True)
    cells = [f"{100 * (totals[s] + count) / (2 * count):8.1f}" for s in SEVERITIES]
    print(f"{'all':34}{count:>8}" + "".join(f"{cell:>16}" for cell in cells))


if __name__ == "__main__":
    main()
