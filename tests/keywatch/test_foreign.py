"""A leaked key of another store is found, told of, and revoked where it lives."""

import hashlib
import json
import sqlite3

import pytest

from database.schema import alerts, repo_events
from database.transaction import open_database, reading
from keystore.keys import public_id_hash
from keystore.store import KeyStore
from keywatch import foreign, wiring
from keywatch.cli import run
from keywatch.config import load
from keywatch.keybook import KeyBook
from keywatch.reported import Judge
from keywatch.scanning import lookup_of
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
    elsewhere = foreign.lookup(engine, settings, told.append, adopt=True)
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
