"""Hooks of real git: a secret is refused, clean work goes through, foreign hooks stay."""

import os
import subprocess
import sys
from contextlib import chdir
from pathlib import Path

import pytest

from keywatch import cli
from tests.scanner.secrets import github_token


def line(seed=1):
    return f"t = '{github_token(seed)}'\n"


@pytest.fixture
def keywatch(tmp_path, monkeypatch, capsys):
    """Run the command; what it finds in the environment is nobody's."""
    for name in [name for name in os.environ if name.startswith(("KEYWATCH_", "GIT_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))

    def run(*words, cwd, ok=True):
        with chdir(cwd):
            code = cli.run([*map(str, words)])
        out, err = capsys.readouterr()
        assert (code == 0) == ok, err
        return out + err

    return run


@pytest.fixture
def tried(repo):
    """Run git where a hook may refuse; returns whether it went through, and what was said."""

    def run(*words, cwd=None):
        mine = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
        done = subprocess.run(
            ["git", *mine, *words], cwd=cwd or repo.path,
            capture_output=True, text=True, timeout=120, check=False,
        )  # fmt: skip
        return done.returncode == 0, done.stdout + done.stderr

    return run


@pytest.fixture
def guarded(repo, keywatch):
    keywatch("hook", "install", "pre-commit", "commit-msg", cwd=repo.path)
    return repo


def test_a_commit_with_a_secret_is_refused_and_a_clean_one_goes_through(guarded, tried):
    guarded.write("a.txt", line())
    guarded.git("add", "a.txt")
    ok, said = tried("commit", "-m", "secret")
    assert not ok
    assert "a.txt:1" in said
    assert "this commit is refused" in said
    assert github_token() not in said
    guarded.write("a.txt", "clean\n")
    guarded.git("add", "a.txt")
    ok, said = tried("commit", "-m", "clean")
    assert ok
    assert "keywatch" not in said


@pytest.mark.parametrize("how", [["-a"], ["a.txt"], ["-i", "a.txt"], ["--all", "--verbose"]])
def test_a_commit_that_stages_by_itself_is_scanned_as_it_will_be(guarded, tried, how):
    guarded.commit("a.txt", "clean\n")
    guarded.write("a.txt", line())
    ok, said = tried("commit", "-m", "secret", *how)
    assert not ok
    assert "a.txt:1" in said
    guarded.write("a.txt", "clean as well\n")
    assert tried("commit", "-m", "clean", *how)[0]


def test_only_what_is_committed_counts(guarded, tried):
    guarded.commit("a.txt", "clean\n")
    guarded.write("a.txt", line())
    guarded.write("b.txt", "clean\n")
    guarded.git("add", "b.txt")
    assert tried("commit", "-m", "without a.txt")[0]


def test_scan_staged_in_a_hook_sees_the_index_of_the_commit(repo, tried, keywatch):
    del keywatch
    hook = repo.path / ".git/hooks/pre-commit"
    hook.write_text(f"#!/bin/sh\nexec '{sys.executable}' -m keywatch scan --staged\n")
    hook.chmod(0o755)
    repo.write("README", line())
    ok, said = tried("commit", "-am", "secret")
    assert not ok
    assert "README:1" in said


def test_a_split_index_and_a_linked_worktree_are_no_way_around(guarded, tried, tmp_path):
    guarded.git("config", "core.splitIndex", "true")
    guarded.git("update-index", "--split-index")
    guarded.git("worktree", "add", "-q", str(tmp_path / "other"), "-b", "side")
    for folder in (guarded.path, tmp_path / "other"):
        (folder / "README").write_text(line())
        ok, said = tried("commit", "-am", "secret", cwd=folder)
        assert not ok
        assert "README:1" in said


def test_the_first_commit_of_all_is_scanned(tmp_path, keywatch, tried):
    folder = tmp_path / "new"
    folder.mkdir()
    assert tried("init", "-q", cwd=folder)[0]
    keywatch("hook", "install", cwd=folder)
    (folder / "a.txt").write_text(line())
    assert tried("add", "a.txt", cwd=folder)[0]
    assert not tried("commit", "-m", "first", cwd=folder)[0]


def test_no_verify_means_what_it_always_means(guarded, tried):
    guarded.write("a.txt", line())
    guarded.git("add", "a.txt")
    assert tried("commit", "--no-verify", "-m", line())[0]


def test_a_message_with_a_secret_is_refused(guarded, tried):
    ok, said = tried("commit", "--allow-empty", "-m", f"use {github_token()}")
    assert not ok
    assert "(commit message):1" in said


def test_the_diff_below_the_scissors_is_no_message(guarded, tried, monkeypatch):
    guarded.git("commit", "--no-verify", "-q", "--allow-empty", "-m", "x")
    guarded.write("a.txt", line())
    guarded.git("add", "a.txt")
    guarded.git("commit", "--no-verify", "-qm", "secret")
    guarded.write("a.txt", "gone\n")
    monkeypatch.setenv("GIT_EDITOR", "sed -i 1s/^/removed/")
    assert tried("commit", "-a", "-v")[0]


def test_a_mark_or_an_ignore_lets_it_through(guarded, tried, keywatch):
    guarded.write("a.txt", line().replace("\n", "  # keywatch:allow\n"))
    guarded.git("add", "a.txt")
    assert tried("commit", "-m", "marked")[0]
    guarded.write("b.txt", line(2))
    guarded.git("add", "b.txt")
    _, said = tried("commit", "-m", "secret")
    name = said.partition("fingerprint ")[2].split()[0]
    keywatch("ignore", "add", name, "--reason", "an example", cwd=guarded.path)
    assert tried("commit", "-m", "ignored")[0]


def test_a_configuration_in_the_repository_switches_nothing_off(guarded, tried):
    guarded.write("keywatch.toml", '[scan]\ndisabled = ["github-personal-access-token"]\n')
    guarded.write("a.txt", line())
    guarded.git("add", ".")
    assert not tried("commit", "-m", "secret")[0]


def test_a_named_configuration_counts(repo, tried, keywatch, tmp_path):
    config = tmp_path / "my.toml"
    config.write_text('[scan]\ndisabled = ["github-personal-access-token"]\n')
    keywatch("--config", "my.toml", "hook", "install", "--repository", repo.path, cwd=tmp_path)
    repo.write("a.txt", line())
    repo.git("add", "a.txt")
    assert tried("commit", "-m", "allowed")[0]


FOREIGN = "#!/bin/sh\necho foreign ran >&2\n"


def foreign(folder, kind="pre-commit", text=FOREIGN):
    folder.mkdir(parents=True, exist_ok=True)
    hook = folder / kind
    hook.write_text(text)
    hook.chmod(0o755)
    return hook


def test_a_foreign_hook_is_never_overwritten(repo, keywatch):
    hook = foreign(repo.path / ".git/hooks")
    said = keywatch("hook", "install", cwd=repo.path, ok=False)
    assert "--chain" in said
    assert keywatch("hook", "uninstall", cwd=repo.path) == "there was none\n"
    assert hook.read_text() == FOREIGN


def test_of_two_foreign_hooks_none_is_overwritten(repo, keywatch):
    hook = foreign(repo.path / ".git/hooks")
    kept = foreign(repo.path / ".git/hooks", "pre-commit.before-keywatch", FOREIGN + "# too\n")
    said = keywatch("hook", "install", "--chain", cwd=repo.path, ok=False)
    assert "two hooks already" in said
    assert (hook.read_text(), kept.read_text()) == (FOREIGN, FOREIGN + "# too\n")


def test_where_hooks_cannot_lie_that_is_said_with_the_place(repo, keywatch, tmp_path):
    (tmp_path / "file").write_text("")
    said = keywatch("hook", "install", "--hooks", tmp_path / "file" / "in", cwd=repo.path, ok=False)
    assert "not a directory" in said
    assert str(tmp_path / "file" / "in") in said


def test_a_link_to_a_hook_is_foreign(repo, keywatch, tmp_path):
    target = foreign(tmp_path / "shared")
    link = repo.path / ".git/hooks/pre-commit"
    link.parent.mkdir(exist_ok=True)
    link.symlink_to(target)
    keywatch("hook", "install", cwd=repo.path, ok=False)
    assert link.is_symlink()
    assert target.read_text() == FOREIGN


def test_a_chained_hook_runs_first_can_refuse_and_comes_back(repo, keywatch, tried):
    hook = foreign(repo.path / ".git/hooks")
    keywatch("hook", "install", "--chain", cwd=repo.path)
    keywatch("hook", "install", "--chain", cwd=repo.path)
    assert "foreign ran" in tried("commit", "--allow-empty", "-m", "clean")[1]
    repo.write("a.txt", line())
    repo.git("add", "a.txt")
    assert not tried("commit", "-m", "secret")[0]
    (hook.parent / "pre-commit.before-keywatch").write_text("#!/bin/sh\nexit 7\n")
    assert not tried("commit", "--allow-empty", "-m", "refused")[0]
    assert "pre-commit" in keywatch("hook", "uninstall", cwd=repo.path)
    assert hook.read_text() == "#!/bin/sh\nexit 7\n"
    assert [file.name for file in hook.parent.iterdir() if "keywatch" in file.name] == []


def test_hooks_that_repositories_share_are_left_alone_unless_named(repo, keywatch, tmp_path, tried):
    repo.git("config", "core.hooksPath", str(tmp_path / "shared"))
    said = keywatch("hook", "install", cwd=repo.path, ok=False)
    assert str(tmp_path / "shared") in said
    keywatch("hook", "install", "--hooks", tmp_path / "shared", cwd=repo.path)
    repo.write("a.txt", line())
    repo.git("add", "a.txt")
    assert not tried("commit", "-m", "secret")[0]


def test_a_hook_whose_python_is_gone_refuses_and_says_so(guarded, tried):
    hook = guarded.path / ".git/hooks/pre-commit"
    hook.write_text(hook.read_text().replace(sys.executable, "/nowhere/python"))
    ok, said = tried("commit", "--allow-empty", "-m", "x")
    assert not ok
    assert "/nowhere/python is gone" in said


def test_nothing_to_install_into_is_said(tmp_path, keywatch):
    assert "no git repository" in keywatch("hook", "install", cwd=tmp_path, ok=False)
    keywatch("hook", "run", "pre-commit", cwd=tmp_path, ok=False)


def test_python_is_taken_from_neither_the_repository_nor_the_environment(
    guarded, tried, monkeypatch, tmp_path
):
    for folder in (guarded.path, tmp_path / "path"):
        folder.mkdir(exist_ok=True)
        for room in ("keywatch", "scanner", "click"):
            (folder / f"{room}.py").write_text("raise SystemExit(0)\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path / "path"))
    guarded.write("a.txt", line())
    guarded.git("add", ".")
    ok, said = tried("commit", "-m", "secret")
    assert not ok
    assert "a.txt:1" in said


def test_what_could_not_be_scanned_refuses_unless_told_otherwise(repo, keywatch, tried):
    keywatch("hook", "install", cwd=repo.path)
    repo.write("a.zip", b"PK\x03\x04" + b"broken" * 20)
    repo.git("add", "a.zip")
    ok, said = tried("commit", "-m", "broken")
    assert (ok, "NOT SCANNED" in said, "--allow-incomplete" in said) == (False, True, True)
    keywatch("hook", "install", "--allow-incomplete", cwd=repo.path)
    ok, said = tried("commit", "-m", "broken")
    assert (ok, "NOT SCANNED" in said) == (True, True)


HOOKS_FILE = Path(__file__).parent.parent.parent / ".pre-commit-hooks.yaml"


def test_the_hooks_of_the_pre_commit_framework_are_commands_that_exist():
    from keywatch.cli.hook import KINDS  # noqa: PLC0415
    from scanner import hooks  # noqa: PLC0415

    entries = [
        text.split("entry: ")[1] for text in HOOKS_FILE.read_text().splitlines() if "entry:" in text
    ]
    assert entries == [f"keywatch hook run {kind}" for kind in KINDS if kind != "pre-receive"]
    assert KINDS == hooks.KINDS
