"""Workers that share a topic: events a second with one and two, and what that means for a hundred.

    python bench/pipeline/workers.py [--events 600000] [--keys 400] [--workers 1 2] [--partitions 12]

Starts a PostgreSQL and a Kafka of its own (tests/services), fills a topic, and lets `keywatch watch`
read it with `watch.shared`. Counted is from the first tenth to the last, when everybody has begun.
Wall clock and CPU seconds are told: broker, database and workers share this machine's processors,
so that the wall clock stops scaling where they are all busy; what each takes of them does not.
Then the same numbers for more workers: keys fall on partitions by chance, partitions on workers in
equal numbers, so the busiest worker has more than its share. Both are drawn, not measured.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np
import psycopg
import traffic
from kafka import KafkaProducer
from kafka.admin import KafkaAdminClient, NewTopic

from database.transaction import open_database
from keywatch.status import status

SERVICES = Path(__file__).parents[2] / "tests" / "services"
TOPIC = "bench"
CONFIG = """
database = "{database}"
[watch]
shared = true
[[sources]]
type = "kafka"
topic = "bench"
group = "{group}"
brokers = ["{broker}"]
format = "nginx-json"
"""
TICK = os.sysconf("SC_CLK_TCK")
PATIENCE_S = 900.0


@contextmanager
def service(*script: str) -> Iterator[tuple[str, Path]]:
    """Yield the address of a service, and its folder, while the block runs."""
    with tempfile.TemporaryDirectory(prefix="keywatch-bench-", dir="/var/tmp") as name:
        folder = Path(name)
        folder.chmod(0o755)
        start = subprocess.run(
            [*script, "start", name], check=True, stdout=subprocess.PIPE, text=True
        )
        try:
            yield start.stdout.strip(), folder
        finally:
            subprocess.run([*script, "stop", name], check=True)


def cpu_s(pid: int, *, children: bool = False) -> float:
    """Return the CPU seconds that a process has used, with those of its children on demand."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    except FileNotFoundError:
        return 0.0
    own = sum(map(int, fields[11 : 15 if children else 13])) / TICK
    if not children:
        return own
    alive = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return own + sum(cpu_s(int(one)) for one in alive)


def filled(broker: str, keys: int, events: int, partitions: int) -> int:
    """Fill the topic, keyed by key id; return the number of records."""
    admin = KafkaAdminClient(bootstrap_servers=broker)
    admin.create_topics([NewTopic(TOPIC, partitions, 1)])
    admin.close()
    producer = KafkaProducer(bootstrap_servers=broker, linger_ms=50, batch_size=256 * 1024)
    for one in traffic.lines(keys, events):
        key = one[one.rindex('"key_') + 1 :].split('"')[0]
        producer.send(TOPIC, one.rstrip().encode(), key=key.encode())
    producer.close()
    return events


def measured(
    folder: Path, server: str, broker: str, count: int, events: int, others: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Return events, wall seconds, and CPU seconds of the workers, and of the database and broker.

    Args:
        folder: for configuration and log.
        server: URL of the PostgreSQL.
        broker: of the topic.
        count: of workers.
        events: in the topic.
        others: process ids of the database and the broker.
    """
    name = f"workers_{count}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    url = f"{server.rsplit('/', 1)[0]}/{name}".replace("postgresql://", "postgresql+psycopg://")
    engine = open_database(url)
    config = folder / f"{name}.toml"
    config.write_text(CONFIG.format(database=url, broker=broker, group=name))
    command = [sys.executable, "-m", "keywatch", "--config", str(config), "watch"]
    with (folder / f"{name}.log").open("wb") as log:
        workers = [subprocess.Popen(command, stdout=log, stderr=log) for _ in range(count)]

    def reach(least: int) -> tuple[int, float, float, float]:
        end = time.monotonic() + PATIENCE_S
        while (read := status(engine)["events"]["read"]) < least:
            if time.monotonic() > end or any(one.poll() is not None for one in workers):
                sys.exit((folder / f"{name}.log").read_text()[-2000:])
            time.sleep(0.05)
        used = sum(cpu_s(one.pid) for one in workers)
        return read, time.perf_counter(), used, cpu_s(others[0], children=True) + cpu_s(others[1])

    try:
        before, after = reach(events // 10), reach(events)
    finally:
        for one in workers:
            one.terminate()
        for one in workers:
            one.wait()
        engine.dispose()
    return tuple(b - a for a, b in zip(before, after, strict=True))  # type: ignore[return-value]


def busiest(workers: int, partitions: int, keys: int, skew: float, seed: int = 1) -> float:
    """Return how many times its fair share the busiest worker has.

    Args:
        workers: each with as many partitions as the others, or one more.
        partitions: of the topic; a key's partition is drawn.
        keys: whose traffic is that of a Zipf law.
        skew: its exponent; 0 for keys that are used alike.
        seed: of what is drawn.
    """
    random = np.random.default_rng(seed)
    weight = np.arange(1, keys + 1) ** -skew
    load = np.bincount(random.integers(0, partitions, keys), weight, partitions)
    each = np.bincount(np.arange(partitions) % workers, load, workers)
    return float(each.max() / each.mean())


def main() -> None:
    """Measure, and reckon for a hundred."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=600_000)
    parser.add_argument("--keys", type=int, default=400)
    parser.add_argument("--workers", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--partitions", type=int, default=12)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        server, data = stack.enter_context(service(str(SERVICES / "postgres.sh")))
        broker, place = stack.enter_context(
            service(sys.executable, str(SERVICES / "kafka" / "broker.py"))
        )
        events = filled(broker, arguments.keys, arguments.events, arguments.partitions)
        others = (
            int((data / "data" / "postmaster.pid").read_text().split()[0]),
            int((place / "pid").read_text()),
        )
        print(f"{events} records of {arguments.keys} keys in {arguments.partitions} partitions")
        heads = ("workers", "events/s", "times one", "per worker CPU s", "rest, CPU us/event")
        print("".join(f"{head:>20}" for head in heads))
        first = rate = rest = 0.0
        for count in arguments.workers:
            done, wall, used, served = measured(folder, server, broker, count, events, others)
            speed, rate, rest = done / wall, done / used, served / done
            first = first or speed
            row = (str(count), f"{speed:,.0f}", f"{speed / first:.2f}", f"{rate:,.0f}")
            print("".join(f"{value:>20}" for value in (*row, f"{rest * 1e6:.1f}")), flush=True)
    reckon(rate, rest)


def reckon(rate: float, rest: float, workers: int = 100) -> None:
    """Print what a hundred workers with a processor each would take, by the partitions there are."""
    print(f"\n{workers} workers with a processor each, a million keys, reckoned from the last row")
    heads = ("partitions", "keys used alike", "by a Zipf law of 0.8", "processors for the rest")
    print("".join(f"{head:>24}" for head in heads))
    for partitions in (workers, 4 * workers, 16 * workers):
        alike, skewed = (
            workers * rate / busiest(workers, partitions, 1_000_000, skew) for skew in (0.0, 0.8)
        )
        row = (str(partitions), f"{alike:,.0f}", f"{skewed:,.0f}", f"{alike * rest:.0f}")
        print("".join(f"{value:>24}" for value in row))


if __name__ == "__main__":
    main()
