"""Hooks of pushes, with real git on both sides: new objects are scanned, and nothing else."""

import os
import subprocess
import sys

import pytest

from scanner import ScanOptions, hooks
from scanner.sources import gitrun
from tests.scanner.secrets import github_token
from tests.scanner.test_hooks import FOREIGN, foreign, keywatch, line

__all__ = ["keywatch"]


@pytest.fixture
def origin(repo, tmp_path, keywatch):
    """A bare repository that is pushed to, as yet without hooks."""
    del keywatch
    folder = tmp_path / "origin.git"
    repo.git("clone", "-q", "--bare", ".", str(folder))
    repo.git("remote", "add", "origin", str(folder))
    repo.git("push", "-q", "-u", "origin", "main")
    return folder


def push(repo, *words):
    """Push; returns whether it went through, and what was said."""
    done = subprocess.run(
        ["git", "push", *words], cwd=repo.path,
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    return done.returncode == 0, done.stderr


@pytest.fixture(params=["pre-push", "pre-receive"])
def side(request, repo, origin, keywatch):
    """Either hook, in its place."""
    folder = repo.path if request.param == "pre-push" else origin
    keywatch("hook", "install", request.param, cwd=folder)
    return request.param


def test_a_secret_is_refused_and_clean_work_goes_through(repo, side, origin):
    repo.commit("dir/a.txt", line())
    ok, said = push(repo, "origin", "main")
    assert not ok
    assert "dir/a.txt:1" in said
    assert "Ada" in said
    assert "this push is refused" in said
    assert github_token() not in said
    repo.git("reset", "-q", "--hard", "origin/main")
    repo.commit("dir/a.txt", "clean\n")
    ok, said = push(repo, "origin", "main")
    assert ok
    assert "keywatch" not in said
    assert repo.git("rev-parse", "main") == repo.git("--git-dir", str(origin), "rev-parse", "main")


def test_a_secret_that_a_later_commit_takes_out_is_found(repo, side):
    repo.commit("a.txt", line())
    repo.commit("a.txt", "gone\n")
    assert not push(repo, "origin", "main")[0]


@pytest.mark.parametrize("where", ["message", "tag", "branch", "force"])
def test_messages_tags_new_branches_and_forced_pushes_are_scanned(repo, side, where):
    if where == "message":
        repo.git("commit", "-q", "--allow-empty", "-m", line())
        asked = ["main"]
    elif where == "tag":
        repo.git("tag", "-a", "v1", "-m", line())
        asked = ["v1"]
    elif where == "branch":
        repo.git("checkout", "-q", "-b", "new")
        repo.commit("a.txt", line())
        asked = ["new", "main"]
    else:
        repo.git("commit", "-q", "--amend", "-m", "other")
        repo.commit("a.txt", line())
        asked = ["--force", "main"]
    assert not push(repo, "origin", *asked)[0]


def test_what_is_there_already_is_not_scanned_again(repo, side, origin, keywatch):
    hook = (repo.path / ".git" if side == "pre-push" else origin) / "hooks" / side
    hook.rename(hook.with_suffix(".off"))
    repo.commit("a.txt", line() + "one\n")
    assert push(repo, "origin", "main")[0]
    hook.with_suffix(".off").rename(hook)
    repo.commit("b.txt", "clean\n")
    assert push(repo, "origin", "main")[0]
    # the same file again, with the secret that was in it before
    repo.commit("a.txt", line() + "two\n")
    assert push(repo, "origin", "main")[0]
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("a.txt", line() + "three\n")
    assert push(repo, "origin", "side")[0]
    repo.commit("a.txt", line() + line(2))
    ok, said = push(repo, "origin", "side")
    assert not ok
    assert "a.txt:2" in said
    assert "a.txt:1" not in said


def test_deleting_a_branch_scans_nothing(repo, side):
    repo.git("branch", "gone")
    assert push(repo, "origin", "gone")[0]
    ok, said = push(repo, "origin", ":gone")
    assert ok
    assert "keywatch" not in said


def test_a_chained_hook_gets_the_same_lines(repo, side, origin, keywatch):
    folder = repo.path if side == "pre-push" else origin
    keywatch("hook", "uninstall", cwd=folder)
    hooks_folder = (folder / ".git" if side == "pre-push" else folder) / "hooks"
    foreign(hooks_folder, side, FOREIGN + "cat >&2\n")
    keywatch("hook", "install", side, "--chain", cwd=folder)
    head = repo.commit("b.txt", "clean\n")
    ok, said = push(repo, "origin", "main")
    assert ok
    assert "foreign ran" in said
    assert head in said


def test_a_first_push_into_an_empty_repository(repo, tmp_path, keywatch):
    folder = tmp_path / "empty.git"
    repo.git("init", "-q", "--bare", str(folder))
    keywatch("hook", "install", "pre-receive", cwd=folder)
    repo.commit("a.txt", line())
    assert not push(repo, str(folder), "main")[0]
    repo.git("reset", "-q", "--hard", "HEAD~1")
    assert push(repo, str(folder), "main")[0]


def test_objects_that_no_ref_leads_to_are_scanned_on_the_server(repo, origin, keywatch, tmp_path):
    """A pack may hold more than what its refs reach; all of it would stay on the server."""
    keywatch("hook", "install", "pre-receive", cwd=origin)
    repo.write("hidden", line())
    blob = repo.git("hash-object", "-w", "hidden")
    quarantine = tmp_path / "quarantine"
    (quarantine / blob[:2]).mkdir(parents=True)
    loose = repo.path / ".git/objects" / blob[:2] / blob[2:]
    (quarantine / blob[:2] / blob[2:]).write_bytes(loose.read_bytes())
    bare = gitrun.find(origin)
    environ = {"GIT_QUARANTINE_PATH": str(quarantine)}
    report = hooks.pre_receive(bare, [], environ, ScanOptions())
    assert [found.blob for found in report] == [blob]
    environ = {"GIT_OBJECT_DIRECTORY": os.path.relpath(quarantine, origin)}
    assert len(hooks.pre_receive(bare, [], environ, ScanOptions())) == 1


def test_without_a_quarantine_what_the_refs_add_is_scanned(repo, origin):
    new = repo.commit("a.txt", line())
    repo.git("push", "-q", "origin", "main:refs/heads/hidden")
    repo.git("--git-dir", str(origin), "update-ref", "-d", "refs/heads/hidden")
    report = hooks.pre_receive(
        gitrun.find(origin), hooks.received([f"{'0' * 40} {new} refs/heads/x"]), {}, ScanOptions()
    )
    assert [found.path for found in report] == ["a.txt"]


def test_a_sha256_repository_has_hooks_too(tmp_path, repo, keywatch):
    work, folder = tmp_path / "work", tmp_path / "sha256.git"
    repo.git("init", "-q", "--bare", "--object-format=sha256", str(folder))
    repo.git("init", "-q", "-b", "main", "--object-format=sha256", str(work))
    repo.path = work
    repo.commit("README", "hello\n")
    keywatch("hook", "install", "pre-commit", cwd=work)
    keywatch("hook", "install", "pre-receive", cwd=folder)
    assert push(repo, str(folder), "main")[0]
    repo.write("README", line())
    assert "README:1" in _tried(repo, "commit", "-am", "secret")
    repo.git("commit", "--no-verify", "-qam", "secret")
    ok, said = push(repo, str(folder), "main")
    assert not ok
    assert "README:1" in said


def _tried(repo, *words):
    mine = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    done = subprocess.run(
        ["git", *mine, *words], cwd=repo.path, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    return done.stderr


def test_the_pre_commit_framework_tells_of_a_push_in_the_environment(repo, origin):
    old = repo.git("rev-parse", "HEAD")
    new = repo.commit("a.txt", line())
    framework = {"PRE_COMMIT": "1", "PRE_COMMIT_REMOTE_NAME": "origin"}
    for told in ({"PRE_COMMIT_FROM_REF": old, "PRE_COMMIT_TO_REF": new}, {}):
        done = subprocess.run(
            [sys.executable, "-m", "keywatch", "hook", "run", "pre-push"],
            cwd=repo.path, env={**os.environ, **framework, **told}, stdin=subprocess.DEVNULL,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 1, done.stderr
        assert "a.txt:1" in done.stderr


def test_a_broken_object_in_a_push_is_refused(repo, origin, tmp_path):
    quarantine = tmp_path / "quarantine"
    (quarantine / "ab").mkdir(parents=True)
    (quarantine / "ab" / ("c" * 38)).write_bytes(b"no object")
    report = hooks.pre_receive(
        gitrun.find(origin), [], {"GIT_QUARANTINE_PATH": str(quarantine)}, ScanOptions()
    )
    assert report.receipt.exit_code == 3


def test_whoever_pushes_marks_no_way_past_a_hook_that_honours_none(repo, origin, keywatch):
    keywatch("hook", "install", "pre-receive", "--no-inline-ignores", cwd=origin)
    repo.commit("a.txt", line().rstrip() + "  # keywatch" + ":allow\n")
    ok, said = push(repo, "origin", "main")
    assert not ok
    assert "a.txt:1" in said
    assert "keywatch:allow" not in said


def test_a_push_to_a_repository_that_borrows_objects_is_scanned(repo, origin, tmp_path, keywatch):
    folder = tmp_path / "borrower.git"
    repo.git("clone", "-q", "--bare", "--shared", str(origin), str(folder))
    keywatch("hook", "install", "pre-receive", cwd=folder)
    repo.commit("a.txt", line())
    ok, said = push(repo, str(folder), "main")
    assert not ok
    assert "a.txt:1" in said
    repo.git("reset", "-q", "--hard", "origin/main")
    repo.commit("a.txt", "clean\n")
    assert push(repo, str(folder), "main")[0]
