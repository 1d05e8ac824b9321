"""Bad input to `replay`, `watch` and the database: one line, the right exit code, nothing lost."""

import gzip
import io
import os
import subprocess
import sys
from contextlib import redirect_stderr, redirect_stdout
from datetime import UTC, datetime

import pytest
from sqlalchemy import text

from database.transaction import open_database, reading
from keywatch.cli import run
from keywatch.demo import traffic
from keywatch.replay import read_keys
from keywatch.status import status
from streams import deadletter, formats
from tests.keywatch.traffic import ordinary, theft
from vocabulary.errors import ConfigError

NOW = datetime(2026, 3, 18, 14, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
def lines():
    return list(traffic.ordinary("svc", "maria", NOW))[:2000]


def keywatch(*words, database="", limit=None):
    """Run a command; in a process of its own where the system refuses to write what it says."""
    command = [*map(str, words)]
    if limit or "/dev/full" in command:
        return in_a_process(command, database, limit)
    told = [io.TextIOWrapper(io.BytesIO(), encoding="utf-8", write_through=True) for _ in "oe"]
    with pytest.MonkeyPatch.context() as patch, redirect_stdout(told[0]), redirect_stderr(told[1]):
        if database:
            patch.setenv("KEYWATCH_DATABASE", database)
        code = run(command)
    said = (stream.buffer.getvalue().decode() for stream in told)
    return subprocess.CompletedProcess(command, code, *said)


def in_a_process(command, database, limit):
    code = "import sys; from keywatch.__main__ import main; main()"
    if limit:
        code = (
            "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN);"
            f"resource.setrlimit(resource.RLIMIT_FSIZE, ({limit}, {limit}));" + code
        )
    return subprocess.run(
        [sys.executable, "-c", code, *command],
        env={**os.environ, **({"KEYWATCH_DATABASE": database} if database else {})},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def said(done, code, *parts):
    """The last line of stderr says it all, and there is no traceback."""
    assert done.returncode == code, done.stderr
    assert "Traceback" not in done.stderr
    last = done.stderr.strip().splitlines()[-1]
    for part in parts:
        assert part in last, last


def written(path, data):
    path.write_bytes(data if isinstance(data, bytes) else b"\n".join([*data, b""]))
    return path


def replay(*words):
    return keywatch("replay", *words)


def test_a_log_that_is_not_there(tmp_path):
    said(replay(tmp_path / "no.log", "--format", "nginx-json"), 2, "no.log", "does not exist")


def test_a_format_that_is_not_there(tmp_path, lines):
    log = written(tmp_path / "a.log", lines)
    said(replay(log, "--format", "ngnix-json"), 2, "ngnix-json", "did you mean nginx-json")


def test_a_log_of_another_format(tmp_path, lines):
    log = written(tmp_path / "a.log", lines)
    said(replay(log, "--format", "nginx-combined"), 2, "none of 2000 lines is nginx-combined")


def test_a_binary_log(tmp_path):
    log = written(tmp_path / "a.log", os.urandom(200_000))
    done = replay(log, "--format", "nginx-json")
    assert done.returncode in (2, 3)
    assert "a.log" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_hostile_name_in_an_error_speaks_to_no_terminal_and_no_ci_server(tmp_path):
    name = "\x1b]0;title\x07##vso[task.prependpath]"
    done = keywatch("replay", tmp_path / name, "--format", "nginx-json")
    assert done.returncode != 0
    assert "\x1b" not in done.stderr
    assert "##vso" not in done.stderr
    assert "\\x1b]0;title\\x07#\\x23vso" in done.stderr


def test_an_empty_log_is_no_error(tmp_path):
    log = written(tmp_path / "a.log", b"")
    done = replay(log, "--format", "nginx-json")
    assert done.returncode == 0
    assert "0 of 0 lines" in done.stdout


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("nonsense", ("no key", '{"key": "key_…"')),
        ('{"id":"key_1"}', ("no key", "`key`")),
        ('{"key":"key_1","owner":3}', ("owner",)),
        ('{"key":"key_1","tz":"Mars/Phobos"}', ("there is no time zone 'Mars/Phobos'",)),
        ('{"key":"key_1","created_at":"yesterday"}', ("'yesterday' is no time",)),
    ],
)
def test_a_wrong_line_of_keys_is_named(tmp_path, line, words):
    keys = written(tmp_path / "keys.jsonl", f'{{"key":"key_0"}}\n\n{line}'.encode())
    with pytest.raises(ConfigError) as raised:
        read_keys(keys)
    assert all(word in str(raised.value) for word in (f"{keys}:3: ", *words))


