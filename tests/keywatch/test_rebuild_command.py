"""`keywatch keys rebuild`: a profile that was lost is put together from logs."""

import json
from pathlib import Path

import pytest
from sqlalchemy import select, update

from database.schema import lessons, profiles, side_inputs
from database.transaction import open_database, reading, transaction
from keywatch.cli import run
from tests.keywatch.traffic import ordinary

FORMAT = ("--format", "nginx-json")


@pytest.fixture
def here(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYWATCH_DATABASE", "sqlite:///here.db")
    lines = list(ordinary(10, keys=2, hours=range(8, 18)))
    tenth = len(lines) // 10
    parts = {"a": lines[: -2 * tenth], "b1": lines[-2 * tenth : -tenth], "b2": lines[-tenth:]}
    for name, part in parts.items():
        (tmp_path / f"{name}.log").write_text("\n".join(part) + "\n")
    watch("a.log")
    return open_database("sqlite:///here.db")


def watch(log):
    assert run(["watch", "--access-log", log, *FORMAT, "--once"]) == 0


def seen(capsys):
    capsys.readouterr()
    assert run(["keys", "profile", "key_0", "--json"]) == 0
    return json.loads(capsys.readouterr().out)


def names(engine):
    with reading(engine) as connection:
        return set(connection.execute(select(side_inputs.c.name)).scalars())


def test_a_damaged_profile_is_kept_aside_and_put_together_from_logs(here, capsys):
    before = seen(capsys)
    with transaction(here) as connection:
        damaged = update(profiles).where(profiles.c.key_id == "key_0").values(data=b"rubbish")
        connection.execute(damaged)
    watch("b1.log")
    told = capsys.readouterr().err
    assert "keywatch keys rebuild key_0" in told
    assert "quarantine:key_0" in names(here)
    assert seen(capsys)["seen"]["events"] < before["seen"]["events"]
    assert run(["keys", "rebuild", "key_0", "a.log", "b1.log", *FORMAT]) == 0
    assert "requests of key_0" in capsys.readouterr().out
    watch("b2.log")
    after = seen(capsys)
    assert after["seen"]["first"] == before["seen"]["first"]
    logs = [Path(name).read_text() for name in ("a.log", "b1.log", "b2.log")]
    assert after["seen"]["events"] == sum(log.count('"key_0"') for log in logs)
    assert names(here) == {"fleet"}
    with reading(here) as connection:
        assert connection.execute(select(lessons)).all() == []


def test_logs_without_the_key_change_nothing(here, capsys):
    assert run(["keys", "rebuild", "key_9", "a.log", *FORMAT]) == 3
    assert "no accepted request of key_9" in capsys.readouterr().err
    assert names(here) == {"fleet"}
