"""Scan directories, and what is staged, beside the peers that are on the PATH, in one run.

    python bench/scan/trees.py DIRECTORY... [--rounds N]

Each DIRECTORY is scanned as a plain tree of files; where it is a git checkout, `scan --tree` and
`scan --staged` are measured too. Peers are run without verification, their reports thrown away.
The best of the rounds counts, wall and CPU seconds (of all processes) apart.
"""

import argparse
import shutil
import sys
from pathlib import Path

from history import measured

OURS = [sys.executable, "-m", "keywatch", "scan"]
PEERS = {
    "betterleaks": lambda place: ["betterleaks", "fs", "-s", "-o", "/dev/null", place],
    "kingfisher": lambda place: [
        "kingfisher", "scan", "--no-validate", "--no-update-check", "--git-history", "none",
        "--format", "json", "-o", "/dev/null", place,
    ],
    "gitleaks": lambda place: ["gitleaks", "dir", "--no-banner", place],
}  # fmt: skip


def commands(place: str) -> dict[str, list[str]]:
    named = {"keywatch": [*OURS, place]}
    if (Path(place) / ".git").exists():
        named = {
            "keywatch --tree": [*OURS, place, "--tree"],
            "keywatch --staged": [*OURS, place, "--staged"],
        }
    found = {name: make(place) for name, make in PEERS.items() if shutil.which(name)}
    return named | found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("directory", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    print(f"{'directory':24} {'scanner':18} {'wall s':>8} {'CPU s':>8}")
    for place in asked.directory:
        for name, command in commands(str(Path(place).resolve())).items():
            runs = [measured(command) for _ in range(asked.rounds)]
            wall, cpu = (min(run[n] for run in runs) for n in (0, 1))
            print(f"{Path(place).name:24} {name:18} {wall:8.2f} {cpu:8.2f}")


if __name__ == "__main__":
    main()
