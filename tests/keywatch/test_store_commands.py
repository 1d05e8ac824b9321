"""`keywatch accounts`, `plans` and `identities`, and what narrows a key, as people use them."""

import hashlib
import io
import json
import sqlite3

import pytest

from gateway.limits import limit_of
from keystore import narrow
from keystore.unregistered import name_of_secret
from tests.httpd import serving
from vocabulary.errors import KeywatchError, UsageError

GRANTS = [
    *["--network", "10.0.0.0/8", "--network", "2001:db8::/32", "--endpoint", "get /v1/*"],
    *["--model", "gpt-*", "--require", "token", "--limit", "5/s", "--tokens-per-day", "1000"],
    *["--country", "fr", "--hours", "22-2", "--days", "mon-wed,sun", "--rate-per-h", "60"],
]


def test_what_narrows_a_key_and_what_its_owner_declared(as_json):
    key = as_json("keys", "create", *GRANTS)
    assert key["networks"] == ["10.0.0.0/8", "2001:db8::/32"]
    assert (key["endpoints"], key["models"], key["requires"]) == (
        ["GET /v1/*"],
        ["gpt-*"],
        ["token"],
    )
    assert (key["limits"], key["tokens"]["per_day"]) == (["5/s"], 1000)
    assert key["declared"] == {
        "countries": ["FR"],
        "hours": [0, 1, 22, 23],
        "days": [0, 1, 2, 6],
        "rate_per_h": 60.0,
    }


def test_a_key_is_changed_and_narrowings_are_taken_away(as_json, keywatch):
    key = as_json("keys", "create", *GRANTS)["id"]
    changed = as_json(
        "keys",
        "change",
        key,
        "--network",
        "192.0.2.0/24",
        "--clear",
        "models",
        "--clear",
        "declared",
        "--clear",
        "tokens-per-day",
        "--expires",
        "30d",
    )
    assert (changed["networks"], changed["models"]) == (["192.0.2.0/24"], [])
    assert (changed["declared"], changed["tokens"]["per_day"]) == ({}, None)
    assert changed["limits"] == ["5/s"]
    shown = as_json("keys", "show", key)
    assert [act["verb"] for act in shown["history"]] == ["create", "change"]
    code, _, err = keywatch("keys", "change", key, "--model", "x", "--clear", "models")
    assert (code, "given and cleared" in err) == (2, True)
    code, _, err = keywatch("keys", "change", key, "--expires", "never")
    assert (code, "max_expiry_days" in err) == (3, True)


