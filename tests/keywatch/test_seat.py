"""Of two watches on one database one commits events; the other goes on when it has ended."""

import signal
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import psycopg
import pytest

from database.transaction import open_database
from keywatch.cli import run
from keywatch.seat import seat_of
from keywatch.status import status
from streams import formats
from tests.keywatch.fleet import until, watch

LINE = formats.find("nginx-json").samples[0] + b"\n"
CONFIG = """
database = "sqlite:///{0}/keywatch.db"
[[sources]]
path = "{0}/access.log"
format = "nginx-json"
"""
HOLDER = """
import sys
from database.transaction import open_database
from keywatch.seat import seat_of
with seat_of(open_database(sys.argv[1]), shared=False) as seat:
    print(seat.take(), flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(engine):
    """Another process that sits there."""
    command = [sys.executable, "-c", HOLDER, str(engine.url)]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    with subprocess.Popen(command, cwd=Path(__file__).parents[2], **pipes) as process:
        assert process.stdout.readline() == b"True\n"
        yield process
        process.kill()


def test_a_seat_is_ones_alone_until_its_process_is_gone(engine, holder):
    with seat_of(engine, shared=False) as seat:
        assert not seat.take()
        holder.send_signal(signal.SIGKILL)
        holder.wait()
        assert seat.take()
        assert seat.take()  # asked again it is still ours


def test_who_does_not_wait_is_told_who_is_in_the_way(engine, holder, tmp_path, monkeypatch, capsys):
    (tmp_path / "access.log").write_bytes(LINE)
    (tmp_path / "keywatch.toml").write_text(CONFIG.format(tmp_path))
    monkeypatch.chdir(tmp_path)
    assert run(["watch", "--once"]) == 3
    assert "another keywatch watches with this database" in capsys.readouterr().err
    assert status(engine)["events"]["read"] == 0


def test_nothing_counts_twice_where_two_watch_and_one_is_killed(tmp_path):
    (tmp_path / "w.toml").write_text(CONFIG.format(tmp_path))
    log = tmp_path / "access.log"
    log.touch()
    engine = open_database(f"sqlite:///{tmp_path}/keywatch.db")

    def committed(lines):
        return lambda: status(engine)["events"]["committed"] >= lines

    first, second = watch(tmp_path, "w"), None
    try:
        for number in range(1, 4):
            with log.open("ab") as file:
                file.write(LINE * 20)
            until(committed(20 * number), "events", [first])
            second = second or watch(tmp_path, "w")
            waits = lambda: "this one waits" in (tmp_path / "w.log").read_text()  # noqa: E731
            until(waits, "the second", [first, second])
        first.kill()
        first.wait()
        with log.open("ab") as file:
            file.write(LINE * 20)
        until(committed(80), "the second to go on", [second])
        second.terminate()
        second.wait()
    finally:
        for one in filter(None, (first, second)):
            one.kill()
            one.wait()
    assert status(engine)["events"]["committed"] == 80
    engine.dispose()


@pytest.mark.service
def test_a_server_gives_the_seat_to_one_alone_or_to_those_that_share(postgresql_url):
    one, other = open_database(postgresql_url), open_database(postgresql_url)
    with closing_all(one, other):
        with seat_of(one, shared=False) as mine, seat_of(other, shared=False) as theirs:
            assert (mine.take(), theirs.take(), mine.take()) == (True, False, True)
            with psycopg.connect(postgresql_url, autocommit=True) as admin:
                admin.execute(
                    "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory'"
                )
                gone = "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'"
                until(lambda: admin.execute(gone).fetchone() == (0,), "the connection to end")
            assert (theirs.take(), mine.take()) == (True, False)
        with seat_of(one, shared=True) as mine, seat_of(other, shared=True) as theirs:
            assert (mine.take(), theirs.take()) == (True, True)
            with seat_of(other, shared=False) as sole:
                assert not sole.take()


def closing_all(*engines):
    class Both:
        def close(self):
            for one in engines:
                one.dispose()

    return closing(Both())
