"""`keywatch ignore` and the flags of `keywatch scan` that hide findings, from the command line."""

import json
import os
from contextlib import chdir

import pytest

from keywatch import cli
from tests.scanner.secrets import github_token


@pytest.fixture
def keywatch(repo, tmp_path, monkeypatch, capsys):
    """Run the command from a folder that is not scanned; returns exit code, output and errors."""
    folder = tmp_path / "elsewhere"
    folder.mkdir()
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    for name in [name for name in os.environ if name.startswith("KEYWATCH_")]:
        monkeypatch.delenv(name)

    def run(*words, cwd=folder):
        with chdir(cwd):
            code = cli.run([*map(str, words)])
        return code, *capsys.readouterr()

    return run


def leaks(keywatch, repo, *words):
    code, out, _ = keywatch("scan", repo.path, "--format", "jsonl", *words)
    found = [json.loads(line) for line in out.splitlines()]
    assert code == (1 if found else 0)
    return [one["fingerprint"] for one in found]


def test_add_list_and_remove(keywatch, repo):
    repo.commit("a.txt", f"t = '{github_token()}'\n")
    (name,) = leaks(keywatch, repo)
    reason = ("--reason", 'an "example"', "--owner", "ada")
    assert keywatch("ignore", "add", name, *reason, "--expires", "2999-12-31")[0] == 0
    assert leaks(keywatch, repo) == []
    (row,) = json.loads(keywatch("ignore", "list", "--json")[1])
    assert (row["owner"], row["state"], row["expires"]) == ("ada", "active", "2999-12-31")
    assert keywatch("ignore", "remove", name[:8])[0] == 0
    assert leaks(keywatch, repo) == [name]


def test_the_configuration_or_a_flag_names_the_file(keywatch, repo, tmp_path):
    repo.commit("a.txt", f"t = '{github_token()}'\n")
    (name,) = leaks(keywatch, repo)
    (tmp_path / "my.toml").write_text(f'[scan]\nignore = "{tmp_path}/shared.toml"\n')
    config = ("--config", tmp_path / "my.toml")
    assert keywatch(*config, "ignore", "add", name, "--reason", "r")[0] == 0
    assert leaks(keywatch, repo) == [name]
    assert leaks(keywatch, repo, "--ignore-file", tmp_path / "shared.toml") == []
    assert keywatch(*config, "scan", repo.path)[0] == 0


@pytest.mark.parametrize(
    "words",
    [
        ("add", "xyz", "--reason", "r"),
        ("add", "0" * 32),
        ("add", "0" * 32, "--reason", " "),
        ("add", "0" * 32, "--reason", "r", "--expires", "yesterday"),
        ("add", "0" * 32, "--reason", "r", "--expires", "2001-01-01"),
        ("remove", "abc"),
        ("import", "no-such-file", "--reason", "r"),
    ],
)
def test_wrong_words_are_one_line_and_exit_2(keywatch, words):
    code, _, said = keywatch("ignore", *words)
    assert code == 2
    assert said.count("\n") == 1


def test_import_turns_foreign_entries_into_fingerprints(keywatch, repo, tmp_path):
    commit = repo.commit("a.txt", f"t = '{github_token()}'\n")
    file = tmp_path / ".gitleaksignore"
    file.write_text(f"{commit}:a.txt:github-pat:1\nb.txt:github-pat:1\n")
    code, out, said = keywatch("ignore", "import", file, repo.path, "--reason", "as before")
    assert code == 0
    assert out.startswith("1 of 2 entries mean 1 findings")
    assert f"{file}:2" in said
    repo.write("moved.txt", f"\n\nt = '{github_token()}'\n")
    assert leaks(keywatch, repo) == []
    assert github_token() not in (tmp_path / "config/keywatch/ignore.toml").read_text()


def test_baseline_written_and_read_and_written_again(keywatch, repo, tmp_path):
    repo.commit("a.txt", f"t = '{github_token()}'\n")
    file = tmp_path / "known"
    assert len(leaks(keywatch, repo, "--write-baseline", file)) == 1
    before = file.read_bytes()
    assert leaks(keywatch, repo, "--baseline", file, "--write-baseline", file) == []
    assert file.read_bytes() == before


def test_several_reports_of_one_scan(keywatch, repo, tmp_path):
    repo.commit("a.txt", f"t = '{github_token()}'\n")
    more = ("--report", f"sarif={tmp_path}/a.sarif", "--report", f"html={tmp_path}/a.html")
    assert len(leaks(keywatch, repo, *more)) == 1
    assert json.loads((tmp_path / "a.sarif").read_text())["version"] == "2.1.0"
    assert "<article" in (tmp_path / "a.html").read_text()
    assert keywatch("scan", repo.path, "--report", "sarif")[0] == 2


def test_a_configuration_in_the_target_is_not_read_unless_named(keywatch, repo):
    rule = "github-personal-access-token"
    repo.commit("a.txt", f"t = '{github_token()}'\n")
    repo.write("keywatch.toml", f'[scan]\ndisabled = ["{rule}"]\nconfidence = "high"\n')
    for target in (".", ".."):
        code, _, said = keywatch("scan", target, cwd=repo.path)
        assert code == 1
        assert "keywatch.toml lies in what is scanned" in said
    assert keywatch("--config", "keywatch.toml", "scan", ".", cwd=repo.path)[0] == 0