def test_accounts_and_plans(as_json, keywatch):
    plan = as_json("plans", "set", "gold", "--key-limit", "600/min:50", "--tokens-per-month", "9")
    assert (plan["key_limits"], plan["tokens_per_month"]) == (["600/min:50"], 9)
    assert as_json("plans", "list") == [plan] == [as_json("plans", "show", "gold")]
    as_json("accounts", "create", "acme", "--plan", "gold", "--organisation", "group")
    as_json("keys", "create", "--account", "acme")
    assert as_json("accounts", "suspend", "acme", "--until", "2h")["suspended"] is True
    assert as_json("accounts", "throttle", "acme", "--per-min", "9")["throttle"]["per_min"] == 9
    (listed,) = as_json("accounts", "list", "--organisation", "group")
    assert (listed["id"], listed["plan"], listed["keys"]) == ("acme", "gold", 1)
    code, out, _ = keywatch("accounts", "list")
    assert (code, "suspended until" in out) == (0, True)
    assert as_json("accounts", "resume", "acme")["suspended"] is False
    assert as_json("accounts", "unthrottle", "acme")["throttle"] is None
    assert as_json("accounts", "organisations")[0]["accounts"] == 1
    code, _, err = keywatch("plans", "remove", "gold")
    assert (code, "acme" in err) == (3, True)
    assert as_json("accounts", "change", "acme", "--plan", "")["plan"] == ""
    assert keywatch("plans", "remove", "gold")[0] == 0
    history = as_json("accounts", "show", "acme")["history"]
    assert [act["verb"] for act in history][:2] == ["create_account", "suspend_account"]


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["accounts", "create", "acme"], 3, "accounts change"),
        (["accounts", "create", "a b"], 2, "an account"),
        (["accounts", "create", "new", "--plan", "none"], 3, "plans list"),
        (["accounts", "change", "acme"], 2, "nothing is named"),
        (["accounts", "change", "none", "--name", "x"], 3, "accounts list"),
        (["accounts", "throttle", "acme"], 2, "--per-min"),
        (["accounts", "suspend", "acme", "--until", "2020-01-01T00:00:00Z"], 2, "later time"),
        (["accounts", "resume", "none"], 3, "accounts list"),
        (["accounts", "forget", "none"], 3, "accounts list"),
        (["plans", "set", "p", "--key-limit", "many"], 2, "600/min"),
        (["plans", "remove", "none"], 3, "plans list"),
        (["identities", "allow", "9"], 3, "identities denied"),
        (["identities", "deny", "pace", "token:0123456789abcdef"], 2, "--per-min"),
        (["identities", "add-token", "https://issuer", ""], 2, "write both"),
        (["keys", "change", "key_none"], 2, "nothing is named"),
        (["keys", "usage", "key_none"], 3, "keys list"),
        (["db", "restore", "none.db", "--force"], 3, "no such file"),
    ],
)
def test_wrong_wishes_get_one_line_that_says_what_to_do(as_json, keywatch, arguments, code, said):
    as_json("accounts", "create", "acme")
    got, out, err = keywatch(*arguments)
    assert (got, out, err.count("\n"), said in err) == (code, "", 1, True), err


@pytest.mark.parametrize(
    "verb",
    [
        ["plans", "remove", "gold"],
        ["db", "upgrade"],
        ["db", "backup", "copy.db"],
        ["accounts", "forget", "acme"],
    ],
)
def test_programs_are_answered_in_json_whatever_they_do(as_json, verb):
    as_json("plans", "set", "gold")
    as_json("accounts", "create", "acme")
    assert as_json(*verb)


