"""`keywatch tune`: how sensitive to be, from a user's own history."""

import io
import json
from contextlib import chdir, redirect_stdout
from functools import cache

import pytest

from keywatch.cli import run
from tests.keywatch.traffic import ordinary, surge, theft


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    """Return a month of ordinary use with a theft on each of three days, and one busy hour."""
    file = tmp_path_factory.mktemp("tune") / "access.log"
    lines = sorted(
        [
            *ordinary(30, keys=3),
            *(t for day in (20, 23, 26) for t in theft(day, f"key_{day % 3}")),
            *surge(22, "key_1"),
        ]
    )
    file.write_text("\n".join(lines) + "\n")
    return file


@pytest.fixture(scope="module")
def tuned(log):
    """Return what `tune` makes of so many alerts a day; nothing of it changes."""

    @cache
    def call(per_day):
        wanted = ["--target-alerts-per-day", str(per_day)]
        with chdir(log.parent), redirect_stdout(io.StringIO()) as told:
            assert run(["tune", str(log), "--format", "nginx-json", *wanted, "--json"]) == 0
        return json.loads(told.getvalue())

    return call


def test_the_days_of_learning_are_not_counted(tuned):
    assert tuned(0.2)["days"] == 16


def test_fewer_alerts_are_wanted_than_there_are(tuned):
    told = tuned(0)
    assert told["shift"] < 0
    assert told["after_per_day"] <= told["before_per_day"]
    assert told["sensitivity"] == {"*": told["shift"]}
    assert {row["key"] for row in told["lost"]} <= {"key_0", "key_1", "key_2"}


def test_more_alerts_are_wanted_than_there_are(tuned):
    told = tuned(1.5)
    assert told["shift"] > 0
    assert told["after_per_day"] > told["before_per_day"]
    assert told["lost"] == []


def test_thefts_stay_told_at_a_number_that_has_room_for_them(tuned):
    told = tuned(0.2)
    lost = {(row["key"], row["ts"][:10]) for row in told["lost"]}
    assert lost.isdisjoint({("key_2", "2026-09-27"), ("key_2", "2026-09-30")})


def test_what_people_judged_is_counted(log, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYWATCH_DATABASE", "sqlite:///here.db")
    assert run(["watch", "--access-log", str(log), "--format", "nginx-json", "--once"]) == 0
    capsys.readouterr()
    run(["alerts", "list", "--severity", "high", "--json"])
    run(["alerts", "confirm", *[row["id"] for row in json.loads(capsys.readouterr().out)]])
    capsys.readouterr()
    arguments = ["tune", str(log), "--format", "nginx-json", "--target-alerts-per-day", "0.3"]
    assert run([*arguments, "--json"]) == 0
    judged = json.loads(capsys.readouterr().out)["judged"]
    assert judged["confirmed"]["of"] >= 1
    assert judged["confirmed"]["before"] == judged["confirmed"]["of"]


def test_a_person_gets_the_entry_to_copy(log, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    arguments = ["tune", str(log), "--format", "nginx-json", "--target-alerts-per-day", "0"]
    assert run(arguments) == 0
    assert '[watch]\nsensitivity = { "*" = -' in capsys.readouterr().out
