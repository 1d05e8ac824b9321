"""`keywatch model`: from logs to a file that a replay takes, and refuses where it does not fit."""

import json

import pytest

from keywatch.cli import run
from tests.keywatch.traffic import ordinary


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    folder = tmp_path_factory.mktemp("model")
    log, model = folder / "access.log", folder / "own.model"
    log.write_text("\n".join(ordinary(14)) + "\n")
    code = run(["model", "train", str(log), "--format", "nginx-json", "--output", str(model)])
    assert code == 0
    return log, model


def test_a_model_says_what_it_was_trained_on(trained, capsys):
    assert run(["model", "show", str(trained[1]), "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["formats"] == ["nginx-json"]
    assert (told["keys"], told["trees"], len(told["sha256"])) == (6, 100, 64)


def test_the_same_history_gives_the_same_trees(trained, tmp_path):
    again = tmp_path / "again.model"
    run(["model", "train", str(trained[0]), "--format", "nginx-json", "--output", str(again)])
    first, second = (json.loads(file.read_text())["forest"] for file in (trained[1], again))
    assert first["trees"] == second["trees"]


def test_a_replay_takes_the_model(trained):
    arguments = ["replay", str(trained[0]), "--format", "nginx-json", "--model", str(trained[1])]
    assert run(arguments) == 0


def test_a_model_is_refused_for_logs_of_another_format(trained, capsys):
    arguments = ["replay", str(trained[0]), "--format", "cloudtrail", "--model", str(trained[1])]
    assert run(arguments) == 2
    assert "was trained on nginx-json, not on cloudtrail" in capsys.readouterr().err


def test_too_little_history_is_refused_and_writes_nothing(tmp_path, capsys):
    log, model = tmp_path / "access.log", tmp_path / "own.model"
    log.write_text("\n".join(ordinary(1)) + "\n")
    code = run(["model", "train", str(log), "--format", "nginx-json", "--output", str(model)])
    assert code == 2
    assert "too little history" in capsys.readouterr().err
    assert not model.exists()