def test_an_account_reads_well_in_a_narrow_window(as_json, keywatch, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    as_json("accounts", "create", "acme", "--name", "Acme", "--owner", "ops@acme.example")
    as_json("accounts", "throttle", "acme", "--per-min", "7", "--until", "2h")
    for command in (["show", "acme"], ["list"]):
        _, out, _ = keywatch("accounts", *command)
        assert max(map(len, out.splitlines())) <= 80
        assert "{" not in out
    assert "per_min 7, until 2" in keywatch("accounts", "show", "acme")[1]
    key = as_json("keys", "create", "--owner", "maria@acme.example", "--account", "acme")["id"]
    as_json("keys", "throttle", key, "--per-min", "5", "--until", "2h")
    _, out, _ = keywatch("keys", "list")
    assert out.splitlines()[0].split() == "id state env expires owner account limits".split()
    assert max(map(len, out.splitlines())) <= 80


@pytest.mark.parametrize("what", ["accounts", "identities"])
def test_a_long_list_says_that_it_was_cut(as_json, keywatch, what):
    for name in ("a", "b", "c"):
        as_json("accounts", "create", name)
        as_json("identities", "add-certificate", f"cn:{name}")
    code, out, err = keywatch(what, "list", "--limit", "2", "--json")
    assert (code, len(json.loads(out)), "--limit 0" in err) == (0, 2, True)
    for limit in ("0", "3"):
        code, out, err = keywatch(what, "list", "--limit", limit, "--json")
        assert (len(json.loads(out)), err) == (3, "")


def test_identities_live_the_life_of_keys(as_json, keywatch):
    client = as_json("identities", "add-client", "--owner", "o", "--scope", "read")
    assert client["secret"].startswith("cs_")
    for issuer in ("https://issuer.example", "https://partner.example"):
        bound = as_json("identities", "add-client", "--id", "app", "--issuer", issuer)
        assert bound["public_id"] == f"{issuer} app"
    assert keywatch("identities", "add-client", "--id", "app", "--issuer", "two words")[0] == 2
    assert keywatch("identities", "add-client", "--id", "app", "--issuer", issuer)[0] == 3
    subject = as_json("identities", "add-token", "https://issuer.example", "alice")
    code, out, err = keywatch("identities", "add-certificate", "spiffe://example.org/web")
    assert (code, err) == (0, "")
    assert as_json("identities", "throttle", subject["id"], "--per-min", "5")["throttle"]
    assert as_json("identities", "revoke", client["id"])["state"] == "revoked"
    assert as_json("identities", "restore", client["id"])["state"] == "active"
    assert {each["kind"] for each in as_json("identities", "list")} == {
        "oauth-client",
        "token",
        "certificate",
    }
    assert as_json("keys", "list") == []
    code, out, _ = keywatch("identities", "list")
    assert "spiffe://example.org/web" in out
    assert client["secret"] not in out


def test_deny_lists(as_json, keywatch, monkeypatch):
    denial = as_json("identities", "deny", "subject", "alice", "--issued-before", "now")
    assert denial["issued_before"] is not None
    as_json("identities", "deny", "fingerprint", "AB:" * 31 + "AB", "--until", "30d")
    code, out, _ = keywatch("identities", "denied")
    assert (code, "alice" in out, "abab" in out) == (0, True, True)
    as_json("identities", "allow", str(denial["id"]))
    assert [each["kind"] for each in as_json("identities", "denied")] == ["fingerprint"]
    assert keywatch("identities", "deny", "serial", "xyz")[0] == 2
    monkeypatch.setattr("sys.stdin", io.StringIO("a leaked secret\n"))
    leaked = as_json("identities", "deny", "credential", "-")
    assert leaked["value"] == name_of_secret(b"a leaked secret")
    slow = as_json("identities", "deny", "pace", "token:0123456789abcdef", "--per-min", "6")
    assert "pace: 6/min" in keywatch("identities", "denied")[1]
    assert "slowed down no more" in keywatch("identities", "allow", str(slow["id"]))[1]
    assert as_json("identities", "allow", str(leaked["id"]))["kind"] == "credential"


def test_an_issuer_is_asked_of_the_token_on_standard_input(
    as_json, keywatch, monkeypatch, tmp_path
):
    def answer(asked):
        good = b"the+token" in asked.body
        return 200, {}, json.dumps({"active": good, "sub": "alice"}).encode()

    with serving(answer) as server:
        (tmp_path / "keywatch.toml").write_text(
            f'[[issuers]]\nname="ours"\nissuer="https://i.example"\naudiences=["api"]\n'
            f'introspection_url="{server.url}/introspect"\nrevocation_url="{server.url}/revoke"\n'
        )
        monkeypatch.setattr("sys.stdin", io.StringIO("the token\n"))
        assert as_json("identities", "introspect", "ours")["sub"] == "alice"
        monkeypatch.setattr("sys.stdin", io.StringIO("another\n"))
        code, out, _ = keywatch("identities", "introspect", "ours")
        assert (code, "not good" in out, "another" in out) == (0, True, False)
        monkeypatch.setattr("sys.stdin", io.StringIO("the token\n"))
        assert as_json("identities", "revoke-token", "ours")["revoked"] is True
    assert keywatch("identities", "introspect", "theirs")[0] == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ["--hours", "25"],
        ["--hours", "8-"],
        ["--days", "someday"],
        ["--country", "France"],
        ["--network", "10.0.0.1/8"],
        ["--plan", "none"],
    ],
)
def test_grants_that_cannot_be_are_refused_in_a_line(keywatch, arguments):
    code, out, err = keywatch("keys", "create", *arguments)
    assert code in (2, 3)
    assert (out, err.count("\n")) == ("", 1)


