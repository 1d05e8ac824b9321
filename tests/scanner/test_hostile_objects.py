"""Hostile objects, configuration and environments: nothing is run, followed or held in memory."""

import os
import shutil
import subprocess
import sys
from datetime import datetime

import pytest

from scanner import ScanOptions, scan
from scanner.engine import engine_of
from scanner.rules import load_rules
from tests.scanner.secrets import github_token
from vocabulary.errors import ExitCode

LINE = f"token = '{github_token()}'\n"


def tree(repo, *entries):
    """Write a tree object that git itself would refuse to make."""
    raw = b"".join(
        f"{mode} ".encode() + name + b"\0" + bytes.fromhex(oid) for mode, name, oid in entries
    )
    return repo.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=raw).decode()


@pytest.mark.parametrize(
    "name", [b"../../outside.txt", b"/etc/passwd", b".git", b"..", b"a\nb", b"C:\\x", b"-rf"]
)
def test_a_path_that_leads_elsewhere_is_only_a_name(repo, tmp_path, name):
    blob = repo.git("hash-object", "-w", "--stdin", stdin=LINE)
    made = tree(repo, ("100644", name, blob))
    commit = repo.git("commit-tree", made, "-m", "odd")
    repo.git("update-ref", "refs/heads/odd", commit)
    (finding,) = scan(repo.path)
    assert os.fsencode(finding.path) == name
    assert finding.commit == commit
    assert not (tmp_path / "outside.txt").exists()


def test_a_link_in_a_commit_is_its_text_and_is_never_followed(repo, tmp_path):
    (tmp_path / "secret.txt").write_text(LINE)
    blob = repo.git("hash-object", "-w", "--stdin", stdin=str(tmp_path / "secret.txt"))
    repo.git("update-index", "--add", "--cacheinfo", f"120000,{blob},link")
    repo.git("commit", "-q", "-m", "link")
    assert not len(scan(repo.path))


def test_the_worktree_is_where_the_user_says_not_the_repository(repo, tmp_path):
    (tmp_path / "private").mkdir()
    (tmp_path / "private" / "secret.txt").write_text(LINE)
    repo.git("config", "core.worktree", str(tmp_path / "private"))
    for options in (ScanOptions(), ScanOptions(tree=True)):
        assert not len(scan(repo.path, options))


def trap(tmp_path):
    file, sprung = tmp_path / "trap", tmp_path / "sprung"
    file.write_text(f"#!/bin/sh\necho run >> {sprung}\ncat\n")
    file.chmod(0o755)
    return file, sprung


def test_configuration_that_is_included_runs_nothing(repo, tmp_path):
    file, sprung = trap(tmp_path)
    (tmp_path / "more").write_text(
        f"[core]\n\tfsmonitor = {file}\n\tpager = {file}\n[diff]\n\texternal = {file}\n"
        f'[filter "evil"]\n\tclean = {file}\n\tsmudge = {file}\n'
    )
    repo.write(".gitattributes", "* filter=evil\n")
    repo.commit("a.txt", "x\n")
    repo.git("config", "include.path", str(tmp_path / "more"))
    repo.write("a.txt", LINE)
    sprung.unlink(missing_ok=True)
    assert len(scan(repo.path)) == 1
    assert len(scan(repo.path, ScanOptions(tree=True))) == 1
    assert not sprung.exists()
    repo.git("status", check=False)
    assert sprung.exists(), "the trap is no trap"


def test_the_environment_of_the_caller_is_not_gits(repo, tmp_path, monkeypatch):
    file, sprung = trap(tmp_path)
    repo.commit("a.txt", LINE)
    for name, value in {
        "GIT_CONFIG_COUNT": "1", "GIT_CONFIG_KEY_0": "core.fsmonitor", "GIT_CONFIG_VALUE_0": file,
        "GIT_EXTERNAL_DIFF": file, "GIT_PAGER": file, "GIT_DIR": "/nowhere",
        "GIT_SSH_COMMAND": file,
        "GIT_OBJECT_DIRECTORY": "/nowhere", "GIT_INDEX_FILE": "/nowhere", "GIT_TRACE": "1",
        "GIT_ALTERNATE_OBJECT_DIRECTORIES": "/nowhere", "GIT_NAMESPACE": "x",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, str(value))
    for options in (ScanOptions(), ScanOptions(tree=True)):
        report = scan(repo.path, options)
        assert len(report) == 1
        assert report.receipt.incomplete == []
    assert not sprung.exists()


