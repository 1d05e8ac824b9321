"""`keywatch scan` as a program: exit codes, reports, and what it does not load."""

import json
import os
import subprocess
import sys

import pytest

from scanner.rules import load_rules
from tests.scanner.secrets import github_token

TOKEN = github_token()
FIELDS = {
    *("rule", "name", "severity", "confidence", "path", "line", "column", "end_line", "commit"),
    *("blob", "author", "date", "places", "count", "secret", "fingerprint", "verdict", "key_id"),
    *("key_state", "environment", "reasons", "decoding", "source", "tags"),
}


def keywatch(*words, cwd, stdin=None):
    return subprocess.run(
        [sys.executable, "-m", "keywatch", *words],
        cwd=cwd,
        input=stdin,
        capture_output=True,
        check=False,
        env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109
    )


@pytest.fixture
def leaky(repo):
    repo.commit("a\x1b[2Jb.txt", f"t = '{TOKEN}'\n")
    return repo


def test_exit_codes(repo, tmp_path):
    assert keywatch("scan", ".", cwd=repo.path).returncode == 0
    repo.commit("a.txt", f"t = '{TOKEN}'\n")
    assert keywatch("scan", ".", cwd=repo.path).returncode == 1
    for wrong in (["nowhere"], ["--since", "nope"], ["--format", "none"], ["--tree", "--staged"]):
        done = keywatch("scan", *wrong, cwd=repo.path)
        assert done.returncode == 2
        assert b"Traceback" not in done.stderr
    blob = repo.git("rev-parse", "HEAD:README")
    (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    done = keywatch("scan", ".", cwd=repo.path)
    assert done.returncode == 3
    assert blob.encode() in done.stderr


def test_json_lines_have_the_fields_of_the_contract(leaky):
    done = keywatch("scan", ".", "--format", "jsonl", cwd=leaky.path)
    (finding,) = map(json.loads, done.stdout.splitlines())
    assert set(finding) == FIELDS
    assert TOKEN.encode() not in done.stdout + done.stderr


def test_a_report_and_a_receipt_go_to_files(leaky, tmp_path):
    report, receipt = tmp_path / "report.json", tmp_path / "receipt.json"
    done = keywatch(
        "scan", ".", "--format", "json", "--output", str(report), "--receipt", str(receipt),
        cwd=leaky.path,
    )  # fmt: skip
    assert done.stdout == b""
    assert len(json.loads(report.read_text())["findings"]) == 1
    told = json.loads(receipt.read_text())
    assert told["complete"]
    assert told["objects"]["total"]["count"] == 6


def test_the_table_has_no_control_character(leaky):
    done = keywatch("scan", ".", cwd=leaky.path)
    assert b"\x1b" not in done.stdout + done.stderr
    assert b"a\\x1b[2Jb.txt" in done.stdout


def test_secrets_are_shown_on_a_terminal_alone(leaky):
    done = keywatch("scan", ".", "--show-secrets", cwd=leaky.path)
    assert done.returncode == 2
    assert b"terminal" in done.stderr


def test_stdin_is_a_target(repo):
    done = keywatch("scan", "-", cwd=repo.path, stdin=f"t = '{TOKEN}'\n".encode())
    assert done.returncode == 1


def test_without_the_cache_nothing_is_left_behind(repo, tmp_path, monkeypatch):
    most = [rule.id for rule in load_rules().rules if rule.provider != "github"]  # soon compiled
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "my.toml").write_text(f"[scan]\ndisabled = {most}\n")
    config = ("--config", str(tmp_path / "my.toml"))
    done = keywatch(*config, "scan", "README", "--no-cache", cwd=repo.path)
    assert done.returncode == 0
    assert not (tmp_path / "cache").exists()


@pytest.mark.parametrize("words", [["README"], [".", "--staged"], ["."]])
def test_a_scan_that_finds_nothing_loads_nothing_heavy(repo, words):
    script = (
        "import sys; from keywatch.cli import run; code = run(['scan', *sys.argv[1:]]);"
        "print(code, *sorted(sys.modules))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *words],
        cwd=repo.path,
        capture_output=True,
        check=True,
        text=True,
        env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109
    )
    code, *loaded = done.stdout.split()
    assert code == "0"
    heavy = {"sqlalchemy", "pandas", "numpy", "rich", "kafka", "alembic", "zstandard"}
    assert not heavy & set(loaded)


def test_importing_the_room_loads_nothing():
    script = "import sys, scanner; print('hyperscan' in sys.modules, 'msgspec' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    )
    assert done.stdout.split() == ["False", "False"]