@pytest.mark.parametrize(
    "text", ["600/min", "20/s:5", "1000/10min:50", "600", "1/0s", "x", "5/day", "1/s:", "7 / h"]
)
def test_the_store_takes_the_limits_that_the_gateway_can_keep(text):
    def takes(reads, error):
        try:
            reads()
        except error:
            return False
        return True

    assert takes(lambda: narrow.limits([text]), UsageError) == takes(
        lambda: limit_of(text), KeywatchError
    )


def test_what_was_watched_is_shown_as_usage(as_json, keywatch, tmp_path):
    key = as_json("keys", "create")["id"]
    line = {
        "time_iso8601": "2026-03-01T12:30:00+00:00",
        "remote_addr": "203.0.113.7",
        "request": "GET /v1/things HTTP/1.1",
        "status": 200,
        "body_bytes_sent": 1,
        "http_user_agent": "x",
        "request_id": "r",
        "api_key_id": key,
    }
    log = tmp_path / "access.log"
    log.write_text("".join(json.dumps(line | {"request_id": str(n)}) + "\n" for n in range(5)))
    code, _, err = keywatch("watch", "--access-log", str(log), "--format", "nginx-json", "--once")
    assert code == 0, err
    assert as_json("keys", "usage", key, "--since", "999999h") == [
        {
            "key_id": key,
            "hour": "2026-03-01T12:00:00.000Z",
            "method": "GET",
            "status_class": 2,
            "network": "203.0.113.0/24",
            "requests": 5,
            "tokens": 0,
            "first_at": "2026-03-01T12:30:00.000Z",
        }
    ]
    assert as_json("keys", "show", key)["last_used_at"] == "2026-03-01T12:30:00.000Z"
    code, out, _ = keywatch("keys", "usage", key, "--since", "999999h")
    assert (code, "203.0.113.0/24" in out, "2xx" in out) == (0, True, True)
    assert "no grace" in keywatch("keys", "close-graces")[1]


def test_keys_are_imported_from_csv_json_and_any_database(as_json, keywatch, tmp_path):
    digests = [f"{number:064x}" for number in range(6)]
    (tmp_path / "a.csv").write_text(
        f'key_hash,who,note\n{digests[0]},"ann, of sales",x\nshort,bob,y\n{digests[1]},eve\n'
    )
    code, out, err = keywatch(
        "keys",
        "import",
        "a.csv",
        "--map",
        "hash=key_hash",
        "--map",
        "owner=who",
        "--refused",
        "refused.jsonl",
    )
    assert (code, "2 keys taken over, 1 rows refused" in out) == (3, True), err
    refused = json.loads((tmp_path / "refused.jsonl").read_text())
    assert refused["row"] == 2
    assert {key["owner"] for key in as_json("keys", "list")} == {"ann, of sales", "eve"}
    (tmp_path / "b.jsonl").write_text(
        f'{{"hash": "{digests[2]}", "scopes": ["a", "b"]}}\n\n[1]\n{{"hash"\n'
    )
    code, out, _ = keywatch("keys", "import", "b.jsonl", "--json")
    assert (code, json.loads(out)["accepted"], json.loads(out)["refused"]) == (3, 1, 2)
    (tmp_path / "c.json").write_text(json.dumps([{"hash": digests[3], "account": "acme"}]))
    assert as_json("keys", "import", "c.json")["accepted"] == 1
    assert as_json("keys", "import", "c.json") == as_json("keys", "import", "c.json")
    assert "nothing is read" in keywatch("keys", "import", "c.json")[2]
    code, _, err = keywatch("keys", "import", "c.json", "--map", "hash=account")
    assert (code, "something else was imported as 'c.json'" in err) == (3, True)
    with sqlite3.connect(tmp_path / "theirs.db") as theirs:
        theirs.execute("CREATE TABLE t (n INTEGER, h TEXT, o TEXT)")
        theirs.execute("INSERT INTO t VALUES (1, ?, 'dan'), (2, ?, 'fay')", digests[4:6])
    theirs.close()
    query = "SELECT h AS hash, o AS owner FROM t ORDER BY n"
    taken = as_json("keys", "import", "--from", "sqlite:///theirs.db", "--query", query)
    assert (taken["accepted"], taken["refused"]) == (2, 0)
    assert len(as_json("keys", "list")) == 6


