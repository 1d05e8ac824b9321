"""How soon keywatch is there: help, a staged file of 200 lines, and rules compiled from nothing.

    python bench/scan/start.py [REPOSITORY] [--rounds N]

REPOSITORY is copied (its objects are borrowed), a line is added to a file of about 200 lines and
staged; without it that is done in a small repository. Beside it runs the one git command that
nobody can do without. The least of the rounds counts, wall and CPU seconds of all processes apart.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from history import measured

# As on a user's machine: modules are compiled once.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

KEYWATCH = [sys.executable, "-m", "keywatch"]
LINES = range(150, 250)
MANY = 400


def git(folder: Path, *words: str) -> str:
    identity = ("-c", "user.name=Ada", "-c", "user.email=ada@example.org")
    return subprocess.run(
        ["git", "-C", str(folder), *identity, *words], check=True, capture_output=True, text=True
    ).stdout


def small(folder: Path) -> None:
    git(folder, "init", "-q")
    for number in range(MANY):
        lines = (f"total_{line} = count({line}, limit={number})\n" for line in range(200))
        (folder / f"file_{number}.py").write_text("".join(lines))
    git(folder, "add", ".")
    git(folder, "commit", "-q", "-m", "files")


def stage(folder: Path) -> str:
    """Add a line to a file of about 200 and stage it; return its name."""
    for name in git(folder, "ls-files", "*.py").splitlines():
        text = (folder / name).read_text(errors="replace")
        if text.count("\n") in LINES:
            (folder / name).write_text(text + "# one line more\n")
            git(folder, "add", name)
            return name
    raise SystemExit("no file of about 200 lines")


def least(words: Sequence[str], folder: Path, rounds: int) -> tuple[float, float]:
    runs = [measured(list(words), cwd=str(folder)) for _ in range(rounds)]
    return min(wall for wall, _, _ in runs), min(cpu for _, cpu, _ in runs)


def compiled(folder: Path, rounds: int) -> tuple[float, float]:
    """Scan a file with nothing in the cache."""
    before = os.environ.get("XDG_CACHE_HOME")
    runs = []
    try:
        for _ in range(rounds):
            with tempfile.TemporaryDirectory() as cache:
                os.environ["XDG_CACHE_HOME"] = cache
                runs.append(measured([*KEYWATCH, "scan", "--staged"], cwd=str(folder)))
    finally:
        os.environ.pop("XDG_CACHE_HOME")
        if before is not None:
            os.environ["XDG_CACHE_HOME"] = before
    return min(wall for wall, _, _ in runs), min(cpu for _, cpu, _ in runs)


RULE = """provider = "acme"
[[rule]]
id = "acme-key"
name = "Acme key"
keywords = ["acme_"]
pattern = '\\b(?P<secret>acme_{round}_[0-9a-f]{{16}})\\b'
"""


def amended(folder: Path, rounds: int) -> tuple[float, float]:
    """Scan a file with another rule of the user's each time."""
    runs = []
    for number in range(rounds):
        rule, config = folder.parent / f"acme{number}.toml", folder.parent / "keywatch.toml"
        rule.write_text(RULE.format(round=number))
        config.write_text(f"[scan]\nrules = ['{rule}']\n")
        words = [*KEYWATCH, "--config", str(config), "scan", "--staged"]
        runs.append(measured(words, cwd=str(folder)))
    return min(wall for wall, _, _ in runs), min(cpu for _, cpu, _ in runs)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("repository", nargs="?", type=Path)
    parser.add_argument("--rounds", type=int, default=10)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made) / "checkout"
        if asked.repository:
            git(Path(made), "clone", "-q", "--shared", str(asked.repository.resolve()), "checkout")
        else:
            folder.mkdir()
            small(folder)
        stage(folder)
        files = len(git(folder, "ls-files").splitlines())
        print(f"one file of about 200 lines staged among {files}")
        print(f"{'command':44} {'wall s':>8} {'CPU s':>8}")
        staged = [*KEYWATCH, "scan", "--staged"]
        measured(staged, cwd=str(folder))  # leaves the compiled rules in the cache
        rows = {
            "python -c pass": [sys.executable, "-c", "pass"],
            "git diff-index --cached HEAD": ["git", "diff-index", "--cached", "--raw", "HEAD"],
            "keywatch --help": [*KEYWATCH, "--help"],
            "keywatch scan --staged": staged,
        }
        for name, words in rows.items():
            wall, cpu = least(words, folder, asked.rounds)
            print(f"{name:44} {wall:8.3f} {cpu:8.3f}", flush=True)
        wall, cpu = amended(folder, max(1, asked.rounds // 5))
        print(f"{'keywatch scan --staged, a new rule':44} {wall:8.3f} {cpu:8.3f}", flush=True)
        wall, cpu = compiled(folder, max(1, asked.rounds // 5))
        print(f"{'keywatch scan --staged, no compiled rules':44} {wall:8.3f} {cpu:8.3f}")


if __name__ == "__main__":
    main()
