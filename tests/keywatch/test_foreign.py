"""A leaked key of another store is found, told of, and revoked where it lives."""

import hashlib
import json
import sqlite3
import subprocess

import pytest

from database.schema import alerts, repo_events
from database.transaction import open_database, reading
from keystore.issue import KeyOrder
from keystore.keys import public_id_hash
from keystore.store import KeyStore
from keywatch import foreign, wiring
from keywatch.cli import run
from keywatch.config import load
from keywatch.keybook import KeyBook
from keywatch.reported import ASK_AGAIN_S, Judge
from keywatch.scanning import lookup_of
from keywatch.status import status
from keywatch.voice import Voice
from streams import disclosure
from streams.disclosure import Disclosure
from vocabulary.credential import credential_of

SECRET = "sk_live_" + "Zk3" * 14


@pytest.fixture
def there(tmp_path, monkeypatch):
    """A table with one key, and an empty store of ours, configured in an empty folder."""
    monkeypatch.chdir(tmp_path)
    with sqlite3.connect("theirs.db") as theirs:
        theirs.execute("CREATE TABLE api_keys (id INTEGER, digest TEXT, state TEXT)")
        digest = hashlib.sha256(SECRET.encode()).hexdigest()
        theirs.execute("INSERT INTO api_keys VALUES (7, ?, 'active')", [digest])
    theirs.close()
    (tmp_path / "keywatch.toml").write_text(
        'database="sqlite:///ours.db"\n[[stores]]\nname="app"\ntype="sql"\n'
        'url="sqlite:///theirs.db"\ntable="api_keys"\nhash_column="digest"\n'
        '[actions]\nenabled=["revoke"]\n'
    )
    assert run(["keys", "create"]) == 0

    def state():
        with sqlite3.connect("theirs.db") as theirs:
            (found,) = theirs.execute("SELECT state FROM api_keys").fetchone()
        theirs.close()
        return found

    return state


