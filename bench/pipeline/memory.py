"""Memory over a long stream: keys come and go, and what is kept of them stays bounded.

    python bench/pipeline/memory.py [--lines N] [--living KEYS] [--in-memory PROFILES]

Every tenth line or so brings a key and an address that were never seen before; a key is used for
a while and then no more. Prints a row for every twentieth of the stream: resident memory once what
is free was given back, as `keywatch watch` does every ten seconds, profiles in memory, and what the
database holds; in the end by how much memory grew over the second half, a straight line through
its rows, and what that would be over a hundred million lines. The whole of those is
`--lines 100000000`, half an hour or so.
"""

import argparse
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from sqlalchemy import func, select
from traffic import AGENTS, PATHS, START

from database.schema import profile_deltas, profiles
from database.transaction import open_database, reading
from detectors.geoip import GeoReader
from detectors.watcher import Watcher, WatchSettings
from keywatch.pipeline import Pipeline
from keywatch.replay import KeyList
from streams import formats
from streams.chunk import Chunk
from vocabulary.memory import give_back

CHUNK = 50_000
NEW = 10
"""One line in so many brings a new key."""


def chunks(lines: int, living: int) -> Iterator[Chunk]:
    """Yield the stream; about `living` keys are in use at a time."""
    random = np.random.default_rng(3)
    start_ms = int(START.timestamp() * 1000)
    for begin in range(0, lines, CHUNK):
        number = np.arange(begin, begin + CHUNK)
        key = number // NEW + random.integers(0, living, CHUNK)
        path = random.integers(0, len(PATHS), CHUNK)
        made = [
            f'{{"msec":{(start_ms + n * 20) / 1000},"remote_addr":"{11 + k % 180}.{k // 180 % 250}.'
            f'{k // 45000 % 250}.{1 + n % 2}","request":"GET {PATHS[p]} HTTP/1.1","status":200,'
            f'"body_bytes_sent":512,"http_user_agent":"{AGENTS[k % 4]}","api_key_id":"key_{k:09d}"}}'
            for n, k, p in zip(number.tolist(), key.tolist(), path.tolist(), strict=True)
        ]
        yield Chunk(
            "bench", [one.encode() for one in made], number.tolist(), {"offset": begin + CHUNK}
        )


def rss_mib() -> float:
    """Return the resident memory of this process."""
    with Path("/proc/self/status").open() as file:
        return next(int(line.split()[1]) for line in file if line.startswith("VmRSS")) / 1024


def main() -> None:
    """Run the stream and print what it takes."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lines", type=int, default=20_000_000)
    parser.add_argument("--living", type=int, default=20_000)
    parser.add_argument("--in-memory", type=int, default=40_000)
    arguments = parser.parse_args()
    titles = ("lines", "keys seen", "RSS MiB", "in memory", "stored", "journal", "cpu s")
    print("".join(f"{title:>12}" for title in titles))
    rows: list[tuple[int, float]] = []
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{folder}/memory.db")
        settings = WatchSettings(profiles_in_memory=arguments.in_memory)
        watcher = Watcher(engine, GeoReader(), settings)
        pipeline = Pipeline(
            engine, watcher, lambda lines: (lines, ()), KeyList(), lambda _, alert: alert, time.time
        )
        log_format, every = formats.find("nginx-json"), max(arguments.lines // 20 // CHUNK, 1)
        for i, chunk in enumerate(chunks(arguments.lines, arguments.living), 1):
            pipeline.absorb(chunk, log_format)
            if i % every == 0:
                give_back()
                with reading(engine) as connection:
                    stored = connection.scalar(select(func.count()).select_from(profiles))
                    journal = connection.scalar(select(func.count()).select_from(profile_deltas))
                seen = i * CHUNK // NEW + arguments.living
                rows.append((i * CHUNK, rss_mib()))
                row = (i * CHUNK, seen, f"{rows[-1][1]:.0f}", watcher.profiles, stored, journal)
                print("".join(f"{value:>12}" for value in (*row, f"{time.process_time():.0f}")))
        engine.dispose()
    told(rows)


def told(rows: list[tuple[int, float]]) -> None:
    """Print how memory grew over the second half of the stream.

    Args:
        rows: lines read and resident MiB.
    """
    lines, resident = np.array(rows[len(rows) // 2 :]).T
    slope = np.polyfit(lines / 1e6, resident, 1)[0]
    print(f"second half: {slope:+.2f} MiB a million lines, {100 * slope:+.0f} MiB over 100 million")


if __name__ == "__main__":
    main()
