"""`keywatch keys`, `audit` and `db`, as a person and as a program use them."""

import json
import sqlite3

import pytest

from database import migrate
from database.engine import engine_of
from database.transaction import open_database
from keystore.scheme import KeyScheme
from keystore.store import KeyStore
from vocabulary.moments import moment_of


def test_a_new_key_is_shown_once(keywatch):
    code, out, err = keywatch("keys", "create", "--owner", "ann@example.com")
    secret = out.strip()
    assert code == 0
    assert KeyScheme().parse(secret).checksum == "valid"
    assert "only time" in err
    assert secret not in err
    for command in (["keys", "list"], ["keys", "list", "--json"], ["audit", "export"]):
        code, out, err = keywatch(*command)
        assert code == 0
        assert secret not in out + err
        assert secret[-20:] not in out + err


def test_json_of_a_new_key_has_all_that_was_ordered_and_the_secret(as_json):
    key = as_json(
        *["keys", "create", "--owner", "o", "--account", "a", "--environment", "test"],
        *["--scope", "read", "--scope", "write", "--name", "n", "--class", "ai"],
        *["--tz", "Europe/Paris", "--expires", "30d", "--publishable"],
    )
    assert KeyScheme().parse(key.pop("secret")).publishable
    life = moment_of(key["expires_at"], 0) - moment_of(key["created_at"], 0)
    assert life == pytest.approx(30 * 86_400, abs=0.002)
    wanted = {"owner": "o", "account": "a", "environment": "test", "scopes": ["read", "write"]}
    wanted |= {"name": "n", "class": "ai", "tz": "Europe/Paris", "publishable": True}
    wanted |= {"state": "active", "verdict": "test", "prefix": "pk"}
    assert {name: key[name] for name in wanted} == wanted
    assert as_json("keys", "list") == [key]


def test_the_life_of_a_key(keywatch, as_json):
    key = as_json("keys", "create")["id"]
    assert (
        as_json("keys", "throttle", key, "--per-min", "7", "--until", "2h")["throttle"]["per_min"]
        == 7
    )
    assert as_json("keys", "unthrottle", key)["throttle"] is None
    assert as_json("keys", "suspend", key)["suspended"] is True
    assert as_json("keys", "resume", key)["suspended"] is False
    new = as_json("keys", "rotate", key, "--grace", "2d")
    assert new["rotated_from"] == key
    assert new["secret"]
    assert as_json("keys", "show", key)["rotated_to"] == new["id"]
    assert as_json("keys", "revoke", key, "--reason", "leaked", "--actor", "bob")["state"] == (
        "revoked"
    )
    assert as_json("keys", "restore", key)["state"] == "deprecated"
    history = as_json("keys", "show", key)["history"]
    assert [act["verb"] for act in history] == (
        ["create", "throttle", "unthrottle", "suspend", "resume", "rotate", "revoke", "restore"]
    )
    assert (history[6]["actor"], history[6]["reason"]) == ("bob", "leaked")
    code, out, _ = keywatch("keys", "show", key)
    assert code == 0
    assert "leaked" in out


def test_an_emergency_rotation(keywatch, as_json):
    key = as_json("keys", "create")["id"]
    code, out, err = keywatch("keys", "rotate", key, "--emergency")
    assert code == 0
    assert KeyScheme().parse(out.strip())
    assert f"{key} is revoked" in err
    assert keywatch("keys", "rotate", key, "--emergency", "--grace", "1d")[0] == 2


def test_people_read_what_became_of_a_key(keywatch, as_json):
    key = as_json("keys", "create")["id"]
    assert "throttled to 3/min" in keywatch("keys", "throttle", key, "--per-min", "3")[1]
    assert f"{key} is revoked" in keywatch("keys", "revoke", key)[1]
    code, out, _ = keywatch("keys", "list", "--state", "revoked")
    assert code == 0
    assert key in out
    assert keywatch("keys", "list", "--state", "active")[1].count("key_") == 0


