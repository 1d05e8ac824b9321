"""Other systems: what only Unix has is taken away, and the commands work all the same."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from keywatch import places, pushes
from keywatch.config import Settings
from scanner import cache
from tests.keywatch.traffic import ordinary

ONLY_UNIX = {
    "os": "fork getuid geteuid getgid pread preadv sched_getaffinity O_NONBLOCK O_CLOEXEC "
    "O_NOFOLLOW O_DIRECTORY register_at_fork fchmod fchown killpg getpgid setsid",
    "signal": "SIGKILL SIGHUP SIGUSR1 SIGUSR2 SIGPIPE SIGALRM setitimer pthread_sigmask",
}
MODULES = ("fcntl", "pwd", "grp", "resource", "termios")
# What is not ours is imported first: it knows by itself where it is.
SCRIPT = f"""
import asyncio, concurrent.futures.thread, multiprocessing, os, shlex, signal, subprocess, sys
import click, numpy, rich.console, rich.progress, rich.table, sqlalchemy.dialects.sqlite, uvicorn
import sqlalchemy.dialects.postgresql, tempfile, getpass, alembic.command, hyperscan, alembic.config
for name in {ONLY_UNIX["os"].split()!r}:
    if hasattr(os, name):
        delattr(os, name)
for name in {ONLY_UNIX["signal"].split()!r}:
    if hasattr(signal, name):
        delattr(signal, name)
for name in {MODULES!r}:
    sys.modules[name] = None
sys.platform = "win32"
from keywatch.cli import run
for line in sys.stdin.read().splitlines():
    code = run(shlex.split(line))
    print("##", code, line, flush=True)
"""
COMMANDS = """
config init
config show
keys create --owner ann --environment live
keys list
scan code
watch --access-log access.log --format nginx-json --once
doctor --access-log access.log
replay access.log --format nginx-json --alerts alerts.jsonl
status
incidents list
actions list
policy show
audit verify
db backup copy.db
rules list
ignore list
"""

CACHES = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LOCALAPPDATA", str(tmp_path / "local"))
    monkeypatch.setenv("APPDATA", str(tmp_path / "roaming"))
    monkeypatch.setattr(Path, "home", lambda: tmp_path)
    return tmp_path


def test_commands_work_without_what_only_unix_has(home, monkeypatch):
    monkeypatch.setenv("LOCALAPPDATA", CACHES)  # compiled rules are everybody's
    (home / "access.log").write_text("\n".join(ordinary(1, keys=2)) + "\n")
    (home / "code").mkdir()
    (home / "code" / "main.py").write_text("print('hello')\n")
    done = subprocess.run(
        [sys.executable, "-c", SCRIPT], cwd=home, input=COMMANDS.strip(), capture_output=True,
        text=True, check=False,
    )  # fmt: skip
    codes = [line.split()[1] for line in done.stdout.splitlines() if line.startswith("## ")]
    assert codes == ["0"] * len(COMMANDS.split("\n")[1:-1]), (
        done.stdout[-3000:] + done.stderr[-3000:]
    )


@pytest.mark.parametrize(
    ("platform", "kept", "ignored"),
    [
        ("win32", "local/keywatch/repositories", "roaming/keywatch/ignore.toml"),
        ("darwin", "Library/Caches/keywatch/repositories", ".config/keywatch/ignore.toml"),
        ("linux", ".cache/keywatch/repositories", ".config/keywatch/ignore.toml"),
    ],
)
def test_each_system_has_its_own_places(home, monkeypatch, platform, kept, ignored):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("XDG_CONFIG_HOME", raising=False)
    monkeypatch.setattr(sys, "platform", platform)
    assert pushes.cache_of(Settings()) == home / kept
    assert places.ignore_file() == home / ignored
    assert cache.cache_base() == (home / kept).parents[1]
