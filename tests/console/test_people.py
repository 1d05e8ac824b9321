"""Accounts, sessions and tokens: who gets in, how slowly guesses go, and what is kept of it."""

import json

import pytest
from sqlalchemy import select

from database.schema import logins
from database.transaction import reading, transaction
from keystore import audit
from keywatch.cli import run
from keywatch.people import login, passwords, sessions, users
from keywatch.people.login import LoginError, log_in
from tests.console.house import PASSWORD
from vocabulary.errors import UsageError

HERE = "192.0.2.1"


def session_of(house, cookie):
    with reading(house.engine) as connection:
        return sessions.find(connection, cookie, house.now)


@pytest.fixture
def ada(house):
    house.user("ada", "operator")
    return "ada"


def test_the_right_password_begins_a_session_with_the_roles_scopes(house, ada):
    cookie = log_in(house.engine, " Ada ", PASSWORD, HERE, house.now)
    session = session_of(house, cookie)
    assert session.person.actor == "ada"
    assert session.person.may("keys:write")
    assert not session.person.is_admin
    assert session_of(house, cookie + "x") is None


def test_a_viewer_may_only_look_and_not_into_the_audit_log(house):
    house.user("vic", "viewer")
    person = session_of(house, log_in(house.engine, "vic", PASSWORD, HERE, house.now)).person
    assert person.may("keys:read")
    assert not any(person.may(scope) for scope in ("keys:write", "audit:read", "alerts:write"))


@pytest.mark.parametrize("name", ["ada", "nobody", ""])
def test_it_is_not_said_what_was_wrong(house, ada, name):
    with pytest.raises(LoginError, match="do not belong together"):
        log_in(house.engine, name, "wrong", HERE, house.now)


def test_guesses_are_slowed_down_for_this_user_from_this_place_only(house, ada):
    for _ in range(5):
        with pytest.raises(LoginError, match="belong together"):
            log_in(house.engine, "ada", "wrong", HERE, house.now)
    with pytest.raises(LoginError, match="too many"):
        log_in(house.engine, "ada", PASSWORD, HERE, house.now)
    assert log_in(house.engine, "ada", PASSWORD, "192.0.2.2", house.now)
    house.now += 16
    assert log_in(house.engine, "ada", PASSWORD, HERE, house.now)


def refusals(house, name, times):
    """Return what is said of so many guesses."""
    said = []
    for _ in range(times):
        with pytest.raises(LoginError) as told:
            log_in(house.engine, name, "wrong", HERE, house.now)
        said.append(told.value.what)
    return said


def test_how_often_one_may_guess_does_not_tell_whether_there_is_such_a_user(house, ada):
    assert refusals(house, "ada", 7) == refusals(house, "nobody", 7)


def test_names_that_somebody_invents_do_not_fill_the_table(house, ada, monkeypatch):
    monkeypatch.setattr(passwords, "matches", lambda _password, _known: False)
    monkeypatch.setattr(login, "_MOST_INVENTED", 10)
    for number in range(12):
        refusals(house, f"n{number}", 1)
    refusals(house, "ada", 1)
    with reading(house.engine) as connection:
        names = connection.execute(select(logins.c.subject)).scalars().all()
    assert len(names) == 12
    assert f"pair:ada@{HERE}" in names


def test_guesses_from_ever_other_addresses_of_a_network_are_slowed_down(house, ada):
    del ada
    for number in range(5):
        with pytest.raises(LoginError, match="do not belong"):
            log_in(house.engine, "ada", "wrong", f"2001:db8::{number:x}", house.now)
    with pytest.raises(LoginError, match="too many"):
        log_in(house.engine, "ada", PASSWORD, "2001:db8::ffff", house.now)
    assert log_in(house.engine, "ada", PASSWORD, "2001:db8:0:1::1", house.now)


def test_a_place_that_tries_many_names_is_slowed_down(house, monkeypatch):
    monkeypatch.setitem(login._FREE, "place", 3)
    for number in range(3):
        with pytest.raises(LoginError, match="belong together"):
            log_in(house.engine, f"name{number}", "wrong", HERE, house.now)
    with pytest.raises(LoginError, match="too many"):
        log_in(house.engine, "other", "wrong", HERE, house.now)


