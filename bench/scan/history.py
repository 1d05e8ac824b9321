"""Scan the history of repositories and compare with git alone and with peers, in one run.

    python bench/scan/history.py REPOSITORY... [--rounds N] [--json FILE]

For each repository: the floor is `git cat-file --batch-all-objects --batch --unordered --buffer`
into nothing; ours is `keywatch scan REPOSITORY`, process start, attribution and report included,
with the compiled rules in the cache and nothing remembered of earlier scans (`--no-cache`); and once
more as a second scan, which reads what is new. Peers are those that are on PATH (Kingfisher,
betterleaks, gitleaks), each over the whole history and without asking providers, in a copy with a
`.git`: Kingfisher takes a bare repository for a folder of files. The best of the rounds counts, wall and CPU seconds (of all processes) apart: on a busy machine the CPU seconds are
what to look at. On Linux, memory is that of our own processes together, from a run of its own.
"""

import argparse
import json
import os
import platform
import resource
import shutil
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


def anonymous(command: list[str], cwd: str) -> tuple[int, int]:
    """Run a command; return the most MB that its Python processes held, all of them at once.

    Returns:
        Anonymous memory, each page counted once whoever shares it, and resident memory with
        what is mapped of files, of the largest process. Git's own processes are left out.
    """
    process = subprocess.Popen(
        command, cwd=cwd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    most = largest = 0
    while process.poll() is None:
        rolled = [told for pid in _with_children(process.pid) if (told := _rolled(pid))]
        most = max(most, sum(told["Pss_Anon"] for told in rolled))
        largest = max([largest, *(told["Rss"] for told in rolled)])
        time.sleep(0.05)
    return round(most / 1024), round(largest / 1024)


def _with_children(pid: int) -> list[int]:
    try:
        told = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return [pid]
    return [pid, *map(int, told.split())]


def _rolled(pid: int) -> dict[str, int]:
    """Return what the system tells of a process's memory, in kB; nothing of git's."""
    folder = Path(f"/proc/{pid}")
    try:
        if (folder / "comm").read_text().startswith("git"):
            return {}
        lines = (folder / "smaps_rollup").read_text().splitlines()[1:]
    except OSError:  # it has ended
        return {}
    return {name.rstrip(":"): int(size) for name, size, *_ in map(str.split, lines)}


def floor(repository: str) -> tuple[float, float, int]:
    return measured(
        ["git", "-C", repository, "cat-file", "--batch-all-objects", "--batch", "--unordered",
         "--buffer"]
    )  # fmt: skip


def ours(repository: str, *more: str) -> tuple[float, float, int]:
    return measured(
        [sys.executable, "-m", "keywatch", "scan", repository, *more], cwd=tempfile.gettempdir()
    )


PEERS = {
    "kingfisher": ["scan", "{}", "--no-validate", "--format", "jsonl"],
    "betterleaks": ["git", "{}", "--no-banner"],
    "gitleaks": ["git", "{}", "--no-banner"],
}


def peers(repository: str) -> dict[str, list[str]]:
    """Return the command lines of the peers that are installed."""
    return {
        name: [path, *(word.replace("{}", repository) for word in words)]
        for name, words in PEERS.items()
        if (path := shutil.which(name))
    }


def beside(repository: str, rounds: int) -> dict[str, list[tuple[float, float, int]]]:
    """Return what the peers took."""
    with tempfile.TemporaryDirectory() as folder:
        git = Path(repository) / ".git"
        origin = git if git.is_dir() else repository
        shutil.copytree(origin, Path(folder) / ".git", symlinks=True)
        subprocess.run(["git", "-C", folder, "config", "core.bare", "false"], check=True)
        return {
            name: [measured(command) for _ in range(rounds)]
            for name, command in peers(folder).items()
        }


def compare(repository: str, rounds: int) -> dict[str, str | int | float]:
    with tempfile.NamedTemporaryFile() as receipt:
        ours(repository)  # fills the cache of compiled rules, what it remembers, and the disk's
        told_in = ("--no-cache", "--receipt", receipt.name)
        pairs = [(floor(repository), ours(repository, *told_in)) for _ in range(rounds)]
        again = [ours(repository) for _ in range(rounds)]
        command = [sys.executable, "-m", "keywatch", "scan", repository, "--no-cache"]
        held, resident = anonymous(command, tempfile.gettempdir())
        told = json.loads(Path(receipt.name).read_text())
    others = beside(repository, rounds)
    git_wall, git_cpu = (min(git[n] for git, _ in pairs) for n in (0, 1))
    wall, cpu = (min(own[n] for _, own in pairs) for n in (0, 1))
    return {
        "repository": Path(repository).name,
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
        "again_wall_s": round(min(run[0] for run in again), 2),
        "again_cpu_s": round(min(run[1] for run in again), 2),
        "anonymous_mb": held,
        "resident_mb": resident,
        "exit_code": pairs[-1][1][2],
        **{
            f"{name}_{what}_ratio": round(min(run[n] for run in runs) / floor_s, 2)
            for name, runs in others.items()
            for n, what, floor_s in ((0, "wall", git_wall), (1, "cpu", git_cpu))
        },
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
