"""A repository that tries to run programs, to lead the scanner astray, or to silence it."""

import os
import sys

import pytest

from scanner import ScanOptions, scan
from tests.scanner.secrets import github_token

LINE = f"token = '{github_token()}'\n"

MODES = [
    ScanOptions(),
    ScanOptions(tree=True),
    ScanOptions(staged=True),
    ScanOptions(branch="main"),
    ScanOptions(since="HEAD~1"),
    ScanOptions(ignored=True),
]


@pytest.mark.parametrize("options", MODES, ids=["all", "tree", "staged", "branch", "since", "ign"])
def test_nothing_that_the_repository_names_is_run(repo, tmp_path, options):
    trap, sprung = tmp_path / "trap", tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\necho run >> {sprung}\ncat\n")
    trap.chmod(0o755)
    repo.write(".gitattributes", "* filter=evil diff=evil merge=evil\n")
    repo.commit("a.txt", "one\n")
    repo.commit("a.txt", LINE)
    for name in ("post-checkout", "pre-commit", "fsmonitor-watchman", "post-index-change"):
        hook = repo.path / ".git" / "hooks" / name
        hook.parent.mkdir(exist_ok=True)
        hook.write_text(trap.read_text())
        hook.chmod(0o755)
    for setting in (
        "core.fsmonitor", "core.pager", "core.sshCommand", "core.editor", "core.askPass",
        "diff.external", "diff.evil.textconv", "diff.evil.command", "filter.evil.clean",
        "filter.evil.smudge", "filter.evil.process", "gpg.program", "core.alternateRefsCommand",
        "credential.helper", "merge.evil.driver", "uploadpack.packObjectsHook",
    ):  # fmt: skip
        repo.git("config", setting, str(trap))
    repo.git("config", "log.showSignature", "true")
    repo.git("config", "core.hooksPath", str(repo.path / ".git" / "hooks"))
    repo.write("a.txt", LINE + "changed\n")
    repo.write("b.txt", "staged\n")
    sprung.unlink(missing_ok=True)
    scan(repo.path, options)
    assert not sprung.exists()
    repo.git("status", check=False)
    assert sprung.exists(), "the trap is no trap"


def test_a_partial_clone_fetches_nothing_and_says_what_it_lacks(repo, tmp_path):
    blob = repo.git("rev-parse", f"{repo.commit('a.txt', 'gone' * 9)}:a.txt")
    sprung = tmp_path / "sprung"
    repo.git("config", "extensions.partialClone", "origin")
    repo.git("config", "remote.origin.promisor", "true")
    repo.git("config", "remote.origin.url", f"ext::sh -c 'touch {sprung}'")
    repo.git("config", "protocol.ext.allow", "always")
    (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    report = scan(repo.path)
    assert not sprung.exists()
    assert any(blob in said for said in report.receipt.incomplete)


@pytest.mark.skipif(sys.platform == "win32", reason="symbolic links need rights there")
def test_no_link_is_followed(repo, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text(LINE)
    (repo.path / "link.txt").symlink_to(outside / "secret.txt")
    (repo.path / "folder").symlink_to(outside)
    for options in (ScanOptions(), ScanOptions(tree=True)):
        assert not len(scan(repo.path, options))
    plain = tmp_path / "plain"
    plain.mkdir()
    (plain / "link.txt").symlink_to(outside / "secret.txt")
    (plain / "folder").symlink_to(outside)
    report = scan(plain)
    assert not len(report)
    assert report.receipt.left_out == {"symbolic links and special files": 2}


def test_a_fifo_does_not_stop_the_scan(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "a.txt").write_text(LINE)
    assert len(scan(tmp_path)) == 1


def test_configuration_in_the_target_switches_nothing_off(repo, monkeypatch):
    for name in (
        ".gitleaks.toml", ".gitleaksignore", "keywatch.toml", ".keywatch.toml", ".secrets.baseline",
        ".gitguardian.yaml", ".trufflehogignore",
    ):  # fmt: skip
        repo.write(name, '[scan]\ndisabled = ["github-personal-access-token"]\n*\n')
    repo.commit("a.txt", LINE)
    monkeypatch.chdir(repo.path)
    assert len(scan(".")) == 1


def test_attributes_and_grafts_hide_nothing(repo):
    repo.commit("a.txt", LINE)
    repo.commit("a.txt", "clean\n")
    repo.write(".gitattributes", "*.txt binary export-ignore\n")
    old, new = repo.git("rev-parse", "HEAD~1:a.txt"), repo.git("rev-parse", "HEAD:a.txt")
    repo.git("replace", old, new)
    assert len(scan(repo.path)) == 1


def test_a_mark_covers_its_own_line_alone_and_is_counted(tmp_path):
    mark = "keywatch" + ":allow"
    text = f"a = '{github_token(1)}' # {mark}\nb = '{github_token(2)}'\n"
    (tmp_path / "a.py").write_text(text)
    report = scan(tmp_path)
    assert [f.line for f in report] == [2]
    assert report.receipt.ignored == 1
    assert len(scan(tmp_path, ScanOptions(inline_ignores=False))) == 2


@pytest.mark.parametrize(
    "mark",
    [
        "keywatch:allow", "gitleaks:allow", "betterleaks:allow", "kingfisher:ignore",
        "trufflehog:ignore", "pragma: allowlist secret", "pragma: whitelist secret", "ggignore",
    ],
)  # fmt: skip
def test_the_marks_of_the_peers_are_honoured(tmp_path, mark):
    (tmp_path / "a.py").write_text(f"a = '{github_token()}'  # {mark}\n")
    assert scan(tmp_path).receipt.ignored == 1


def test_a_mark_for_the_next_line(tmp_path):
    mark = "pragma: allowlist nextline" + " secret"
    (tmp_path / "a.py").write_text(f"# {mark}\na = '{github_token(1)}'\nb = '{github_token(2)}'\n")
    assert [f.line for f in scan(tmp_path)] == [3]


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_a_line_ends_where_it_looks_as_if_it_did(tmp_path, end):
    mark, after = "keywatch" + ":allow", "pragma: allowlist nextline" + " secret"
    lines = [f"# {after}", *(f"a = '{github_token(seed)}'" for seed in range(4)), f"# {mark}", ""]
    (tmp_path / "a.py").write_text(end.join(lines), newline="")
    receipt = scan(tmp_path).receipt
    assert (receipt.findings, receipt.ignored) == (3, 1)


def test_odd_names_are_told_as_they_are(repo):
    name = "a b\n\x1b[31m'\".txt"
    repo.commit(name, LINE)
    repo.write("un\x1btracked", f"x = '{github_token(2)}'\n")
    assert {f.path for f in scan(repo.path)} == {name, "un\x1btracked"}


def test_a_name_that_is_no_utf8(repo):
    raw = os.fsencode(repo.path) + b"/caf\xe9.txt"
    with open(raw, "wb") as file:  # noqa: PTH123
        file.write(LINE.encode())
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "odd")
    (finding,) = scan(repo.path)
    assert os.fsencode(finding.path) == b"caf\xe9.txt"