def test_a_long_list_says_that_it_was_cut(keywatch, as_json):
    for _ in range(3):
        as_json("keys", "create")
    code, out, err = keywatch("keys", "list", "--limit", "2", "--json")
    assert (code, len(json.loads(out))) == (0, 2)
    assert "--limit 0" in err
    code, out, err = keywatch("keys", "list", "--limit", "0", "--json")
    assert (len(json.loads(out)), err) == (3, "")


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["create", "--expires", "91d"], 2, "90 days"),
        (["create", "--expires", "never"], 2, "90 days"),
        (["create", "--expires", "soon"], 2, "30d"),
        (["create", "--expires", "2020-01-01T00:00:00Z"], 2, "ahead"),
        (["create", "--environment", "prod"], 2, "live, test"),
        (["create", "--tz", "Moon"], 2, "Europe/Paris"),
        (["create", "--class", "robot"], 2, "human"),
        (["create", "--colour", "red"], 2, "--colour"),
        (["show", "key_none"], 3, "keys list"),
        (["revoke", "key_none"], 3, "keys list"),
        (["throttle", "key_none"], 2, "--per-min"),
        (["throttle", "key_none", "--per-min", "0"], 2, "--per-min"),
        (["suspend", "key_none", "--until", "0s"], 2, "later time"),
        (["list", "--state", "lost"], 2, "--state"),
    ],
)
def test_wrong_wishes_get_one_line_and_the_right_code(keywatch, as_json, arguments, code, said):
    as_json("keys", "create")
    got, out, err = keywatch("keys", *arguments)
    assert got == code
    assert out == ""
    assert said in err
    assert "Traceback" not in err


def test_only_creating_makes_a_database(keywatch, tmp_path):
    for command in (["keys", "list"], ["keys", "revoke", "x"], ["audit", "verify"]):
        code, _, err = keywatch(*command)
        assert code == 3
        assert "there is no database" in err
    for command in (["db", "check"], ["db", "upgrade"], ["db", "backup", "copy.db"]):
        assert keywatch(*command)[0] == 3
    assert list(tmp_path.iterdir()) == []


def test_a_leak_that_is_proven_needs_force(keywatch, as_json):
    key = as_json("keys", "create")["id"]
    engine = open_database("sqlite:///here.db")
    KeyStore(engine).mark_leak_proven(key, actor="x")
    engine.dispose()
    as_json("keys", "revoke", key)
    code, _, err = keywatch("keys", "restore", key)
    assert code == 3
    assert "--force" in err
    assert as_json("keys", "restore", key, "--force")["state"] == "active"


def test_the_configuration_names_prefix_and_lives(as_json, tmp_path):
    (tmp_path / "keywatch.toml").write_text(
        '[keys]\nprefix = "acme_sk"\nenvironments = ["prod", "dev"]\nmax_expiry_days = 0\n'
    )
    key = as_json("keys", "create", "--expires", "never")
    assert key["secret"].startswith("acme_sk_prod_")
    assert (key["expires_at"], key["verdict"]) == (None, "live")


