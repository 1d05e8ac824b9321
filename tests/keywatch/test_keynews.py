"""Webhooks about what is done to keys, each once and signed."""

import base64
import json

import pytest
from standardwebhooks import Webhook

from keywatch.cli import run
from tests.httpd import serving

SIGNING = "whsec_" + base64.b64encode(b"n" * 32).decode()


@pytest.fixture
def told(tmp_path, monkeypatch):
    """Run command lines in an empty folder; return what a receiver was told of keys."""
    monkeypatch.chdir(tmp_path)
    with serving(lambda _asked: (204, {}, b"")) as server:
        (tmp_path / "keywatch.toml").write_text(
            f'database="sqlite:///here.db"\n[[notify]]\nname="ops"\ntype="webhook"\n'
            f'url="{server.url}/hook"\nsecret="{SIGNING}"\nkeys=["rotate","revoke"]\n'
        )

        def call(*lines):
            for line in lines:
                assert run(line.split()) == 0
            for asked in server.asked:
                Webhook(SIGNING).verify(asked.body, asked.headers)
            return [json.loads(asked.body) for asked in server.asked]

        yield call


def test_a_rotation_is_told_once_and_other_things_are_not(told, capsys):
    assert told("keys create", "watch --once") == []
    assert told("keys list --json") == []
    key = json.loads(capsys.readouterr().out.split("\n[", 1)[-1].join(["[", ""]))[0]["id"]
    told(f"keys throttle {key} --per-min 5", f"keys rotate {key} --reason weekly", "watch --once")
    (message,) = told("watch --once")
    assert message["type"] == "key.rotate"
    assert (message["data"]["key"], message["data"]["reason"]) == (key, "weekly")
    assert message["data"]["details"]["is"]["rotated_to"]
    assert "hash" not in message["data"]["details"]
    assert [each["type"] for each in told(f"keys revoke {key}", "watch --once")] == [
        "key.rotate",
        "key.revoke",
    ]