def test_the_other_side_of_a_clone_runs_nothing(repo, tmp_path, monkeypatch):
    file, sprung = trap(tmp_path)
    repo.commit("a.txt", LINE)
    for setting in ("uploadpack.packObjectsHook", "core.fsmonitor", "core.alternateRefsCommand"):
        repo.git("config", setting, str(file))
    hook = repo.path / ".git" / "hooks" / "post-checkout"
    hook.parent.mkdir(exist_ok=True)
    hook.write_text(file.read_text())
    hook.chmod(0o755)
    assert len(scan(f"file://{repo.path}", ScanOptions(cache=False))) == 1
    assert not sprung.exists()


def at_pack(repo, other):
    (repo / ".git" / "objects" / "pack").rmdir()
    (repo / ".git" / "objects" / "pack").symlink_to(other / ".git" / "objects" / "pack")


def at_one_pack(repo, other):
    for file in (other / ".git" / "objects" / "pack").iterdir():
        (repo / ".git" / "objects" / "pack" / file.name).symlink_to(file)


def at_alternates(repo, other):
    told = repo / ".git" / "objects" / "info" / "alternates"
    told.parent.mkdir(exist_ok=True)
    told.write_text(f"{other}/.git/objects\n")


def at_common(repo, other):
    (repo / ".git" / "commondir").write_text(f"{other}/.git\n")


def at_git_file(repo, other):
    shutil.rmtree(repo / ".git")
    (repo / ".git").write_text(f"gitdir: {other}/.git\n")


@pytest.mark.parametrize(
    "point",
    [at_pack, at_one_pack, at_alternates, at_common, at_git_file],
    ids=lambda one: one.__name__,
)
def test_a_repository_that_names_the_objects_of_another_is_told_of(repo, tmp_path, point):
    other = tmp_path / "private"
    repo.git("clone", "-q", "--no-local", str(repo.path), str(other))
    repo.git("-C", str(other), "gc", "-q")
    assert scan(repo.path).receipt.warnings == []
    point(repo.path, other)
    warnings = scan(repo.path).receipt.warnings
    assert any("outside of the repository" in said and str(other) in said for said in warnings)


def test_linked_worktrees_and_submodules_name_one_another_and_lie_outside_of_nothing(
    repo, tmp_path
):
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "linked")
    assert scan(tmp_path / "linked").receipt.warnings == []
    outer = tmp_path / "outer"
    repo.git("init", "-q", str(outer))
    repo.git(
        *("-c", "protocol.file.allow=always", "-C", str(outer)),
        *("submodule", "add", "-q", str(repo.path), "lib"),
    )
    assert not any("outside of" in said for said in scan(outer).receipt.warnings)
    assert not any("outside of" in said for said in scan(outer / "lib").receipt.warnings)


def test_objects_borrowed_from_nowhere_are_told_of(repo):
    bad = repo.git("rev-parse", f"{repo.commit('a.txt', 'x' * 50)}:a.txt")
    (repo.path / ".git" / "objects" / "info").mkdir(exist_ok=True)
    (repo.path / ".git" / "objects" / "info" / "alternates").write_text("/nowhere/objects\n")
    (repo.path / ".git" / "objects" / bad[:2] / bad[2:]).unlink()
    receipt = scan(repo.path).receipt
    assert receipt.exit_code == ExitCode.INCOMPLETE
    assert any(bad in said for said in receipt.incomplete)


@pytest.mark.skipif(sys.platform != "linux", reason="peak memory is read from /proc")
def test_an_object_of_any_size_costs_no_memory(repo):
    """A quarter of a gigabyte of zeros, a few hundred kilobytes in the repository."""
    engine_of(load_rules())  # what compiling the rules takes is not asked here
    size = 256 << 20
    with subprocess.Popen(
        ["git", "hash-object", "-w", "--stdin"], cwd=repo.path, stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
    ) as git:  # fmt: skip
        for _ in range(size >> 20):
            git.stdin.write(bytes(1 << 20))
    script = (
        "import resource, sys; from scanner import scan; r = scan(sys.argv[1]);"
        "print(r.receipt.read[1], resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss,"
        " next(line.split()[1] for line in open('/proc/self/status') if 'VmHWM' in line))"
    )
    read, children_kb, own_kb = (  # a process's own ru_maxrss begins at that of who started it
        int(word)
        for word in subprocess.run(
            [sys.executable, "-c", script, repo.path],
            check=True, capture_output=True, text=True,
            env={**os.environ, "PYTHONPATH": os.getcwd()},  # noqa: PTH109
        ).stdout.split()
    )  # fmt: skip
    assert read >= size
    assert max(children_kb, own_kb) << 10 < size