def test_the_audit_log_is_proven_and_exported(keywatch, as_json, tmp_path):
    key = as_json("keys", "create")["id"]
    as_json("keys", "revoke", key)
    proven = as_json("audit", "verify")
    assert (proven["rows"], proven["broken_at"]) == (2, 0)
    head = f"2:{proven['head']}"
    assert head in keywatch("audit", "verify")[1]
    assert keywatch("audit", "verify", "--expect", head)[0] == 0
    code, out, _ = keywatch("audit", "export")
    assert code == 0
    assert [json.loads(line)["verb"] for line in out.splitlines()] == ["create", "revoke"]
    assert keywatch("audit", "export", "--since", "1", "--output", "log.jsonl")[0] == 0
    assert len((tmp_path / "log.jsonl").read_text().splitlines()) == 1
    assert keywatch("audit", "export", "--output", "nowhere/log.jsonl")[0] == 3
    with sqlite3.connect(tmp_path / "here.db") as connection:
        with pytest.raises(sqlite3.IntegrityError, match="never changed"):
            connection.execute("DELETE FROM audit WHERE seq = 2")
        for name in ("changed", "deleted"):
            connection.execute(f"DROP TRIGGER audit_is_not_{name}")
        connection.execute("DELETE FROM audit WHERE seq = 2")
    connection.close()
    assert keywatch("audit", "verify")[0] == 0
    assert "triggers that keep the audit log are gone" in keywatch("db", "check")[1]
    code, out, _ = keywatch("audit", "verify", "--expect", head)
    assert (code, "ends before row 2" in out) == (3, True)
    with sqlite3.connect(tmp_path / "here.db") as connection:
        connection.execute("UPDATE audit SET actor = 'nobody'")
    connection.close()
    assert keywatch("audit", "verify")[0] == 3
    assert keywatch("db", "check")[0] == 3
    assert keywatch("audit", "verify", "--expect", "nonsense")[0] == 2


def test_a_database_is_checked_copied_and_brought_back(keywatch, as_json, tmp_path):
    key = as_json("keys", "create")["id"]
    assert as_json("db", "check")["problems"] == []
    assert "all is well" in keywatch("db", "check")[1]
    assert "up to date" in keywatch("db", "upgrade")[1]
    assert keywatch("db", "backup", "copy.db")[0] == 0
    code, _, err = keywatch("db", "backup", "copy.db")
    assert (code, "name another" in err) == (2, True)
    as_json("keys", "revoke", key)
    code, _, err = keywatch("db", "restore", "copy.db")
    assert (code, "--force" in err, "keys 1" in err) == (2, True, True)
    assert keywatch("db", "restore", "copy.db", "--force")[0] == 0
    assert as_json("keys", "show", key)["state"] == "revoked"  # what has ended stays so
    assert keywatch("db", "restore", "copy.db", "--force", "--revive")[0] == 0
    assert as_json("keys", "show", key)["state"] == "active"
    assert keywatch("db", "restore", "missing.db", "--force")[0] == 3
    assert keywatch("db", "check")[0] == 0
    (tmp_path / "here.db").unlink()
    assert keywatch("db", "restore", "copy.db")[0] == 0
    assert as_json("keys", "list")[0]["id"] == key
    (tmp_path / "here.db").unlink()
    open_database("sqlite:///here.db").dispose()
    assert keywatch("db", "restore", "copy.db")[0] == 0
    assert as_json("keys", "list")[0]["id"] == key
    names = sorted(path.name for path in tmp_path.iterdir())
    assert [name for name in names if "here" not in name] == ["copy.db"]


def test_an_old_schema_is_told_and_upgraded(keywatch, as_json):
    as_json("keys", "create")
    engine = engine_of("sqlite:///here.db")
    migrate.back(engine, "base")
    engine.dispose()
    code, out, _ = keywatch("db", "check")
    assert (code, "db upgrade" in out) == (3, True)
    assert "was empty" in keywatch("db", "upgrade")[1]
    assert keywatch("db", "check")[0] == 0


@pytest.mark.service
def test_a_server_is_used_and_backed_up_like_a_file(keywatch, as_json, monkeypatch, postgresql_url):
    key = as_json("keys", "create")["id"]
    assert keywatch("db", "backup", "before.db")[0] == 0
    monkeypatch.setenv("KEYWATCH_DATABASE", postgresql_url)
    assert keywatch("db", "restore", "before.db")[0] == 0
    assert as_json("keys", "revoke", key)["state"] == "revoked"
    assert as_json("db", "check")["problems"] == []
    assert keywatch("db", "backup", "copy.db")[0] == 0
    as_json("keys", "restore", key)
    code, _, err = keywatch("db", "restore", "copy.db")
    assert (code, "--force" in err) == (2, True)
    assert keywatch("db", "restore", "copy.db", "--force")[0] == 0
    assert as_json("keys", "show", key)["state"] == "revoked"
