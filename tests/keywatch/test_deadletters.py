"""Dead letters: shown, read again by the formats of today, and dropped."""

import json
from pathlib import Path
from random import Random
from string import ascii_letters, digits

import pytest
from sqlalchemy import update

from database.schema import dead_letters
from database.transaction import open_database, reading, transaction
from keywatch import pipeline, rates, wiring
from keywatch.cli import run
from keywatch.config import load
from keywatch.intake import queue_up
from streams import deadletter
from streams.chunk import Chunk
from vocabulary.errors import DatabaseError

LINE = '192.0.2.1 [03/Nov/2025:09:12:44 +0000] "GET /" 200\n'
SOURCES = "[[sources]]\npath = '{}'\nformat = 'apache'\nlayout = '%a %t \"%r\" {}'\n"


@pytest.fixture
def log(tmp_path, monkeypatch):
    """A log whose lines are all dead letters, for its layout is not the configured one."""
    monkeypatch.chdir(tmp_path)
    Path("own.log").write_text(LINE * 3 + "broken\n")
    Path("keywatch.toml").write_text(SOURCES.format("own.log", "nothing %s"))
    assert run(["watch", "--once"]) == 2
    return tmp_path / "own.log"


def told(capsys, *words):
    capsys.readouterr()
    assert run([*words, "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def counts(capsys):
    events = told(capsys, "status")["events"]
    return events["committed"], events["dead"]


@pytest.mark.parametrize("pattern", ["own.log", "*.log"])
def test_letters_are_read_again_by_the_formats_of_today(log, capsys, pattern):
    assert counts(capsys) == (0, 4)
    Path("keywatch.toml").write_text(SOURCES.format(log.parent / pattern, "%s"))
    assert run(["watch", "--once"]) == 0
    assert counts(capsys) == (0, 4)
    assert run(["deadletters", "replay", "--all"]) == 0
    for _ in range(2):
        assert run(["watch", "--once"]) == 0
        assert counts(capsys) == (3, 1)
    (left,) = told(capsys, "deadletters", "list")
    assert (left["raw"], left["state"]) == ("broken", "dead")
    assert left["position"]["offset"] == 3 * len(LINE)
    assert told(capsys, "status")["events"]["read"] == 4


def test_a_format_that_fits_nothing_of_a_new_log_leaves_it_as_it_is(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    Path("own.log").write_text(LINE * 150)
    Path("keywatch.toml").write_text(SOURCES.format("own.log", "nothing %s"))
    assert run(["watch", "--once"]) == 2
    assert "none of the first 150 lines is apache" in capsys.readouterr().err
    assert counts(capsys) == (0, 0)
    Path("keywatch.toml").write_text(SOURCES.format("own.log", "%s"))
    assert run(["watch", "--once"]) == 0
    assert counts(capsys) == (150, 0)
    with Path("own.log").open("a") as file:  # of a log that was read before, they are dead letters
        file.write("broken\n" * 150)
    assert run(["watch", "--once"]) in {0, 2}
    assert counts(capsys) == (150, 150)


def test_who_corrects_a_format_is_told_how_to_have_the_letters_read(log, capsys):
    command = f"keywatch deadletters replay --source file:{log}"
    for layout in ("nothing %s", "%s"):
        Path("keywatch.toml").write_text(SOURCES.format("own.log", layout))
        assert run(["watch", "--once"]) == 0
        assert command in capsys.readouterr().err
    assert run(command.split()[1:]) == 0
    assert run(["watch", "--once"]) == 0
    assert counts(capsys) == (3, 1)


def test_letters_beyond_the_limit_are_dropped_of_who_has_most(tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(tmp_path)
    engine = open_database("sqlite:///keywatch.db")
    with transaction(engine) as connection:
        deadletter.keep(connection, "file:a", [({"offset": 1}, "why", b"a")] * 3, 5.0)
        deadletter.ask_again(connection, [1])
        assert deadletter.limit(connection, 0) == 0
        for _ in range(4):
            pipeline.keep_letters(
                connection,
                "syslog:u",
                [({"offset": n}, "why", b"b%d" % n) for n in range(30)],
                5.0,
                50,
            )
        assert deadletter.per_source(connection)["file:a"] == 3
        kept = deadletter.count(connection)
        assert 45 <= kept <= 50
        newest = [one.raw for one in deadletter.newest(connection, 30)]
        assert newest == [b"b%d" % n for n in reversed(range(30))]
    engine.dispose()
    assert told(capsys, "status")["dropped"] == {"dead_letters": 123 - kept}


def test_a_letter_is_read_under_the_header_of_its_line(tmp_path, monkeypatch, capsys):
    """Fields in another order: read without their header, a user would stand for the address."""
    monkeypatch.chdir(tmp_path)
    header, other = (
        "#Fields: date time cs-username c-ip sc-status",
        "#Fields: date time c-ip cs-username sc-status",
    )
    line = "2025-11-03 09:12:44 jo 192.0.2.1 {}\n"
    log = Path("iis.log")
    log.write_text(f"{header}\n" + line.format("200") + line.format("no-status"))
    Path("keywatch.toml").write_text("[[sources]]\npath = 'iis.log'\nformat = 'iis'\n")
    assert run(["watch", "--once"]) == 0
    with log.open("a") as file:  # the second letter in the middle, the last header is another
        file.write(line.format("none") + f"{other}\n2025-11-03 09:12:44 192.0.2.1 jo 200\n")
    assert run(["watch", "--once"]) == 0
    assert counts(capsys) == (2, 2)
    # As if the format of the status had been corrected.
    engine = open_database("sqlite:///keywatch.db")
    with transaction(engine) as connection:
        raw = (line.format("200").strip()).encode()
        connection.execute(update(dead_letters).values(raw=raw))
    engine.dispose()
    seen = []
    batch_of = pipeline.batch_of
    monkeypatch.setattr(
        pipeline,
        "batch_of",
        lambda parsed, *rest: (
            seen.extend(zip(parsed.key, parsed.ip, strict=True)) or batch_of(parsed, *rest)
        ),
    )
    assert run(["deadletters", "replay", "--all"]) == 0
    assert run(["watch", "--once"]) == 0
    assert counts(capsys) == (4, 0)
    assert seen == [("jo", "192.0.2.1")] * 2


def test_letters_of_a_source_that_is_gone_are_kept(log, capsys):
    Path("keywatch.toml").write_text("")
    first, *_ = told(capsys, "deadletters", "list")
    assert run(["deadletters", "replay", str(first["id"])]) == 0
    assert told(capsys, "deadletters", "show", str(first["id"]))["state"] == "again"
    assert run(["watch", "--once"]) == 0
    shown = told(capsys, "deadletters", "show", str(first["id"]))
    assert (shown["state"], "no configured source" in shown["reason"]) == ("dead", True)


def test_a_letter_of_a_spark_job_waits_for_that_job(log, capsys):
    engine = open_database("sqlite:///keywatch.db")
    with transaction(engine) as connection:
        deadletter.keep(connection, "spark:main/3", [({"offset": 1}, "why", b"x")], 5.0)
    engine.dispose()
    capsys.readouterr()
    assert run(["deadletters", "replay", "--source", "spark:main/3"]) == 0
    said = capsys.readouterr().out
    assert "1 letters are read again; 1 wait for their job, `keywatch spark`" in said
    assert run(["deadletters", "replay", "--all"]) == 0
    run(["watch", "--once"])
    newest, *_ = told(capsys, "deadletters", "list")
    assert (newest["state"], newest["reason"]) == ("again", "why")


def test_a_list_fits_a_narrow_terminal(log, capsys, monkeypatch):
    monkeypatch.setenv("COLUMNS", "80")
    capsys.readouterr()
    assert run(["deadletters", "list"]) == 0
    head, *rows = capsys.readouterr().out.splitlines()
    assert head.split() == ["id", "at", "(UTC)", "source", "reason", "line"]
    assert max(map(len, rows)) <= 80
    at = head.index("at (UTC)")
    assert [len(row[at:].split()[0]) for row in rows if row[0] != " "] == [19] * 4


def test_no_secret_of_a_topic_of_repository_events_stands_in_its_letters(tmp_path):
    secret = "ghp_" + "".join(Random(7).choices(ascii_letters + digits, k=36))
    push = {"delivery": "1", "repository": "https://git.example/a", "ref": "refs/heads/main"}
    lines = [
        f"not JSON, {secret}",
        json.dumps(push | {"after": secret}),
        json.dumps(push | {"after": "a" * 40, "private": secret}),
        json.dumps({secret: secret}),
        json.dumps(push | {"after": "a" * 40, "why": secret}),  # the source refuses it
    ]
    file = tmp_path / "a.db"
    engine = open_database(f"sqlite:///{file}")
    settings = load(None, environ={}).settings
    event = push | {"after": "a" * 40, "repository": f"https://{secret}@git.example/a"}
    chunk = Chunk(
        "kafka:pushes/0",
        [line.encode() for line in [*lines, json.dumps(event)]],
        range(len(lines) + 1),
        {"offset": len(lines) + 1, "after": None},
        refused=[(len(lines) - 1, "schema: version 2")],
    )
    queue_up(engine, chunk, 5.0, wiring.cleaner(settings.scan, wiring.peppers(settings)))
    with reading(engine) as connection:
        letters = deadletter.newest(connection, 99, None)
    engine.dispose()
    assert {letter.position["offset"] for letter in letters} == set(range(len(lines)))
    assert all(b"credential:" in letter.raw for letter in letters)
    assert not any(secret.encode() in one.read_bytes() for one in tmp_path.iterdir())


def test_letters_are_shown_and_dropped(log, capsys):
    ids = [str(one["id"]) for one in told(capsys, "deadletters", "list", "--limit", "2")]
    assert run(["deadletters", "discard", *ids]) == 0
    assert counts(capsys) == (0, 2)
    assert run(["deadletters", "show", ids[0]]) == 3
    assert run(["deadletters", "replay"]) == 2
    assert run(["deadletters", "list"]) == 0
    assert "nothing" not in capsys.readouterr().out
    assert told(capsys, "status")["sources"][f"file:{log}"]["dead"] == 2


def test_a_letter_that_another_worker_read_is_not_read_twice(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    with transaction(engine) as connection:
        deadletter.keep(connection, "s", [({"offset": 1}, "why", b"x")], 5.0)
        deadletter.forget(connection, [1])
    with pytest.raises(DatabaseError), transaction(engine) as connection:
        deadletter.forget(connection, [1])
    engine.dispose()


def test_the_rate_is_that_of_the_last_whole_minutes(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'a.db'}")
    with transaction(engine) as connection:
        for minute, events in ((0, 6000), (4, 600), (9, 300), (9, 300), (10, 9999)):
            rates.note(connection, minute * 60.0 + 5, events)
    with reading(engine) as connection:
        assert rates.per_second(connection, 10 * 60.0 + 30) == 2.0
        assert rates.per_second(connection, 99 * 60.0) == 0.0
    engine.dispose()