def written(repo, kind, text):
    """Write an object that git itself would not make."""
    words = ("hash-object", "-w", "-t", kind, "--literally", "--stdin")
    return repo.git(*words, stdin=text.encode()).decode().strip()


NO_TIMES = (
    "99999999999999999999 +0000", "253402300800 +0000", "1600000000 +9999", "1600000000 -2401",
    "-5 +0000", "abc +0000", "", "1600000000",
)  # fmt: skip


@pytest.mark.parametrize("when", NO_TIMES)
def test_a_time_that_is_none_costs_no_finding(repo, when):
    head, root = repo.git("rev-parse", "HEAD", "HEAD^{tree}").split()
    said = f"A <a@example.org> {when}"
    tagged = f"object {head}\ntype commit\ntag x\ntagger {said}\n\n{LINE}"
    made = f"tree {root}\nauthor {said}\ncommitter {said}\n\nt = '{github_token(2)}'\n"
    refs = repo.path / ".git" / "refs"
    (refs / "tags" / "x").write_text(written(repo, "tag", tagged) + "\n")
    (refs / "heads" / "x").write_text(written(repo, "commit", made) + "\n")
    for _ in range(2):  # the second is told by the cache
        found = scan(repo.path).findings
        assert {f.path for f in found} == {"(message of tag x)", "(commit message)"}
        for finding in found:
            assert not finding.date or datetime.fromisoformat(finding.date)


@pytest.mark.parametrize("text", ["", "tree {tree}\n\n", "tree {tree}\nauthor\ncommitter\n\n"])
def test_a_commit_without_its_lines_hides_nothing(repo, text):
    repo.commit("a.txt", LINE)
    root = repo.git("rev-parse", "HEAD^{tree}")
    name = written(repo, "commit", text.format(tree=root) + f"t = '{github_token(2)}'\n")
    (repo.path / ".git" / "refs" / "heads" / "x").write_text(name + "\n")
    assert {f.path for f in scan(repo.path)} == {"a.txt", "(commit message)"}


def test_trees_that_git_would_not_make_hide_nothing(repo):
    blob = repo.git("hash-object", "-w", "--stdin", stdin=LINE)
    for number, name in enumerate((b"", b"a/b", b"\xff\x1b[2J")):
        commit = repo.git("commit-tree", "-m", "odd", tree(repo, (100644, name, blob)))
        repo.git("update-ref", f"refs/heads/x{number}", commit)
    report = scan(repo.path)
    assert len(report) == 1
    assert report.receipt.exit_code == 3
    assert "empty filename" in report.receipt.incomplete[0]


@pytest.mark.parametrize("raw", [b"", b"DIRC\0\0\0\x63junk"])
def test_a_broken_index_is_named_and_history_is_scanned(repo, raw):
    repo.commit("a.txt", LINE)
    repo.write("a.txt", "clean\n")
    (repo.path / ".git" / "index").write_bytes(raw)
    report = scan(repo.path)
    assert [f.path for f in report] == ["a.txt"]
    assert report.receipt.exit_code == 3
    assert any("uncommitted work" in said for said in report.receipt.incomplete)


@pytest.mark.skipif(getattr(os, "geteuid", lambda: 1)() != 0, reason="root gives files away")
@pytest.mark.parametrize("options", [ScanOptions(), ScanOptions(tree=True)])
def test_a_repository_of_somebody_else_is_scanned(repo, options):
    repo.commit("a.txt", LINE)
    for place in (repo.path, *repo.path.rglob("*")):
        os.chown(place, 12345, 12345, follow_symlinks=False)
    assert len(scan(repo.path, options)) == 1