def test_a_look_only_tells(there, capsys):
    (found,) = lookup_of(load().settings)([credential_of(SECRET)])
    assert (found.key_id, found.verdict) == ("app:7", "live")
    capsys.readouterr()
    assert run(["keys", "list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)) == 1


def test_what_is_found_in_the_open_is_adopted_and_revoked_where_it_lives(there, capsys):
    lookup = lookup_of(load().settings, adopt=True)
    (found,) = lookup([credential_of(SECRET)])
    assert lookup([credential_of(SECRET), credential_of("another")]) == [found, None]
    assert run(["keys", "revoke", found.key_id]) == 0
    assert run(["stores", "follow"]) == 0
    assert there() == "revoked"


def test_a_key_that_they_do_not_let_in_any_more_is_no_live_one(there):
    with sqlite3.connect("theirs.db") as theirs:
        theirs.execute("UPDATE api_keys SET state = 'revoked'")
    theirs.close()
    for adopt in (False, True):
        (found,) = lookup_of(load().settings, adopt=adopt)([credential_of(SECRET)])
        assert found.verdict == "revoked"


def test_a_store_that_is_away_is_told_once_and_hides_nothing(there, tmp_path):
    (tmp_path / "theirs.db").write_bytes(b"nonsense" * 999)
    told = []
    lookup = lookup_of(load().settings, told.append)
    assert lookup([credential_of("a"), credential_of("b")]) == [None, None]
    assert len(told) == 1
    assert "app" in told[0]


def judge_of(settings, engine, told, clock):
    book = KeyBook(engine, settings.keys)
    respond = wiring.responder(
        wiring.policy(settings), frozenset({"revoke"}), book.known_key, lambda _: 7.0
    )
    voice = Voice(told.append, told.append)
    elsewhere = foreign.asking(engine, settings, told.append, adopt=True)
    return Judge(engine, book, respond, voice, lambda: None, elsewhere, clock)


def rows(engine, table):
    with reading(engine) as connection:
        return connection.execute(table.select()).mappings().all()


@pytest.fixture
def away(there, tmp_path):
    """Their database is damaged, until it is called."""
    file = tmp_path / "theirs.db"
    good = file.read_bytes()
    file.write_bytes(b"nonsense" * 999)
    return lambda: file.write_bytes(good)


def test_a_report_waits_for_a_store_that_is_away_and_ours_go_before_it(away):
    settings, told, now = load().settings, [], [100.0]
    engine = open_database(settings.database)
    ours = KeyStore(engine).create(KeyOrder(), actor="test")
    judge = judge_of(settings, engine, told, lambda: now[0])
    reported = [
        Disclosure(credential_of(one), "acme", "", "") for one in (SECRET, "another", ours.secret)
    ]
    assert judge(reported) == [None, None, True]
    for _ in range(3):
        judge.work_off()
    assert [one["subject"] for one in rows(engine, alerts)] == [ours.key.id]
    assert {name: n for name, n in status(engine)["repositories"].items() if n} == {
        "reported": 2,
        "unsure": 2,
    }
    assert any("app is away" in one["error"] for one in rows(engine, repo_events))
    assert len([one for one in told if "app" in str(one)]) == 1
    away()
    judge.work_off()
    assert len(rows(engine, repo_events)) == 2  # it is left alone for a while
    now[0] += ASK_AGAIN_S
    with judge.running():
        while rows(engine, repo_events):
            pass
    assert {one["severity"] for one in rows(engine, alerts)} == {"critical"}
    assert len(rows(engine, alerts)) == 2
    engine.dispose()


def test_a_report_is_given_up_after_days_and_taken_in_again_when_it_is_repeated(away):
    settings, told, now = load().settings, [], [100.0]
    engine = open_database(settings.database)
    judge = judge_of(settings, engine, told, lambda: now[0])
    reported = [Disclosure(credential_of(SECRET), "acme", "", "")]
    judge(reported)
    with engine.begin() as connection:
        connection.execute(
            repo_events.update().values(received_at=repo_events.c.received_at - 4 * 86400)
        )
    judge.work_off()
    assert status(engine)["repositories"]["given_up"] == 1
    assert any("given up" in str(one) for one in told)
    away()
    now[0] += ASK_AGAIN_S
    judge(reported)
    judge.work_off()
    assert len(rows(engine, alerts)) == 1
    engine.dispose()


def test_a_push_is_scanned_again_when_a_store_was_away(away, tmp_path):
    folder = tmp_path / "repository"
    folder.mkdir()
    (folder / "settings.py").write_text(f'KEY = "{SECRET}"\n')
    for words in (["init", "-q", "-b", "main"], ["add", "-A"], ["commit", "-q", "-m", "one"]):
        author = ["-c", "user.name=a", "-c", "user.email=a@b"]
        subprocess.run(["git", *author, *words], cwd=folder, check=True)
    with (tmp_path / "keywatch.toml").open("a") as file:
        file.write(
            f'[repositories]\npoll = ["{folder}"]\ncache = "{tmp_path}/cache"\n'
            f'local_roots = ["{tmp_path}"]\n'
        )
    assert run(["watch", "--once"]) == 0
    engine = open_database(load().settings.database)
    (waits,) = rows(engine, repo_events)
    assert (waits["state"], "app is away" in waits["error"]) == ("waiting", True)
    away()
    with engine.begin() as connection:
        connection.execute(repo_events.update().values(received_at=0.0))
    assert run(["watch", "--once"]) == 0
    (waits,) = rows(engine, repo_events)
    assert waits["state"] == "done"
    assert "critical" in {one["severity"] for one in rows(engine, alerts)}
    engine.dispose()


def test_a_public_id_has_a_hash_of_its_own():
    assert public_id_hash("x") != hashlib.sha256(b"x").hexdigest()


def test_a_key_of_theirs_that_is_reported_is_acted_on_behind_the_answer(there):
    settings, told = load().settings, []
    engine = open_database(settings.database)
    book = KeyBook(engine, settings.keys)
    respond = wiring.responder(
        wiring.policy(settings), frozenset({"revoke"}), book.known_key, lambda _: 7.0
    )
    voice = Voice(told.append, told.append)
    elsewhere = foreign.asking(engine, settings, told.append, adopt=True)
    judge = Judge(engine, book, respond, voice, lambda: None, elsewhere)
    reported = [Disclosure(credential_of(one), "acme", "", "") for one in (SECRET, "another")]
    answered = judge(reported)
    assert disclosure.labels(reported, answered) == []  # who reports does not wait for them
    judge.work_off()
    with reading(engine) as connection:
        (alert,) = connection.execute(alerts.select()).mappings()
        assert not connection.execute(repo_events.select()).all()
    assert alert["severity"] == "critical"
    assert KeyStore(engine).get(alert["subject"]).store == "app"
    assert judge(reported) == [True, None]  # it is one of ours now
    engine.dispose()
