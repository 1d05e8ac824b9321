"""Events a second of Watcher.step(), and memory a key, from few keys to many.

    python bench/detect/speed.py [--keys 400 10000 1000000] [--batches 24] [--size 65536] [--zipf S]

Made-up traffic: every key is as likely as any other (the worst case for locality), or as likely as
one over the S-th power of its rank, as keys are of an API that many use; each has its own network
and client, and takes its requests from twelve endpoints and a thousand objects. Four
figures a size: profiles being made (the first visit of a key), scored within a day, and scored on
the next day, when every key's first event closes its profile's day; and then 400 of the keys alone,
which tells what it costs to know all the others.
"""

import argparse
import math
import resource
import time
from pathlib import Path

import numpy as np

from detectors.geoip import GeoReader
from detectors.watcher import Watcher
from vocabulary.access import EventBatch

BUSY = 400
START_MS = 1_788_739_200_000
DAY_MS = 86_400_000
AGENTS = ("acme-cli/2.3.1", "curl/8.4.0", "python-requests/2.31.0", "okhttp/4.2.0")
PATHS = [f"/v1/{what}/{i}" for what in ("orders", "users", "files") for i in range(333)]
IPS = [f"{a}.{b}.{c}.{d}" for a in (8, 81, 93) for b in range(8) for c in range(32) for d in (1, 2)]


def batch(
    rng: np.random.Generator, names: list[str], size: int, start_ms: int, zipf: float = 0.0
) -> EventBatch:
    if zipf:
        shares = np.cumsum(np.arange(1, len(names) + 1) ** -zipf)
        owner = np.searchsorted(shares, rng.random(size) * shares[-1])
    else:
        owner = rng.integers(0, len(names), size)
    used, key = np.unique(owner, return_inverse=True)
    order = np.argsort(key, kind="stable")
    ts = np.sort(start_ms + rng.integers(0, 600_000, size))
    # As a log format gives them: each distinct string once.
    return EventBatch(
        [names[i] for i in used.tolist()], key[order].astype(np.int32), np.arange(size)[order],
        ts[order], IPS, (owner % len(IPS))[order].astype(np.int32), ["GET", "POST"],
        rng.integers(0, 2, size).astype(np.int32), PATHS,
        rng.integers(0, len(PATHS), size).astype(np.int32), AGENTS,
        (owner % len(AGENTS))[order].astype(np.int32), np.full(size, 200, np.int32),
        np.full(size, 512, np.int64), np.ones(size, bool),
    )  # fmt: skip


def measure(keys: int, size: int, count: int, zipf: float) -> None:
    rng = np.random.default_rng(1)
    names = [f"key_{i:016x}" for i in range(keys)]
    before = rss_mib()
    watcher = Watcher(geo=GeoReader(), clock=lambda: math.inf)
    many = max(count, math.ceil(2.5 * keys / size))
    rates = []
    few = names[:BUSY]
    visits = ((0, many, names), (0.5, count, names), (1.5, count, names), (2.5, count, few))
    for day, n, of in visits:
        start = START_MS + int(day * DAY_MS)
        made = [batch(rng, of, size, start + i * 60_000, zipf) for i in range(min(n, 8))]
        spent = 0.0
        for i in range(n):
            one = made[i] if i < len(made) else batch(rng, of, size, start + i * 60_000, zipf)
            began = time.process_time()
            watcher.step(one, {})
            spent += time.process_time() - began
        rates.append(n * size / spent)
    grown = (rss_mib() - before) * 1024 * 1024 / keys
    columns = "".join(f"{rate:>11,.0f}" for rate in rates)
    print(f"{keys:>9,} keys{columns}   {grown:>9,.0f} B a key in memory", flush=True)


def rss_mib() -> float:
    with Path("/proc/self/status").open() as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--keys", type=int, nargs="+", default=[400, 10_000, 1_000_000])
    parser.add_argument("--batches", type=int, default=24)
    parser.add_argument("--size", type=int, default=65536)
    parser.add_argument("--zipf", type=float, default=0.0)
    args = parser.parse_args()
    print(
        f"{'':14}{'making':>11}{'same day':>11}{'next day':>11}{f'{BUSY} of them':>11}"
        "   (events a second of CPU in step)"
    )
    for keys in args.keys:
        measure(keys, args.size, args.batches, args.zipf)
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:,.0f} MiB")


if __name__ == "__main__":
    main()
