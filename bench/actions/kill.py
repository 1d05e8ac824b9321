"""Executors killed at 200 random moments; nothing lost, nothing twice, the order per key kept.

    python bench/actions/kill.py [--kills 200]

The test of the suite with more kills: see tests/actions/test_kill.py.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

TEST = Path(__file__).parents[2] / "tests" / "actions" / "test_kill.py"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    kills = parser.parse_args().kills
    began = time.monotonic()
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", str(TEST)],
        env={**os.environ, "KEYWATCH_TEST_KILLS": str(kills)},
        cwd=TEST.parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    said = "held" if not done.returncode else f"failed:\n{done.stdout[-2000:]}"
    print(f"{kills} kills in {time.monotonic() - began:.0f} s: {said}")
    return done.returncode


if __name__ == "__main__":
    sys.exit(main())
