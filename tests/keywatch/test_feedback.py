"""From an alert over what a person says of it to what the pipeline does with the next log."""

import json

import pytest
from sqlalchemy import select

from database.schema import lessons
from database.transaction import open_database, reading
from keywatch.cli import run
from keywatch.keybook import sensitivity_of
from tests.keywatch.traffic import ordinary, theft

ORDER = ("low", "medium", "high", "critical")


@pytest.fixture
def watched(tmp_path, monkeypatch, capsys):
    """Watch logs, one after the other, in one database; return the alerts about key_0."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYWATCH_DATABASE", "sqlite:///here.db")

    def watch(name, lines):
        (tmp_path / name).write_text("\n".join(lines) + "\n")
        assert run(["watch", "--access-log", name, "--format", "nginx-json", "--once"]) == 0
        capsys.readouterr()
        run(["alerts", "list", "--key", "key_0", "--limit", "1000", "--json"])
        return json.loads(capsys.readouterr().out)

    return watch


def worst(alerts, day):
    found = [a["severity"] for a in alerts if a["ts"][:10] == f"2026-09-{7 + day:02d}"]
    return max(found, key=ORDER.index, default="none")


def waiting(folder):
    engine = open_database(f"sqlite:///{folder / 'here.db'}")
    with reading(engine) as connection:
        found = connection.execute(select(lessons.c.verdict)).scalars().all()
    engine.dispose()
    return found


@pytest.mark.parametrize(
    ("verdict", "again"), [("ack", False), ("false", False), ("confirm", True)]
)
def test_what_people_say_decides_whether_it_is_news_again(
    watched, tmp_path, capsys, verdict, again
):
    alerts = watched("a.log", [*ordinary(18), *theft(18)])
    assert worst(alerts, 18) in ("high", "critical")
    latest = [a["id"] for a in alerts if a["ts"].startswith("2026-09-25")]
    assert run(["alerts", verdict, *latest]) == 0
    assert len(waiting(tmp_path)) == len(latest)
    alerts = watched("b.log", list(theft(19)))
    assert (worst(alerts, 19) in ("medium", "high", "critical")) == again
    assert waiting(tmp_path) == []


def test_a_second_word_replaces_one_that_nobody_has_learned(watched, tmp_path):
    alerts = watched("a.log", [*ordinary(18), *theft(18)])
    run(["alerts", "ack", alerts[0]["id"]])
    run(["alerts", "confirm", alerts[0]["id"]])
    assert waiting(tmp_path) == ["confirmed"]


def test_sensitivity_is_of_the_key_or_its_class_or_all():
    table = {"key_a": 1.0, "cron": -0.5, "*": 0.25}
    asked = [("key_a", "cron"), ("key_b", "cron"), ("key_b", "human"), ("key_b", "")]
    assert [sensitivity_of(table, *one) for one in asked] == [1.0, -0.5, 0.25, 0.25]
