"""The command line in an empty folder."""

import json

import pytest

from keywatch.cli import run


@pytest.fixture
def keywatch(tmp_path, monkeypatch, capsys):
    """Run a command line in an empty folder; return its exit code, its output and its errors."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("KEYWATCH_DATABASE", "sqlite:///here.db")
    monkeypatch.setenv("COLUMNS", "120")

    def call(*arguments):
        code = run(list(arguments))
        out, err = capsys.readouterr()
        return code, out, err

    return call


@pytest.fixture
def as_json(keywatch):
    def call(*arguments):
        code, out, err = keywatch(*arguments, "--json")
        assert code == 0, err
        return json.loads(out)

    return call
