"""A secret that is shown once and that nobody got to see: what it is for is ended again."""

import io
import json
import os
import subprocess
import sys
from contextlib import contextmanager, redirect_stdout

import pytest

from keywatch.cli import run

FULL = "/dev/full"
pytestmark = pytest.mark.skipif(not os.path.exists(FULL), reason="Linux alone has a full device")  # noqa: PTH110


@contextmanager
def full():
    with open(FULL, "w") as out:  # noqa: PTH123
        yield out


@contextmanager
def broken():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as out:
        yield out


@contextmanager
def missing():
    yield None


@pytest.fixture
def unseen(monkeypatch, capsys):
    """Run a command whose output goes nowhere; return what it says."""

    def unseen(opened, *arguments):
        monkeypatch.setattr(sys, "stdin", io.StringIO())
        with opened() as out, redirect_stdout(out):
            code = run([*arguments])
        told = capsys.readouterr().err
        assert code == 3, told
        assert "could not be shown" in told
        return told

    return unseen


def verbs(as_json):
    return [row["verb"] for row in as_json("audit", "export")]


@pytest.mark.parametrize("opened", [full, broken, missing])
@pytest.mark.parametrize("more", [(), ("--json",)])
def test_a_key_that_nobody_saw_is_revoked(unseen, as_json, opened, more):
    told = unseen(opened, "keys", "create", "--name", "ünseen", *more)
    (key,) = as_json("keys", "list")
    assert key["state"] == "revoked"
    assert f"{key['id']} is revoked" in told
    (_, row) = as_json("keys", "show", key["id"])["history"]
    assert (row["verb"], row["reason"]) == ("revoke", "its secret could not be shown")


def test_a_rotation_whose_new_key_nobody_saw_is_taken_back(unseen, as_json):
    old = as_json("keys", "create")["id"]
    unseen(full, "keys", "rotate", old, "--grace", "2d")
    states = {key["id"]: key["state"] for key in as_json("keys", "list")}
    assert states.pop(old) == "active"
    assert list(states.values()) == ["revoked"]
    shown = as_json("keys", "show", old)
    assert (shown["rotated_to"], shown["grace_until"]) == (None, None)
    new = as_json("keys", "rotate", old, "--grace", "2d")
    assert as_json("keys", "show", old)["rotated_to"] == new["id"]


def test_a_key_that_was_revoked_in_an_emergency_stays_so(unseen, as_json):
    old = as_json("keys", "create")["id"]
    told = unseen(broken, "keys", "rotate", old, "--emergency")
    assert f"{old} is revoked" in told
    assert {key["state"] for key in as_json("keys", "list")} == {"revoked"}
    as_json("keys", "restore", old)
    assert as_json("keys", "rotate", old)["rotated_from"] == old


def test_clients_tokens_and_people(unseen, as_json):
    unseen(full, "identities", "add-client", "--id", "app")
    (client,) = as_json("identities", "list")
    assert client["state"] == "revoked"
    kept = as_json("identities", "add-client", "--id", "other")["id"]
    assert f"new-secret {kept}" in unseen(full, "identities", "new-secret", kept)
    unseen(full, "tokens", "create", "ci", "--scope", "read")
    (token,) = as_json("tokens", "list")
    assert token["state"] == "revoked"
    assert "users passwd ann" in unseen(full, "users", "add", "ann")
    assert "users passwd ann" in unseen(full, "users", "passwd", "ann", "--json")


def test_the_program_ends_with_a_line_and_no_more(as_json, tmp_path, monkeypatch):
    as_json("keys", "create")
    with open(FULL, "w") as out:  # noqa: PTH123
        ended = subprocess.run(
            [sys.executable, "-m", "keywatch", "keys", "create"],
            stdout=out, stderr=subprocess.PIPE, text=True, check=False,
        )  # fmt: skip
    assert (ended.returncode, len(ended.stderr.splitlines())) == (3, 1)
    assert json.dumps([key["state"] for key in as_json("keys", "list")]) == '["revoked", "active"]'