@pytest.mark.parametrize(
    "arguments",
    [
        ["none.csv"],
        [],
        ["x.txt"],
        ["x.csv", "--map", "colour=red"],
        ["x.csv", "--map", "hash=no"],
        ["--from", "sqlite:///none.db"],
        ["--from", "sqlite:///none.db", "--query", "SELECT 1 ORDER BY 1"],
        ["--from", "sqlite:///x.db", "--query", "SELECT h AS hash FROM t"],
        ["x.json"],
    ],
)
def test_an_import_that_cannot_be_begun_is_told_in_a_line(keywatch, tmp_path, arguments):
    for name in ("x.txt", "x.csv", "x.json"):
        (tmp_path / name).write_text("a,b\n")
    code, out, err = keywatch("keys", "import", *arguments)
    assert code in (2, 3)
    assert (out, err.count("\n")) == ("", 1)


def test_keys_that_live_elsewhere_follow_ours(as_json, keywatch, monkeypatch, tmp_path):
    secret = "a key of theirs"
    with sqlite3.connect(tmp_path / "theirs.db") as theirs:
        theirs.execute("CREATE TABLE api_keys (id INTEGER, digest TEXT, state TEXT, title TEXT)")
        digest = hashlib.sha256(secret.encode()).hexdigest()
        theirs.execute("INSERT INTO api_keys VALUES (7, ?, 'active', 'mobile')", [digest])
    theirs.close()
    (tmp_path / "keywatch.toml").write_text(
        '[[stores]]\nname="app"\ntype="sql"\nurl="sqlite:///theirs.db"\ntable="api_keys"\n'
        'hash_column="digest"\nname_column="title"\n'
    )

    def state():
        with sqlite3.connect(tmp_path / "theirs.db") as theirs:
            (found,) = theirs.execute("SELECT state FROM api_keys").fetchone()
        theirs.close()
        return found

    assert as_json("stores", "list") == [{"name": "app", "type": "sql", "keys": "api_keys"}]
    assert as_json("stores", "find", "app", "--sha256", digest)["id"] == "7"
    assert keywatch("stores", "find", "app", "--sha256", "0" * 64)[0] == 3
    monkeypatch.setattr("sys.stdin", io.StringIO(secret + "\n"))
    key = as_json("stores", "adopt", "app", "--owner", "ann")
    assert (key["store"], key["external_id"], key["name"]) == ("app", "7", "mobile")
    assert key["expires_at"] is None
    assert keywatch("stores", "follow") == (0, "", "")
    as_json("keys", "revoke", key["id"])
    assert keywatch("stores", "follow")[0] == 0
    assert state() == "revoked"
    as_json("keys", "restore", key["id"])
    assert keywatch("watch", "--once")[0] == 0
    assert state() == "active"
    assert keywatch("stores", "revoke", "app", "7")[0] == 0
    assert state() == "revoked"
    assert keywatch("stores", "restore", "app", "7")[0] == 0
    code, _, err = keywatch("stores", "throttle", "app", "7", "--per-min", "5")
    assert (code, "cannot throttle" in err) == (2, True)
    assert keywatch("stores", "restore", "app", "8")[0] == 3
    assert keywatch("stores", "find", "none")[0] == 2


def test_a_backup_brings_nobody_back_who_was_let_out_since(as_json):
    key = as_json("keys", "create")["id"]
    as_json("db", "backup", "copy.db")
    as_json("keys", "revoke", key)
    said = as_json("db", "restore", "copy.db", "--force")
    assert (said["kept_ended"], as_json("keys", "show", key)["state"]) == (1, "revoked")
    assert as_json("db", "restore", "copy.db", "--force", "--revive")["kept_ended"] == 0
    assert as_json("keys", "show", key)["state"] == "active"
