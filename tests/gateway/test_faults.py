"""The database goes away in all the ways it can: nobody is let in, and all is well afterwards."""

import os
import signal
import socket
from contextlib import contextmanager

import pytest


@contextmanager
def moved(place):
    away = place.folder / "away"
    away.mkdir()
    for file in place.folder.glob("keys.db*"):
        file.rename(away / file.name)
    yield
    # The WAL first: whoever opens a database without its WAL begins another, and deletes that one.
    for file in sorted(away.iterdir(), reverse=True):
        file.rename(place.folder / file.name)


@contextmanager
def replaced_by_a_folder(place):
    with moved(place):
        place.database.mkdir()
        yield
        place.database.rmdir()


@contextmanager
def replaced_by_an_empty_file(place):
    with moved(place):
        place.database.write_bytes(b"")
        yield
        for file in place.folder.glob("keys.db*"):
            file.unlink()


@contextmanager
def written_over(place):
    # Else all of it is in the WAL, too, and stays readable.
    with place.store.engine.connect() as connection:
        connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
    before = place.database.read_bytes()
    place.database.write_bytes(b"this is no database" * 1000)
    yield
    whole = place.database.with_suffix(".whole")  # as a backup is put back: under the open file
    whole.write_bytes(before)
    for beside in ("-wal", "-shm"):
        place.database.with_name(place.database.name + beside).unlink(missing_ok=True)
    whole.replace(place.database)


@contextmanager
def forbidden(place):
    if os.geteuid() == 0:
        pytest.skip("nothing is forbidden to root")
    place.database.chmod(0)
    yield
    place.database.chmod(0o600)


@pytest.mark.parametrize(
    "fault",
    [moved, replaced_by_a_folder, replaced_by_an_empty_file, written_over, forbidden],
)
def test_fails_closed_while_the_database_is_away(place, eventually, fault):
    issued, other = place.issue(), place.issue()
    with place.serving() as served:
        assert served.get(issued.secret).status == 200
        with fault(place):
            answer = eventually(lambda: (a := served.get(issued.secret)).status != 200 and a)
            assert answer.status == 503
            assert answer.headers["retry-after"]
            assert b"key_store_unavailable" in answer.body
            assert served.get(other.secret).status == 503
            assert served.get("nobody-has-this").status == 503
            assert served.get(issued.secret, "/auth").status == 403
            assert served.get(path="/healthz").status == 503
            assert served.process.poll() is None
        eventually(lambda: served.get(issued.secret).status == 200)
    said = (place.folder / "stderr").read_text()
    assert said.count("cannot be read") == said.count("is back") == 1
    assert issued.secret not in said


def test_what_is_in_memory_serves_as_long_as_the_operator_says_and_never_what_was_revoked(
    make_place, eventually
):
    place = make_place("[gateway]\nstale_s = 600\n")
    used, revoked, unseen = place.issue(), place.issue(), place.issue()
    with place.serving() as served:
        assert served.get(used.secret).status == 200
        assert served.get(revoked.secret).status == 200
        place.store.revoke(revoked.key.id, actor="test")
        eventually(lambda: served.get(revoked.secret).status == 401)
        with moved(place):
            eventually(lambda: served.get(unseen.secret).status == 503)
            assert served.get(used.secret).status == 200
            assert served.get(revoked.secret).status == 401
            assert served.get("nobody-has-this").status == 503
        eventually(lambda: served.get(unseen.secret).status == 200)
    assert place.say("--config", "keywatch.toml", "config", "show").returncode == 0


def test_a_key_revoked_while_the_file_was_away_is_not_let_in_again(place, make_place, eventually):
    issued = place.issue()
    with place.serving() as served:
        assert served.get(issued.secret).status == 200
        with moved(place):
            eventually(lambda: served.get(issued.secret).status == 503)
            elsewhere = f"sqlite:///{place.folder / 'away' / 'keys.db'}"
            place.run("--database", elsewhere, "keys", "revoke", issued.key.id, "--reason", "test")
        eventually(lambda: served.get(issued.secret).status == 401)
        assert served.get(issued.secret).status == 401


def test_another_database_under_the_same_name_is_another_key_store(place, make_place, eventually):
    issued = place.issue()
    other = make_place()
    stranger = other.issue()
    other.store.engine.dispose()
    with place.serving() as served:
        assert served.get(issued.secret).status == 200
        assert served.get(stranger.secret).status == 401
        with moved(place):
            other.database.rename(place.database)
            eventually(lambda: served.get(stranger.secret).status == 200)
            assert served.get(issued.secret).status == 401
            for file in place.folder.glob("keys.db*"):
                file.unlink()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_it_cleanly_and_the_log_is_whole(place, number):
    issued = place.issue()
    with place.serving() as served:
        for _ in range(20):
            served.get(issued.secret)
        served.process.send_signal(number)
        assert served.process.wait(20) == 0
    assert len(place.log.read_text().splitlines()) == 20
    assert (place.folder / "stderr").read_text() == ""


def test_a_port_in_use_is_said_in_one_line(place):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        result = place.say("serve", "--port", port)
    assert result.returncode == 3
    assert result.stderr.count("\n") == 1
    assert f"127.0.0.1:{port}: cannot listen" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("serve", "--access-log", "no/such/folder/log"), "access log"),
        (("--database", "sqlite:///missing.db", "serve"), "no database"),
        (("serve", "--port", "70000"), "70000"),
        (("serve", "--limit", "many"), "write it like 600/min"),
    ],
)
def test_what_is_wrong_at_the_start_is_said_in_plain_words(place, arguments, said):
    result = place.say(*arguments)
    assert result.returncode in {2, 3}
    assert said in result.stderr
    assert "Traceback" not in result.stderr


def test_limits_of_the_command_line_hold_for_each_key(place):
    one, other = place.issue(), place.issue()
    with place.serving("--limit", "2/min") as served:
        answers = [served.get(one.secret) for _ in range(3)]
        assert [answer.status for answer in answers] == [200, 200, 429]
        assert [answer.headers["x-ratelimit-remaining"] for answer in answers] == ["1", "0", "0"]
        assert served.get(other.secret).status == 200
