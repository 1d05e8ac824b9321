"""What each target and each option scans, and nothing else."""

import io
import os
import sys

import pytest

from scanner import ScanOptions, scan
from scanner.receipt import Receipt
from scanner.windows import WINDOW
from tests.scanner.secrets import github_token
from vocabulary.credential import KnownKey
from vocabulary.errors import ExitCode, RepositoryError, TargetError, UsageError
from vocabulary.finding import Confidence


def line(seed):
    return f"t = '{github_token(seed)}'\n"


def test_staged_scans_what_the_index_adds(repo):
    repo.commit("a.txt", line(1))
    repo.write("a.txt", line(1) + line(2))
    repo.write("new.txt", line(3))
    repo.git("add", "a.txt", "new.txt")
    repo.write("a.txt", line(4))
    findings = scan(repo.path, ScanOptions(staged=True)).findings
    assert {(f.path, f.line, f.source) for f in findings} == {
        ("a.txt", 2, "staged"), ("new.txt", 1, "staged"),
    }  # fmt: skip


def test_staged_needs_no_identity(repo):
    repo.write("new.txt", line(1))
    repo.git("add", "new.txt")
    receipt = scan(repo.path, ScanOptions(staged=True)).receipt
    assert receipt.json()["scanned"]["objects"] == 1


def test_tree_scans_files_that_git_does_not_ignore(repo):
    repo.commit("old.txt", line(1))
    repo.commit("old.txt", "clean\n")
    repo.write(".gitignore", "*.log\n")
    repo.write("x.log", line(2))
    repo.write("deep/er/x.txt", line(3))
    assert {f.path for f in scan(repo.path, ScanOptions(tree=True))} == {"deep/er/x.txt"}
    ignored = scan(repo.path, ScanOptions(tree=True, ignored=True))
    assert {f.path for f in ignored} == {"deep/er/x.txt", "x.log"}


def test_since_scans_what_is_new(repo):
    repo.commit("a.txt", line(1))
    repo.git("tag", "seen")
    repo.commit("b.txt", line(2))
    assert {f.path for f in scan(repo.path, ScanOptions(since="seen"))} == {"b.txt"}


def test_branch_scans_that_branch_alone(repo):
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("side.txt", line(1))
    repo.git("checkout", "-q", "main")
    repo.commit("main.txt", line(2))
    repo.write("untracked.txt", line(3))
    assert {f.path for f in scan(repo.path, ScanOptions(branch="side"))} == {"side.txt"}


def test_what_a_branch_adds_to_another(repo):
    repo.commit("base.txt", line(1))
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("side.txt", line(2))
    repo.git("checkout", "-q", "main")
    repo.commit("main.txt", line(3))
    repo.write("mine.txt", line(4))
    assert {f.path for f in scan(repo.path, ScanOptions(since="main", branch="side"))} == {
        "side.txt"
    }


def test_a_folder_of_a_worktree_is_no_repository_and_that_is_said(repo):
    repo.commit("dir/a.txt", line(1))
    repo.commit("dir/a.txt", "clean\n")
    report = scan(repo.path / "dir")
    assert not report.findings
    assert str(repo.path) in report.receipt.warnings[0]
    assert not scan(repo.path / "dir", ScanOptions(tree=True)).receipt.warnings
    with pytest.raises(UsageError, match=f"name {repo.path}"):
        scan(repo.path / "dir", ScanOptions(staged=True))


def test_a_bare_repository_stages_nothing_and_that_is_no_pass(repo, tmp_path):
    repo.git("clone", "-q", "--bare", ".", str(tmp_path / "bare"))
    receipt = scan(tmp_path / "bare", ScanOptions(staged=True)).receipt
    assert receipt.exit_code == ExitCode.INCOMPLETE
    assert "bare" in receipt.incomplete[0]