def test_sessions_end_when_idle_when_old_and_at_once_for_who_is_disabled(house, ada):
    cookie = log_in(house.engine, "ada", PASSWORD, HERE, house.now)
    house.now += sessions.IDLE_S - 1
    assert session_of(house, cookie)
    house.now += 2
    assert session_of(house, cookie) is None
    cookie, start = log_in(house.engine, "ada", PASSWORD, HERE, house.now), house.now
    while house.now < start + sessions.LONGEST_S - sessions.IDLE_S:
        house.now += sessions.IDLE_S / 2
        with transaction(house.engine) as connection:
            sessions.touch(connection, cookie, house.now)
        assert session_of(house, cookie)
    house.now = start + sessions.LONGEST_S + 1
    with transaction(house.engine) as connection:
        sessions.touch(connection, cookie, house.now)
    assert session_of(house, cookie) is None
    cookie = log_in(house.engine, "ada", PASSWORD, HERE, house.now)
    with transaction(house.engine) as connection:
        users.disable(connection, "ada", actor="x", now=house.now)
    assert session_of(house, cookie) is None
    with pytest.raises(LoginError):
        log_in(house.engine, "ada", PASSWORD, HERE, house.now)


def test_the_last_admin_stays(house):
    house.user("root", "admin")
    with transaction(house.engine) as connection:
        for act in (
            lambda: users.disable(connection, "root", actor="x", now=house.now),
            lambda: users.set_role(connection, "root", "viewer", actor="x", now=house.now),
        ):
            with pytest.raises(UsageError, match="last admin"):
                act()


@pytest.mark.parametrize("weak", ["short", "aaaaaaaaaaaaaaaa", "adaadaadaada", "x" * 2000])
def test_weak_passwords_are_refused(weak):
    with pytest.raises(UsageError):
        passwords.check(weak, "ada")


def test_neither_password_nor_cookie_is_kept(house, ada, tmp_path):
    cookie = log_in(house.engine, "ada", PASSWORD, HERE, house.now)
    house.engine.dispose()
    kept = b"".join(p.read_bytes() for p in tmp_path.glob("keywatch.db*"))
    assert PASSWORD.encode() not in kept
    assert cookie.encode() not in kept
    assert b"$argon2id$" in kept


def test_logins_and_refusals_stand_in_the_audit_log(house, ada):
    with pytest.raises(LoginError):
        log_in(house.engine, "ada", "wrong", HERE, house.now)
    log_in(house.engine, "ada", PASSWORD, HERE, house.now)
    with reading(house.engine) as connection:
        rows = audit.rows_of(connection, "user:ada")
        assert [row.verb for row in rows] == ["add_user", "refuse_login", "log_in"]
        assert audit.verify(connection).broken_at == 0


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYWATCH_DATABASE", "sqlite:///here.db")


def test_users_are_looked_after_from_the_command_line(here, capsys):
    assert run(["users", "add", "ada", "--role", "admin"]) == 0
    told = capsys.readouterr()
    assert len(told.out.strip()) >= passwords.SHORTEST
    assert "only time" in told.err
    assert run(["users", "add", "ada"]) == 2
    assert run(["users", "disable", "ada"]) == 2
    assert "last admin" in capsys.readouterr().err
    assert run(["users", "add", "bo"]) == 0
    assert run(["users", "role", "bo", "operator"]) == 0
    assert run(["users", "disable", "bo"]) == 0
    capsys.readouterr()
    assert run(["users", "list", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [(row["name"], row["role"], row["disabled"]) for row in rows] == [
        ("ada", "admin", False),
        ("bo", "operator", True),
    ]
    assert run(["users", "passwd", "bo"]) == 0
    assert run(["users", "passwd", "nobody"]) == 2
    assert run(["users", "add", "Not A Name"]) == 2


def test_tokens_are_made_listed_and_ended_from_the_command_line(here, capsys):
    assert run(["tokens", "create", "deploy", "--scope", "read", "--json"]) == 0
    made = json.loads(capsys.readouterr().out)
    assert made["token"].startswith("kwat_")
    assert run(["tokens", "list", "--json"]) == 0
    told = capsys.readouterr().out
    assert made["token"] not in told
    assert json.loads(told)[0]["state"] == "active"
    assert run(["tokens", "revoke", made["id"]]) == 0
    assert run(["tokens", "revoke", "tok_none"]) == 2
    assert run(["tokens", "create", "deploy", "--scope", "nonsense"]) == 2
    capsys.readouterr()
    assert run(["tokens", "list", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[0]["state"] == "revoked"
