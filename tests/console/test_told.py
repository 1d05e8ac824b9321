"""What commands tell: JSON to programs; to terminals nothing styled where NO_COLOR is set."""

import io
import json
import os
import re
import subprocess
import sys

import click
import pytest

from keywatch.cli import keywatch, run
from keywatch.people.passwords import SHORTEST

NO_JSON = {
    "audit export": "JSON lines is what it writes",
    "completion": "a script for the shell",
    "config init": "writes the file and names it",
    "hook install": "for people at their repository",
    "hook run": "for git, which reads the exit code",
    "hook uninstall": "for people at their repository",
    "mcp": "a server, of JSON already",
    "redact": "a filter: what came in goes out",
    "report incident": "a document: Markdown or HTML",
    "report leak": "a document: Markdown or HTML",
    "scan": "--format json, among others",
    "serve": "a server",
    "spark backfill": "hands over to Spark",
    "spark submit": "hands over to Spark",
    "watch": "runs for good; `status --json` tells how it goes",
}
SGR = re.compile(rb"\x1b\[[0-9;:]*m")


def leaves(command, path, context):
    if not isinstance(command, click.Group):
        yield " ".join(path), command
        return
    for name in command.list_commands(context):
        yield from leaves(command.get_command(context, name), (*path, name), context)


def test_every_command_speaks_json_but_those_that_cannot():
    without = {
        name
        for name, command in leaves(keywatch, (), click.Context(keywatch))
        if not any("--json" in option.opts for option in command.params)
    }
    assert without == set(NO_JSON)


@pytest.fixture
def told(house, happened, monkeypatch, capsys, tmp_path):
    """Run a command with --json; return what it printed."""
    monkeypatch.setenv("KEYWATCH_DATABASE", house.settings.database)
    monkeypatch.chdir(tmp_path)

    def tell(*words, code=0):
        assert run([*words, "--json"]) == code
        return json.loads(capsys.readouterr().out)

    return tell


def test_what_is_decided_is_told_as_json(told):
    (held,) = told("actions", "list", "--state", "held")
    assert told("actions", "approve", str(held["id"])) == [{"id": held["id"], "state": "approved"}]
    assert told("actions", "reject", "--held") == []
    (alert, other, *_) = (one["id"] for one in told("alerts", "list"))
    assert told("alerts", "ack", alert, other) == [
        {"id": alert, "feedback": "acknowledged"},
        {"id": other, "feedback": "acknowledged"},
    ]
    incident = told("incidents", "list")[0]["id"]
    assert told("incidents", "ack", incident) == [{"id": incident, "state": "acknowledged"}]
    noted = told("incidents", "note", incident, "called", "them")
    assert noted == {"id": incident, "noted": "called them"}
    assert told("incidents", "false", incident) == [{"id": incident, "state": "false"}]


def test_what_is_done_to_letters_people_tokens_and_stores_is_told_as_json(told, monkeypatch):
    assert told("deadletters", "replay", "--all") == {"letters": 1}
    letter = told("deadletters", "list")[0]["id"]
    assert told("deadletters", "discard", str(letter)) == {"letters": 1}
    monkeypatch.setattr("sys.stdin", io.StringIO())
    made = told("users", "add", "olga", "--role", "admin")
    assert (made["name"], made["role"]) == ("olga", "admin")
    assert len(made["password"]) >= SHORTEST
    token = told("tokens", "create", "ci", "--scope", "read")["id"]
    assert told("tokens", "revoke", token) == {"id": token, "state": "revoked"}
    assert told("stores", "follow") == {"failed": []}


def test_what_is_ignored_is_told_as_json(told, tmp_path):
    file, mark = tmp_path / "ignore.toml", "ab" * 16
    words = ("--reason", "a test", "--ignore-file", str(file))
    added = told("ignore", "add", mark, *words)
    assert (added["fingerprint"], added["state"], added["file"]) == (mark, "active", str(file))
    removed = told("ignore", "remove", mark, "--ignore-file", str(file))
    assert removed == {"fingerprint": mark, "file": str(file)}


@pytest.mark.skipif(sys.platform == "win32", reason="there are no pseudoterminals")
@pytest.mark.parametrize(("no_color", "styled"), [("1", False), ("", True)])
def test_a_terminal_is_written_to_without_styles_where_they_are_not_wanted(
    tmp_path, no_color, styled
):
    ours, theirs = os.openpty()
    environ = {**os.environ, "TERM": "xterm-256color", "NO_COLOR": no_color}
    words = [sys.executable, "-m", "keywatch", "stores", "list"]
    with subprocess.Popen(
        words, env=environ, cwd=tmp_path, stdin=theirs, stdout=theirs, stderr=theirs
    ) as process:
        os.close(theirs)
        said = read_all(ours)
    os.close(ours)
    assert process.returncode == 0
    assert b"store" in said
    assert bool(SGR.search(said)) == styled


def read_all(terminal):
    said = b""
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:  # Linux says so when the other side has gone
            part = b""
        if not part:
            return said
        said += part
