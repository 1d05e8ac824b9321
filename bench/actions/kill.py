"""Executors killed at 200 random moments; nothing lost, nothing twice, the order per key kept.

    python bench/actions/kill.py [--kills 200]

The tests of the suite with more kills: where all else is well (tests/actions/test_kill.py), and, half
of them on SQLite and half on PostgreSQL, while the database, the receiver of messages and the store
that keys live in fail, answer late or twice (tests/actions/test_faults.py).
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

TESTS = Path(__file__).parents[2] / "tests" / "actions"
WAYS = {"where all else is well": "test_kill.py", "among faults": "test_faults.py"}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    kills = parser.parse_args().kills
    return max(killed(kills, way, name) for way, name in WAYS.items())


def killed(kills: int, way: str, name: str) -> int:
    """Run a test with so many kills, and say how it ended."""
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(TESTS / name)],
        env={**os.environ, "KEYWATCH_TEST_KILLS": str(kills)},
        cwd=TESTS.parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    said = "held" if not done.returncode else f"failed:\n{done.stdout[-2000:]}"
    print(f"{kills} kills {way} in {time.monotonic() - began:.0f} s: {said}", flush=True)
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