def test_a_truncated_gzip_is_replayed_up_to_there_and_named(tmp_path, lines):
    packed = gzip.compress(b"\n".join([*lines, b""]))
    log = written(tmp_path / "a.log.gz", packed[: len(packed) // 2])
    done = replay(log, "--format", "nginx-json")
    said(done, 3, "a.log.gz")
    events = int(done.stdout.split(" of ")[0])
    assert 300 < events < 2000


def test_a_disk_that_is_full_for_the_alerts(tmp_path):
    stolen = sorted([*ordinary(24, keys=1), *theft(22)])
    log = written(tmp_path / "a.log", [line.encode() for line in stolen])
    done = keywatch("replay", log, "--format", "nginx-json", "--alerts", "/dev/full")
    said(done, 3, "/dev/full: no space left", "free some space")


@pytest.mark.parametrize("words", [("--output", "/dev/full"), ("--receipt", "/dev/full")])
def test_a_disk_that_is_full_for_a_report_is_named(tmp_path, words):
    clean = written(tmp_path / "a.txt", b"nothing")
    done = keywatch("scan", clean, "--format", "json", *words)
    said(done, 3, "/dev/full: no space left", "free some space")


def watch(log, database, *, limit=None):
    words = ("watch", "--access-log", log, "--format", "nginx-json", "--once")
    return keywatch(*words, database=database, limit=limit)


def test_broken_lines_become_dead_letters_and_the_rest_is_watched(tmp_path, lines):
    broken = [b"{", b"\xff\xfe\x00", b'{"status": "x"}', b"[" * 100_000]
    log = written(tmp_path / "a.log", [*lines[:1000], *broken, *lines[1000:]])
    url = f"sqlite:///{tmp_path}/k.db"
    assert watch(log, url).returncode == 0
    figures = status(open_database(url))
    assert figures["events"] == {"read": 2004, "committed": 2000, "dead": 4, "late": 0}


def at(line, moment):
    """Return a line of nginx-json with another time."""
    before, _, rest = line.partition(b'"time_iso8601":"')
    return before + b'"time_iso8601":"' + moment + rest[rest.index(b'"') :]


def test_all_that_is_wrong_in_one_file_is_counted_with_its_reason_and_stops_nothing(
    tmp_path, lines
):
    wrong = [
        b"\xff\xfe\x80" * 9,
        formats.find("nginx-combined").samples[0],
        formats.find("haproxy").samples[0],
        "GET /".encode("utf-16-le"),
        lines[0].replace(b"GET /", "GET /é".encode("latin-1"))[:-1],
        lines[0][: len(lines[0]) // 2],
        b"x" * 10_000_000,
        b'{"a":' * 50_000,
        b'{"status":' + b"9" * 5000 + b"}",
        at(lines[0], b"2026-03-18T09:00:61+00:00"),
        at(lines[0], b"2026-03-18T09:00:00"),
    ]
    odd = [
        at(lines[0], moment)
        for moment in (
            b"2016-12-31T23:59:60Z",  # a leap second
            b"2026-03-18T23:30:00+14:00",
            b"2026-03-18T00:30:00-11:30",
            b"1999-01-01T00:00:00Z",  # clocks that jump
            b"2099-01-01T00:00:00Z",
        )
    ]
    log = written(tmp_path / "a.log", [*lines[:900], *wrong, *odd, *lines[900:]])
    url = f"sqlite:///{tmp_path}/k.db"
    assert watch(log, url).returncode == 0
    with log.open("ab") as file:
        file.write(lines[-1] + b"\n" + lines[-1][:50])  # and a half line in the end
    assert watch(log, url).returncode == 0
    engine = open_database(url)
    with reading(engine) as connection:
        reasons = [one.reason for one in deadletter.newest(connection)]
    events = status(engine)["events"]
    engine.dispose()
    assert events["read"] == len(lines) + len(wrong) + len(odd) + 2
    assert events["dead"] == len(reasons) == len(wrong) + 1
    assert all(reasons)
    assert events["committed"] == len(lines) + len(odd) + 1


def test_a_file_that_is_no_database(tmp_path, lines):
    log, file = written(tmp_path / "a.log", lines), written(tmp_path / "k.db", b"hello" * 1000)
    said(watch(log, f"sqlite:///{file}"), 3, "k.db", "not a database")
    assert file.read_bytes() == b"hello" * 1000


def test_a_database_of_a_newer_keywatch(tmp_path, lines):
    log, url = written(tmp_path / "a.log", lines), f"sqlite:///{tmp_path}/k.db"
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    said(watch(log, url), 3, "k.db", "9999")


def test_a_database_that_is_locked(tmp_path, lines):
    log, url = written(tmp_path / "a.log", lines), f"sqlite:///{tmp_path}/k.db"
    engine = open_database(url)
    with engine.connect().execution_options(write=True) as connection, connection.begin():
        said(watch(log, url), 3, "k.db", "locked")
    assert watch(log, url).returncode == 0
    assert status(engine)["events"]["committed"] == 2000


def test_a_database_that_may_not_be_written(tmp_path, lines):
    log, url = written(tmp_path / "a.log", lines), f"sqlite:///{tmp_path}/k.db"
    open_database(url).dispose()
    said(watch(log, f"sqlite:///file:{tmp_path}/k.db?mode=ro&uri=true"), 3, "readonly")


def test_a_disk_that_is_full_for_the_database_loses_nothing(tmp_path, lines):
    log, url = written(tmp_path / "a.log", lines), f"sqlite:///{tmp_path}/k.db"
    open_database(url).dispose()
    limit = 16_384  # less than the write-ahead log needs
    done = watch(log, url, limit=limit)
    said(done, 3, "k.db")
    assert watch(log, url).returncode == 0
    assert status(open_database(url))["events"]["committed"] == 2000


def test_nothing_of_a_failed_chunk_is_committed(tmp_path, lines):
    log, url = written(tmp_path / "a.log", lines), f"sqlite:///{tmp_path}/k.db"
    engine = open_database(url)
    with engine.begin() as connection:
        connection.execute(text("DROP TABLE positions"))
    said(watch(log, url), 3, "positions")
    with reading(engine) as connection:
        for table in ("profile_deltas", "profiles", "alerts", "outbox", "counters"):
            assert connection.scalar(text(f"SELECT count(*) FROM {table}")) == 0
