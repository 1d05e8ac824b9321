"""Events per second of `keywatch replay` and `keywatch watch --once`, process start included.

    python bench/pipeline/speed.py [--events N] [--keys 400 1000000]

Prints one row a run: wall and CPU seconds, events a second of CPU (other work on the machine moves
it less than the wall clock), and peak memory.
"""

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from traffic import write

OUT = Path(__file__).parent.parent / "out"


def run(*arguments: str, database: str) -> tuple[float, float, float]:
    """Run keywatch and return wall seconds, CPU seconds and peak memory in MB."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    subprocess.run(
        [sys.executable, "-m", "keywatch", *arguments],
        env={**os.environ, "KEYWATCH_DATABASE": database},
        check=True,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wall = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, after.ru_maxrss / 1024


def main() -> None:
    """Measure both commands at each number of keys."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--events", type=int, default=1_000_000)
    parser.add_argument("--keys", type=int, nargs="+", default=[400, 1_000_000])
    arguments = parser.parse_args()
    print(f"{'command':8}{'keys':>9}{'wall s':>9}{'cpu s':>9}{'events/cpu s':>13}{'peak MB':>9}")
    for keys in arguments.keys:
        log = write(keys, arguments.events, OUT / f"traffic-{keys}-{arguments.events}.log")
        with tempfile.TemporaryDirectory() as folder:
            for name, words in {
                "replay": ("replay", str(log), "--format", "nginx-json", "--alerts", os.devnull),
                "watch": ("watch", "--access-log", str(log), "--format", "nginx-json", "--once"),
            }.items():
                wall, cpu, peak = run(*words, database=f"sqlite:///{folder}/{name}.db")
                rate = arguments.events / cpu
                print(f"{name:8}{keys:>9}{wall:>9.2f}{cpu:>9.2f}{rate:>13.0f}{peak:>9.0f}")


if __name__ == "__main__":
    main()
