"""What runs before every commit says what the command line says, and imports little."""

import json
import os
import subprocess
import sys

import pytest

from keywatch import quick
from tests.scanner.secrets import github_token
from tests.scanner.test_hooks import keywatch

__all__ = ["keywatch"]


def said(words, cwd, *, code="import sys; from keywatch.__main__ import main; main()"):
    done = subprocess.run(
        [sys.executable, "-c", code, *words], cwd=cwd, capture_output=True, text=True, check=False
    )
    seconds = [word for word in done.stderr.split() if word.replace(".", "").isdigit()]
    stderr = done.stderr
    for word in seconds:
        stderr = stderr.replace(f" in {word} s", " in a moment")
    return done.returncode, done.stdout, stderr


SLOW = "import sys; from keywatch.cli import run; sys.exit(run(sys.argv[1:]))"


@pytest.mark.parametrize(
    "state", ["clean", "secret", "broken", "no repository", "no configuration"]
)
@pytest.mark.parametrize("words", [["scan", "--staged"], ["hook", "run", "pre-commit"]])
def test_both_ways_say_the_same(words, state, repo, keywatch, tmp_path):
    folder = repo.path
    if state == "secret":
        repo.write("a.txt", f"t = '{github_token()}'\n")
        repo.write("keywatch.toml", "[scan]\nnonsense = 1\n")
    elif state == "broken":
        repo.write("a.zip", b"PK\x03\x04" + b"broken" * 20)
    elif state == "no repository":
        folder = tmp_path / "nothing"
        folder.mkdir()
    elif state == "no configuration":
        words = ["--config", "missing.toml", *words]
    repo.git("add", ".")
    fast = said(words, folder)
    assert fast == said(words, folder, code=SLOW)
    assert fast[0] == {"clean": 0, "secret": 1, "broken": 3}.get(state, 2)


@pytest.mark.parametrize(
    "words",
    [
        [],
        ["scan"],
        ["scan", "--staged", "--act"],
        ["scan", "--staged", "x"],
        ["--config"],
        ["hook"],
    ],
)
def test_everything_else_is_left_to_the_command_line(words):
    assert quick.run(words) is None


def test_a_staged_scan_that_finds_nothing_imports_nothing_heavy(repo, keywatch, tmp_path):
    repo.write("a.txt", "clean\n" * 200)
    repo.git("add", ".")
    code = (
        "import sys, json; from keywatch import quick; done = quick.run(['scan', '--staged']);"
        "print(json.dumps([done, sorted({m.split('.')[0] for m in sys.modules})]))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repo.path, env=dict(os.environ),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    code, modules = json.loads(done.stdout)
    assert code == 0
    heavy = {
        "click", "rich", "sqlalchemy", "numpy", "pandas", "kafka", "sklearn", "alembic", "tomllib",
        "concurrent", "logging", "xml", "email", "ssl", "asyncio", "sqlite3",
    }  # fmt: skip
    assert not heavy & set(modules)
