"""How long a change of a key takes to reach a follower: in process, by NOTIFY, by Redis, by looking.

    python bench/keystore/feed.py [--changes N] [--postgresql URL] [--redis URL]

A follower waits for a bell and reads the feed; the clock runs from before the key is throttled to
when the follower has read the change. Prints median, 99th percentile and worst, in milliseconds.
"""

import argparse
import tempfile
import time
from contextlib import nullcontext
from pathlib import Path
from threading import Event, Thread

from database.transaction import open_database, reading
from keystore import feed
from keystore.bells import hearing, ringing_redis
from keystore.issue import KeyOrder
from keystore.store import KeyStore

POLL_S = 0.02


def measure(url: str, changes: int, redis: str, *, bell: bool) -> list[float]:
    """Return milliseconds from the beginning of each change to its being read."""
    ours, theirs = open_database(url), open_database(url)
    store = KeyStore(ours)
    key = store.create(KeyOrder(), actor="bench").key.id
    seen: list[float] = [0.0] * (changes + 2)
    stop, rang = Event(), Event()

    def follow() -> None:
        known = 0
        while not stop.is_set():
            rang.wait(5.0 if bell else POLL_S)
            rang.clear()
            with reading(theirs) as connection:
                newest = feed.head(connection)
            for seq in range(known + 1, min(newest, changes + 1) + 1):
                seen[seq] = time.perf_counter()
            known = newest

    with hearing(theirs, rang.set, redis) if bell else nullcontext():
        Thread(target=follow, daemon=True).start()
        with ringing_redis(ours, redis) if redis else nullcontext():
            time.sleep(1.0)
            took = [change(store, key, number, seen) for number in range(changes)]
        stop.set()
    ours.dispose()
    theirs.dispose()
    return sorted(took)


def change(store: KeyStore, key: str, number: int, seen: list[float]) -> float:
    """Throttle the key and wait until the follower has read it."""
    began = time.perf_counter()
    seq = store.throttle(key, per_min=number + 1, actor="bench").change_seq
    while not seen[seq]:
        time.sleep(0.0002)
    return (seen[seq] - began) * 1000


def main() -> None:
    """Measure every way that can be had."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--changes", type=int, default=300)
    parser.add_argument("--postgresql", default="")
    parser.add_argument("--redis", default="")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        ways = [
            ("SQLite, looking every 20 ms", f"sqlite:///{Path(folder) / 'a.db'}", "", False),
            ("SQLite, in process", f"sqlite:///{Path(folder) / 'b.db'}", "", True),
        ]
        if arguments.redis:
            ways.append(
                ("SQLite, Redis", f"sqlite:///{Path(folder) / 'c.db'}", arguments.redis, True)
            )
        if arguments.postgresql:
            ways.append(("PostgreSQL, NOTIFY", arguments.postgresql, "", True))
        for name, url, redis, bell in ways:
            took = measure(url, arguments.changes, redis, bell=bell)
            median, late = took[len(took) // 2], took[int(len(took) * 0.99)]
            print(f"{name:28} p50 {median:6.1f} ms  p99 {late:6.1f} ms  worst {took[-1]:6.1f} ms")


if __name__ == "__main__":
    main()