def test_a_directory_is_scanned_with_what_lies_in_it(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.txt").write_text(line(1))
    report = scan(tmp_path)
    assert [(f.path, f.source) for f in report] == [("a/x.txt", "directory")]
    assert report.receipt.files == [1, len(line(1))]


def test_a_file_is_scanned(tmp_path):
    (tmp_path / "x.txt").write_text("\n" + line(1))
    (finding,) = scan(tmp_path / "x.txt")
    assert (finding.path, finding.line) == (str(tmp_path / "x.txt"), 2)


def test_stdin_is_scanned(monkeypatch):
    class Stdin:
        buffer = io.BytesIO(b"\n\n" + line(1).encode())

    monkeypatch.setattr(sys, "stdin", Stdin)
    (finding,) = scan("-")
    assert (finding.path, finding.line, finding.source) == ("(stdin)", 3, "stdin")


@pytest.mark.parametrize("before", [0, WINDOW - 20, WINDOW - 32768, 2 * WINDOW + 5])
def test_a_long_file_is_scanned_in_windows(tmp_path, before):
    filler = (b"x" * 79 + b"\n") * (before // 80 + 1)
    text = filler[: max(before - 1, 0)] + b"\n" + line(1).encode()
    text += b"y" * (3 * WINDOW - len(text)) + b"\n" + line(1).encode()
    (tmp_path / "long.txt").write_bytes(text)
    (finding,) = scan(tmp_path / "long.txt")
    lines = [place.line for place in finding.places]
    token = github_token(1).encode()
    first, last = text.index(token), text.rindex(token)
    assert lines == [text.count(b"\n", 0, first) + 1, text.count(b"\n", 0, last) + 1]


@pytest.mark.parametrize("size", [100, 5 << 20, 70 << 20])
def test_blobs_of_every_size_are_scanned(repo, size):
    text = b"a\n" * (size // 4) + line(1).encode() + b"b\n" * (size // 4)
    repo.commit("big.txt", text)
    repo.commit("after.txt", line(2))
    report = scan(repo.path)
    assert {(f.path, f.line) for f in report} == {("big.txt", size // 4 + 1), ("after.txt", 1)}
    assert report.receipt.incomplete == []


def test_the_key_store_is_asked_once_about_each_secret(tmp_path):
    (tmp_path / "x.txt").write_text(line(1) + line(2) + line(1))
    asked = []

    def lookup(credentials):
        asked.extend(credentials)
        known = KnownKey("key_1", "active", "live", "live")
        shown = KnownKey("key_2", "active", "live", "live", publishable=True)
        return [known, shown][: len(credentials)]

    first, second = scan(tmp_path, lookup=lookup)
    assert len({credential.sha256 for credential in asked}) == len(asked) == 2
    assert (first.severity, first.confidence, first.key_id) == ("critical", "high", "key_1")
    assert first.verdict.store == "live"
    assert (second.severity, second.key_id) == ("low", "key_2")
    assert "publishable" in second.reasons[-1]


def test_what_is_below_the_confidence_is_counted(tmp_path):
    wrong = github_token(1)[:-1] + ("0" if github_token(1)[-1] != "0" else "1")
    (tmp_path / "x.txt").write_text(f"t = '{wrong}'\n")
    report = scan(tmp_path)
    assert (len(report), report.receipt.below, report.receipt.exit_code) == (0, 1, 0)
    (finding,) = scan(tmp_path, ScanOptions(confidence=Confidence.LOW))
    assert finding.verdict.checksum == "invalid"


def test_no_secret_is_in_a_finding_unless_asked_for(tmp_path):
    (tmp_path / "x.txt").write_text(line(1))
    (finding,) = scan(tmp_path)
    assert github_token(1) not in repr(finding)
    assert finding.secret == "ghp_[REDACTED]"
    (shown,) = scan(tmp_path, ScanOptions(show_secrets=True))
    assert shown.secret == github_token(1)


def test_a_fingerprint_outlives_moves_and_clones_and_tells_values_apart(repo, tmp_path):
    repo.commit("a.txt", line(1))
    (first,) = scan(repo.path)
    repo.git("mv", "a.txt", "b.txt")
    repo.commit("b.txt", "\n\n" + line(1))
    (moved,) = scan(repo.path)
    repo.git("clone", "-q", str(repo.path), str(tmp_path / "clone"))
    (cloned,) = scan(tmp_path / "clone")
    assert first.fingerprint == moved.fingerprint == cloned.fingerprint
    repo.commit("b.txt", line(2))
    assert len({f.fingerprint for f in scan(repo.path)}) == 2
    (other,) = scan(tmp_path / "clone", ScanOptions(fingerprint_key=b"operator"))
    assert other.fingerprint != first.fingerprint


def test_workers_agree(repo):
    for number in range(30):
        repo.write(f"{number}.txt", f"{number}\n{line(number % 7)}")
    repo.git("add", "-A")
    repo.git("commit", "-q", "-m", "many")
    one, three = (scan(repo.path, ScanOptions(workers=n)) for n in (1, 3))
    assert one.findings == three.findings
    assert len(one) == 7


def test_the_oldest_root_is_remembered_only_as_long_as_it_holds(repo, tmp_path, monkeypatch):
    from scanner.sources import gitrun, revisions  # noqa: PLC0415

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache").mkdir()
    seen = gitrun.find(repo.path)

    def both():
        kept = revisions.salt(seen, cached=True)
        assert kept == revisions.salt(seen)
        return kept

    first = both()
    repo.commit("a.txt", "1\n")
    assert both() == first
    repo.now -= 10_000_000
    repo.git("checkout", "-q", "--orphan", "older")
    repo.commit("b.txt", "2\n")
    older = both()
    assert older != first
    repo.git("checkout", "-q", "main")
    assert both() == first
    repo.now += 20_000_000
    repo.git("merge", "-q", "--allow-unrelated-histories", "-m", "join", "older")
    assert both() == older
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.git("reflog", "expire", "--expire=now", "--all")
    repo.git("gc", "-q", "--prune=now")
    assert both() == first


def test_the_files_of_a_bare_repository_are_none_and_that_is_no_pass(repo, tmp_path):
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare.git"))
    receipt = scan(tmp_path / "bare.git", ScanOptions(tree=True)).receipt
    assert receipt.exit_code == ExitCode.INCOMPLETE
    assert receipt.incomplete == ["a bare repository has no working tree"]


def test_files_may_be_scanned_without_those_of_submodules(repo, tmp_path):
    repo.git("clone", "-q", str(repo.path), str(tmp_path / "inner"))
    inner = type(repo)(tmp_path / "inner")
    inner.commit("in.txt", line(1))
    add = ("-c", "protocol.file.allow=always", "submodule", "add", "-q")
    repo.git(*add, str(inner.path), "sub")
    repo.commit("out.txt", line(2))
    assert {f.path for f in scan(repo.path, ScanOptions(tree=True))} == {"sub/in.txt", "out.txt"}
    without = scan(repo.path, ScanOptions(tree=True, submodules=False))
    assert {f.path for f in without} == {"out.txt"}


def test_a_tracked_file_that_became_a_pipe_holds_nothing_up(repo):
    repo.commit("a.txt", "x\n")
    repo.commit("b.txt", line(1))
    (repo.path / "a.txt").unlink()
    os.mkfifo(repo.path / "a.txt")
    assert {f.path for f in scan(repo.path, ScanOptions(tree=True))} == {"b.txt"}


def test_a_pipe_is_no_target(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(TargetError, match="neither a regular file nor a directory"):
        scan(tmp_path / "pipe")


@pytest.mark.parametrize("name", ["x" * 5000, "a\0b"], ids=["too long", "a zero byte"])
def test_a_name_that_no_system_takes_is_wrong_usage(name):
    with pytest.raises(UsageError, match="no such file"):
        scan(name)


def test_a_git_file_that_names_no_repository_is_an_error(tmp_path):
    (tmp_path / ".git").write_text("nothing of the kind\n")
    with pytest.raises(RepositoryError, match="names no repository"):
        scan(tmp_path)


def test_without_git_it_says_what_to_install(repo, monkeypatch):
    monkeypatch.setenv("PATH", str(repo.path))
    with pytest.raises(TargetError, match="git is not installed") as told:
        scan(repo.path)
    assert "install git" in told.value.remedy


def test_a_receipt_tells_people_what_is_below_what_is_within_and_how_much_more():
    told = Receipt(below=2, submodules=["a", "b"], incomplete=[f"file {n}" for n in range(500)])
    lines = told.text()
    assert "with 2 submodules" in lines
    assert "2 below the confidence shown (--confidence low)" in lines
    named = [line for line in lines if line.startswith("NOT SCANNED: file ")]
    assert lines[-1] == f"NOT SCANNED: {500 - len(named)} more (--receipt FILE)"
