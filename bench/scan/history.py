"""Scan the history of repositories and compare with git alone, in one run.

    python bench/scan/history.py REPOSITORY... [--rounds N] [--json FILE]

For each repository: the floor is `git cat-file --batch-all-objects --batch --unordered --buffer`
into nothing; ours is `keywatch scan REPOSITORY`, process start, attribution and report included,
with the compiled rules in the cache. The best of the rounds counts, wall and CPU seconds (of all
processes) apart: on a busy machine the CPU seconds are what to look at.
"""

import argparse
import json
import os
import platform
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path


def measured(command: list[str], cwd: str | None = None) -> tuple[float, float, int]:
    """Run a command; return wall seconds, CPU seconds of all its processes, code."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    begun = time.perf_counter()
    code = subprocess.run(
        command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False
    ).returncode
    wall = time.perf_counter() - begun
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu, code


def floor(repository: str) -> tuple[float, float, int]:
    return measured(
        ["git", "-C", repository, "cat-file", "--batch-all-objects", "--batch", "--unordered",
         "--buffer"]
    )  # fmt: skip


def ours(repository: str, receipt: str) -> tuple[float, float, int]:
    return measured(
        [sys.executable, "-m", "keywatch", "scan", repository, "--receipt", receipt],
        cwd=tempfile.gettempdir(),
    )


def compare(repository: str, rounds: int) -> dict[str, str | int | float]:
    with tempfile.NamedTemporaryFile() as receipt:
        ours(repository, receipt.name)  # fills the cache of compiled rules and the disk's
        pairs = [(floor(repository), ours(repository, receipt.name)) for _ in range(rounds)]
        told = json.loads(Path(receipt.name).read_text())
    git_wall, git_cpu = (min(git[n] for git, _ in pairs) for n in (0, 1))
    wall, cpu = (min(own[n] for _, own in pairs) for n in (0, 1))
    return {
        "repository": str(Path(repository)),
        "objects": told["objects"]["total"]["count"],
        "megabytes": round(told["objects"]["total"]["bytes"] / 1e6, 1),
        "rules": told["rules"]["count"],
        "findings": told["findings"],
        "git_wall_s": round(git_wall, 2),
        "git_cpu_s": round(git_cpu, 2),
        "wall_s": round(wall, 2),
        "cpu_s": round(cpu, 2),
        "wall_ratio": round(wall / git_wall, 2),
        "cpu_ratio": round(cpu / git_cpu, 2),
        "exit_code": pairs[-1][1][2],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("repositories", nargs="+")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    print(f"{platform.processor() or platform.machine()}, {os.cpu_count()} cores, load {load:.1f}")
    results = []
    for repository in asked.repositories:
        result = compare(repository, asked.rounds)
        results.append(result)
        print("  ".join(f"{name}={value}" for name, value in result.items()), flush=True)
    if asked.json:
        Path(asked.json).write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
