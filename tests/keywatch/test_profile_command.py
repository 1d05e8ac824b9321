"""`keywatch keys profile`: what is known of a key, for people and programs."""

import json
import re

import pytest

from keywatch.cli import run
from tests.keywatch.traffic import ordinary, theft


@pytest.fixture
def watched(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYWATCH_DATABASE", "sqlite:///here.db")
    lines = [*ordinary(10, keys=2, hours=range(8, 18)), *theft(10, "key_1", 3)]
    (tmp_path / "a.log").write_text("\n".join(lines) + "\n")
    assert run(["watch", "--access-log", "a.log", "--format", "nginx-json", "--once"]) == 0
    capsys.readouterr()
    return tmp_path


def test_a_program_reads_hours_rates_networks_and_progress(watched, capsys):
    assert run(["keys", "profile", "key_0", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    week = told["hours"]["week"]
    assert list(week) == ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"]
    used = {hour for shares in week.values() for hour, share in enumerate(shares) if share}
    assert used == set(range(8, 18))
    assert max(max(shares) for shares in week.values()) == 1
    assert told["rate"]["per_hour"]["weekday"][12] > 3 > told["rate"]["per_hour"]["weekday"][2]
    assert [one["prefix"] for one in told["prefixes"]] == ["8.8.8.0/24"]
    assert told["maturity"]["known"] is False
    assert told["maturity"]["has"]["age_days"] == 9
    assert told["maturity"]["progress"] == pytest.approx(9 / 14, abs=0.001)


def test_a_person_sees_the_week_as_a_map(watched, capsys):
    assert run(["keys", "profile", "key_0"]) == 0
    out = capsys.readouterr().out
    monday = next(line for line in out.splitlines() if line.strip().startswith("Mon"))
    shades = monday.strip().removeprefix("Mon ")
    assert set(shades[:16]) == {" "}
    assert " " not in shades[16:36]
    assert "still learning, 64%" in out


def test_the_page_loads_nothing_and_runs_nothing(watched):
    assert run(["keys", "profile", "key_0", "--html", "key.html"]) == 0
    page = (watched / "key.html").read_text("utf-8")
    assert page.count('<td class="s') == (7 + 2) * 24
    assert "script" not in page
    assert not re.search(r"https?://|style=", page)


def test_a_key_that_was_never_seen_is_named(watched, capsys):
    assert run(["keys", "profile", "key_9"]) == 3
    assert "nothing was ever seen of key_9" in capsys.readouterr().err
