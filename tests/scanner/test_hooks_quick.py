"""What runs before every commit says what the command line says, and imports little."""

import os
import subprocess
import sys

import pytest

from keywatch import places, quick, wiring
from keywatch.config import Settings
from scanner import ScanOptions
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


@pytest.mark.parametrize("columns", [None, "60", "200"])
@pytest.mark.parametrize("words", [["--help"], ["-h"]])
def test_help_is_what_the_command_line_says(words, columns, tmp_path, monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    if columns:
        monkeypatch.setenv("COLUMNS", columns)
    fast = said(words, tmp_path)
    assert fast == said(words, tmp_path, code=SLOW)
    assert fast[0] == 0


def test_help_imports_no_command_line(tmp_path):
    code = "import sys; from keywatch import quick; quick.run(['-h']); print(*sys.modules)"
    loaded = said([], tmp_path, code=code)[1].rsplit("\n", 2)[1].split()
    assert not {"click", "pathlib", "re", "msgspec"} & set(loaded)


def test_without_a_configuration_a_scan_is_what_the_defaults_make_it(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    ignores = tmp_path / "keywatch" / "ignore.toml"
    ignores.parent.mkdir()
    entry = 'fingerprint = "' + "0" * 32 + '"\nreason = "r"\nowner = "o"\nexpires = 2999-01-01\n'
    ignores.write_text(f"[[ignore]]\n{entry}")
    plain = ScanOptions(ignores=places.ignores_in(places.ignore_file()))
    assert plain.ignores
    assert plain == wiring.scan_options(Settings())
    assert Settings().database == f"sqlite:///{places.DEFAULT_DATABASE}"


@pytest.mark.parametrize("what", ["keywatch.toml", "keywatch.db", "KEYWATCH_SCAN_CONFIDENCE"])
def test_whatever_may_say_otherwise_is_read(what, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert not quick.configured()
    if what.isupper():
        monkeypatch.setenv(what, "low")
    else:
        (tmp_path / what).touch()
    assert quick.configured()


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
        "import sys; from keywatch import quick; done = quick.run(['scan', '--staged']);"
        "print(done, *{module.split('.')[0] for module in sys.modules})"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=repo.path, env=dict(os.environ),
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    code, *modules = done.stdout.split()
    assert code == "0"
    heavy = {
        "click", "rich", "sqlalchemy", "numpy", "pandas", "kafka", "sklearn", "alembic", "tomllib",
        "concurrent", "logging", "xml", "email", "ssl", "asyncio", "sqlite3", "inspect", "tempfile",
        "json", "difflib", "dataclasses",
    }  # fmt: skip
    assert heavy.isdisjoint(modules), sorted(heavy & set(modules))
