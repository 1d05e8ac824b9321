"""`keywatch watch` killed at 200 random moments, with files, a topic of Kafka, and HTTP.

    python bench/pipeline/kill.py [--kills 200]

The tests of the suite with more kills: see tests/keywatch/test_watch_kill.py. After each stream the
alerts, effects, states of keys and counts are those of one undisturbed run.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

TEST = Path(__file__).parents[2] / "tests" / "keywatch" / "test_watch_kill.py"
WAYS = {"files": "file", "Kafka": "topic", "HTTP": "posted"}


def main() -> int:
    """Run the tests, one way after the other."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=200)
    kills = parser.parse_args().kills
    failed = 0
    for name, word in WAYS.items():
        began = time.monotonic()
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-q", str(TEST), "-k", word],
            env={**os.environ, "WATCH_KILLS": str(kills), "CI": "true"},  # nothing is skipped
            cwd=TEST.parents[2],
            capture_output=True,
            text=True,
            check=False,
        )
        held = "nothing lost, nothing twice, counts equal"
        said = f"failed:\n{done.stdout[-2000:]}" if done.returncode else held
        print(f"{name}: {kills} kills in {time.monotonic() - began:.0f} s: {said}", flush=True)
        failed = failed or done.returncode
    return failed


if __name__ == "__main__":
    sys.exit(main())
