"""The key by which the gateway's lock-out is measured, where there is nothing to measure."""

import sqlite3

import pytest

from gateway import canary
from gateway.canary import Canary
from tests.httpd import serving


@pytest.fixture
def sung(place, eventually, monkeypatch, caplog):
    """Have the canary sing to a gateway that answers so, until it complains."""
    heard = []

    def sing(answer, patience_s=canary._PATIENCE_S, before_the_end=lambda: None):
        monkeypatch.setattr(canary, "_PATIENCE_S", patience_s)
        with serving(answer) as server:
            singing = Canary(place.store, server.url, heard.append, 0.001)
            eventually(lambda: caplog.messages)
            before_the_end()
            monkeypatch.undo()
            singing.stop()
        assert not heard
        return caplog.messages

    return sing


def forbid(_asked):
    return 403, {}, b""


def test_a_gateway_that_lets_nobody_in_is_told_and_the_key_revoked_in_the_end(place, sung):
    told = sung(forbid, 0.05)
    assert told[0] == "the canary could not measure: TimeoutError"
    assert [(key.name, key.state) for key in place.store.list()] == [("canary", "revoked")]


def test_a_key_that_is_gone_is_made_anew(place, sung):
    asked = []

    def answer(_asked):
        if not asked:
            (key,) = place.store.list()
            asked.append(key.id)
            with sqlite3.connect(place.database) as database:
                database.execute("DELETE FROM keys")
            return 200, {}, b""
        return forbid(_asked)

    told = sung(answer)
    assert told[0] == "the canary could not measure: KeyNotFoundError"
    assert all(key.state == "revoked" and key.id not in asked for key in place.store.list())


def test_a_limit_is_not_taken_for_a_gateway_that_does_not_heed_the_change(place, sung):
    asked = []

    def answer(_asked):
        asked.append(1)
        return 200 if len(asked) == 1 else 429, {}, b""

    assert sung(answer, 0.05)[0] == "the canary could not measure: a limit refused what it asked"
    (key,) = place.store.list()
    assert key.limits


def test_a_key_that_cannot_be_revoked_is_told(place, sung):
    def broken():
        with sqlite3.connect(place.database) as database:
            database.execute("DROP TABLE keys")

    assert "the canary's key could not be revoked" in sung(forbid, 0.05, broken)[-1]
