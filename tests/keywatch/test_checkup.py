"""`keywatch doctor` without a log, `completion`, and the man page."""

import json
import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from database.schema import audit
from database.transaction import open_database, transaction
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from keywatch.cli import run
from tests.databases import let_change

ROOT = Path(__file__).parents[2]


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYWATCH_DATABASE", "sqlite:///here.db")
    return tmp_path


@pytest.fixture
def store(here):
    engine = open_database("sqlite:///here.db")
    made = KeyStore(engine)
    made.create(KeyOrder(), actor="x", reason="y")
    yield made
    engine.dispose()


def looked(capsys, code=0):
    capsys.readouterr()
    assert run(["doctor", "--json"]) == code
    return {row["about"]: row for row in json.loads(capsys.readouterr().out)}


def test_a_sound_place_is_told_to_be_sound(store, capsys):
    found = looked(capsys)
    assert {found[name]["state"] for name in ("database", "disk", "audit log", "policy")} == {"ok"}
    assert found["people"]["remedy"].startswith("keywatch users add")
    assert all(row["remedy"] for row in found.values() if row["state"] != "ok")


def test_before_anything_was_done_the_first_step_is_told_and_nothing_is_made(here, capsys):
    found = looked(capsys)
    assert found["database"]["state"] == "warn"
    assert "keywatch keys create" in found["database"]["remedy"]
    assert found["policy"]["state"] == "ok"
    assert list(here.iterdir()) == []


def test_a_database_in_a_folder_that_is_not_there_is_a_fault(here, capsys, monkeypatch):
    monkeypatch.setenv("KEYWATCH_DATABASE", "sqlite:///gone/here.db")
    found = looked(capsys, 3)["database"]
    assert (found["state"], "name another place" in found["remedy"]) == ("fail", True)
    assert not (here / "gone").exists()


def test_a_gateway_that_trusts_no_proxy_is_told_of(store, here, capsys):
    proxies = looked(capsys)["proxies"]
    assert (proxies["state"], "trusted_proxies" in proxies["remedy"]) == ("warn", True)
    for text, state in [
        ('upstream = "http://127.0.0.1:1"', None),
        ('trusted_proxies = ["10.0.0.0/8"]', "ok"),
        ('certificate_header = "client-cert"', "fail"),
    ]:
        (here / "keywatch.toml").write_text(f"[gateway]\n{text}\n")
        found = looked(capsys, 3 if state != "ok" else 0)
        assert found.get("proxies", {}).get("state") == state


def test_a_row_of_the_audit_log_that_was_changed_is_found(store, capsys):
    with transaction(store.engine) as connection:
        let_change(connection)
        connection.execute(audit.update().values(reason="another"))
    assert looked(capsys, 3)["audit log"]["state"] == "fail"


@pytest.mark.skipif(os.name != "posix", reason="modes of files")
def test_a_database_that_others_can_read_is_told(store, here, capsys):
    (here / "here.db").chmod(0o644)
    assert "chmod 600" in looked(capsys)["database file"]["remedy"]


def test_what_is_configured_and_not_there_is_told(store, here, capsys):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        answers = taken.getsockname()[1]
    (here / "keywatch.toml").write_text(
        f"""
        [[sources]]
        path = "missing.log"
        [geoip]
        asn = "missing.mmdb"
        [gateway]
        redis = "redis://:hidden@127.0.0.1:{answers}/0"
        [console]
        tls_certificate = "keywatch.toml"
        """
    )
    found = looked(capsys, 3)
    for about in ("source", "geoip.asn", "redis", "console"):
        assert found[about]["state"] == "fail", about
    assert "hidden" not in json.dumps(found)


def test_a_name_in_the_policy_that_nobody_answers_to_is_told(store, here, capsys):
    (here / "policy.toml").write_text('[[case]]\nname = "x"\nnotify = ["nobody"]\n')
    (here / "keywatch.toml").write_text('[actions]\npolicy = "policy.toml"\n')
    assert "nobody" in looked(capsys)["notifiers"]["said"]


def test_people_get_a_table(store, capsys):
    assert run(["doctor"]) == 0
    assert "LOOKED AT" in capsys.readouterr().out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_completion_script_is_printed(shell, capsys):
    assert run(["completion", shell]) == 0
    assert "_KEYWATCH_COMPLETE" in capsys.readouterr().out


def test_the_shell_completes_commands_without_opening_anything(here):
    environ = {
        **os.environ,
        "_KEYWATCH_COMPLETE": "bash_complete",
        "COMP_WORDS": "keywatch inci",
        "COMP_CWORD": "1",
    }
    command = [sys.executable, "-m", "keywatch"]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    assert done.stdout.split() == ["plain,incidents"], done.stderr
    assert not list(here.iterdir())


@pytest.mark.skipif(not shutil.which("bash"), reason="no bash here")
def test_bash_takes_the_script(capsys):
    run(["completion", "bash"])
    done = subprocess.run(
        ["bash", "-n"], input=capsys.readouterr().out, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not shutil.which("man"), reason="no man here")
def test_man_renders_the_page_without_a_complaint():
    page = str(ROOT / "docs" / "reference" / "keywatch.1")
    done = subprocess.run(
        ["man", "--warnings", "-l", page],
        env={**os.environ, "MANPAGER": "cat", "MANWIDTH": "80"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert "lock them out" in done.stdout
