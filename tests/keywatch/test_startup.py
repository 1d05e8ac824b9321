import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import click
import pytest

from keywatch.__main__ import ROOMS
from keywatch.cli import keywatch, run
from keywatch.cli.common import WHOLE

ROOT = Path(__file__).parent.parent.parent


def python(*arguments, cwd, **environ):
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env={**os.environ, **environ},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_help_imports_nothing_heavy(tmp_path):
    code = (
        "import sys, json; from keywatch.cli import run; run(['--help']);"
        "print(json.dumps(sorted({m.split('.')[0] for m in sys.modules})), file=sys.stderr)"
    )
    done = python("-c", code, cwd=tmp_path)
    heavy = {"sqlalchemy", "pandas", "numpy", "kafka", "hyperscan", "sklearn", "rich", "alembic"}
    assert not heavy & set(json.loads(done.stderr.splitlines()[-1]))
    assert "Usage: keywatch" in done.stdout


def test_help_says_of_each_command_what_the_command_says_itself():
    context = click.Context(keywatch, terminal_width=78)
    commands = keywatch.list_commands(context)
    itself = [keywatch.get_command(context, name) for name in commands]
    assert not any(command.hidden for command in itself)
    told = [keywatch._summary(context, name) for name in commands]
    assert told == [command.get_short_help_str(WHOLE) for command in itself]


def test_help_names_every_command_once_and_cuts_nothing_off():
    context = click.Context(keywatch, terminal_width=78)
    told = keywatch.get_help(context).partition("--help")[2]
    named = re.findall(r"^  (\S+) ", told, re.MULTILINE)
    assert sorted(named) == keywatch.list_commands(context)
    for text in (told, keywatch.get_command(context, "keys").get_help(context)):
        assert not re.search(r"\w\.\.\.", text)


@pytest.mark.parametrize(
    ("typed", "said"),
    [
        ("scna", "Did you mean 'scan'?"),
        ("qqqq", "no such command"),
        ("--versoin", "no such option"),
    ],
)
def test_a_mistyped_command_is_told_of_with_the_nearest(typed, said, capsys):
    assert run([typed]) == 2
    assert said.lower() in capsys.readouterr().err.lower()


def test_python_m_never_imports_from_the_current_directory(tmp_path):
    for room in ("scanner", "click", "msgspec", "vocabulary"):
        (tmp_path / f"{room}.py").write_text(f"raise SystemExit('imported {room} of cwd')")
    done = python("-m", "keywatch", "config", "show", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_package_that_hides_one_of_ours_is_named(tmp_path):
    (tmp_path / "scanner").mkdir()
    (tmp_path / "scanner" / "__init__.py").write_text("")
    code = "from keywatch.__main__ import main; main()"
    done = python("-c", code, cwd=ROOT.parent, PYTHONPATH=str(tmp_path))
    assert done.returncode == 3
    assert str(tmp_path / "scanner") in done.stderr
    assert "Traceback" not in done.stderr


def test_no_dependency_installs_a_package_of_our_names():
    hit = {
        (dist.name, name)
        for dist in importlib.metadata.distributions()
        for path in dist.files or ()
        if (name := path.parts[0].removesuffix(".py")) in ROOMS and dist.name != "keywatch"
    }
    assert not hit


def test_wrong_words_are_one_line_and_exit_2(tmp_path):
    done = python("-m", "keywatch", "scann", cwd=tmp_path)
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "scan" in done.stderr


def test_our_own_tree_holds_no_secret(tmp_path):
    done = python("-m", "keywatch", "scan", str(ROOT), "--tree", cwd=tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
