"""What cannot be read is named, and all else is scanned."""

import io
import os
import shutil
import stat
import textwrap

import pytest

from scanner import ScanOptions, scan
from scanner.sources import gitrun, revisions
from scanner.sources.plan import Listing
from tests.scanner.secrets import github_token
from vocabulary.errors import ExitCode, RepositoryError, UsageError

LINE = f"token = '{github_token()}'\n"


def loose(repo, blob):
    return repo.path / ".git" / "objects" / blob[:2] / blob[2:]


def blob_of(repo, commit, name):
    return repo.git("rev-parse", f"{commit}:{name}")


def test_a_corrupt_object_is_named_and_the_others_are_scanned(repo):
    bad = blob_of(repo, repo.commit("bad.txt", "x" * 5000), "bad.txt")
    for number in range(40):
        repo.commit(f"{number}.txt", f"{number}\n")
    repo.commit("a.txt", LINE)
    file = loose(repo, bad)
    file.chmod(0o644)
    content = bytearray(file.read_bytes())
    content[len(content) // 2 :] = b"\xff" * (len(content) - len(content) // 2)
    file.write_bytes(content)
    report = scan(repo.path)
    assert len(report) == 1
    assert any(bad in said for said in report.receipt.incomplete)
    assert report.receipt.exit_code == ExitCode.INCOMPLETE


def test_an_object_that_is_garbage_is_named(repo):
    bad = blob_of(repo, repo.commit("bad.txt", "x" * 50), "bad.txt")
    repo.commit("a.txt", LINE)
    loose(repo, bad).chmod(0o644)
    loose(repo, bad).write_bytes(b"not an object")
    report = scan(repo.path)
    assert len(report) == 1
    assert any(bad in said for said in report.receipt.incomplete)


def test_a_missing_blob_is_named(repo):
    bad = blob_of(repo, repo.commit("bad.txt", "x" * 50), "bad.txt")
    repo.commit("a.txt", LINE)
    loose(repo, bad).unlink()
    report = scan(repo.path)
    assert len(report) == 1
    assert report.receipt.incomplete == [f"blob {bad} is named by a commit and missing"]


def test_a_repository_whose_objects_are_gone_is_not_clean(repo):
    head = repo.commit("a.txt", LINE)
    shutil.rmtree(repo.path / ".git" / "objects")
    (repo.path / ".git" / "objects").mkdir()
    report = scan(repo.path)
    assert [finding.path for finding in report] == ["a.txt"]  # git calls the file unchanged
    assert report.receipt.incomplete == [f"refs/heads/main names {head}, which is missing"]


@pytest.mark.parametrize("where", ["refs/heads/gone", "HEAD"])
def test_a_ref_whose_commit_is_missing_is_named(repo, where):
    repo.git("checkout", "-q", "--detach")
    gone = repo.commit("a.txt", LINE)
    if where != "HEAD":
        repo.git("update-ref", where, gone)
        repo.git("checkout", "-q", "main")
    loose(repo, gone).unlink()
    report = scan(repo.path)
    assert f"{where} names {gone}, which is missing" in report.receipt.incomplete
    assert report.receipt.exit_code == ExitCode.INCOMPLETE


def test_what_comes_while_a_scan_goes_on_is_not_missing(repo):
    repo.commit("a.txt", "a\n")
    found = gitrun.find(repo.path)
    plan = Listing(found).plan()
    new = repo.commit("b.txt", "b\n")
    assert revisions.lost(found, plan) == []
    loose(repo, new).unlink()
    assert revisions.lost(found, plan) == [f"refs/heads/main names {new}, which is missing"]


def test_a_file_whose_staged_blob_is_missing_is_read_itself(repo):
    repo.write("a.txt", LINE)
    repo.git("add", "a.txt")
    blob = repo.git("rev-parse", ":a.txt")
    loose(repo, blob).unlink()
    report = scan(repo.path)
    assert ([finding.path for finding in report], report.receipt.incomplete) == (["a.txt"], [])
    (repo.path / "a.txt").unlink()
    assert scan(repo.path).receipt.incomplete == [f"blob {blob} is staged and missing"]


def test_an_empty_file_that_is_only_meant_to_be_added_is_not_missing(repo):
    repo.write("new", "")
    repo.git("add", "-N", "new")
    (repo.path / "new").unlink()
    assert scan(repo.path).receipt.incomplete == []


def test_of_a_repository_with_a_pack_that_was_cut_short_all_else_is_scanned(repo):
    repo.commit("a.txt", LINE)
    repo.git("gc", "-q")
    whole = {p.name for p in (repo.path / ".git" / "objects" / "pack").glob("*.pack")}
    for number in range(5):
        repo.commit(f"{number}.txt", f"{number} {'y' * 3000}\n")
    repo.git("repack", "-dq")
    repo.commit("loose.txt", f"token = '{github_token(2)}'\n")
    repo.write("new.txt", f"token = '{github_token(3)}'\n")
    (new,) = (
        p for p in (repo.path / ".git" / "objects" / "pack").glob("*.pack") if p.name not in whole
    )
    new.chmod(0o644)
    os.truncate(new, new.stat().st_size // 2)
    report = scan(repo.path)
    # what git cannot show it does not attribute, or it is read from the worktree
    assert len({finding.fingerprint for finding in report}) == 3
    assert any(new.stem in said for said in report.receipt.incomplete)
    gone = repo.git("hash-object", "0.txt")
    assert any(gone in said for said in report.receipt.incomplete)
    assert report.receipt.exit_code == ExitCode.INCOMPLETE


def test_a_corrupt_pack_is_named_and_loose_objects_are_scanned(repo):
    for number in range(30):
        repo.commit(f"{number}.txt", f"{number} {'x' * 200}\n")
    repo.git("gc", "-q")
    repo.commit("a.txt", LINE)
    (pack,) = (repo.path / ".git" / "objects" / "pack").glob("*.pack")
    pack.chmod(0o644)
    content = bytearray(pack.read_bytes())
    content[len(content) // 3 : len(content) // 3 + 400] = os.urandom(400)
    pack.write_bytes(content)
    report = scan(repo.path)
    assert len(report) == 1
    assert report.receipt.exit_code == ExitCode.INCOMPLETE


def test_a_git_that_is_killed_is_named(repo, tmp_path, monkeypatch):
    repo.commit("a.txt", LINE)
    real = next(
        os.path.join(folder, "git")  # noqa: PTH118
        for folder in os.environ["PATH"].split(os.pathsep)
        if os.access(os.path.join(folder, "git"), os.X_OK)  # noqa: PTH118
    )
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(
        textwrap.dedent(f"""\
        #!/bin/sh
        case "$*" in
          *"cat-file --batch --buffer"*) {real} "$@" | head -c 90; kill -9 $$ ;;
          *"cat-file --batch"*) kill -9 $$ ;;
        esac
        exec {real} "$@"
        """).replace('*"cat-file --batch"*)', '*"cat-file --batch")')
    )
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    receipt = scan(repo.path).receipt
    assert any("signal 9" in said for said in receipt.incomplete)
    assert any("objects were not read" in said for said in receipt.incomplete)
    assert receipt.exit_code == ExitCode.INCOMPLETE


def test_a_shallow_clone_is_incomplete_unless_it_is_allowed(repo, tmp_path):
    repo.commit("a.txt", "x\n")
    url = f"file://{repo.path}"
    repo.git("clone", "-q", "--depth", "1", url, str(tmp_path / "shallow"))
    receipt = scan(tmp_path / "shallow").receipt
    assert receipt.exit_code == ExitCode.INCOMPLETE
    assert "shallow" in receipt.incomplete[0]
    allowed = scan(tmp_path / "shallow", ScanOptions(allow_shallow=True)).receipt
    assert allowed.exit_code == ExitCode.OK
    assert "shallow" in allowed.warnings[0]


@pytest.mark.skipif(os.name == "nt" or os.geteuid() == 0, reason="root reads everything")
def test_an_unreadable_file_is_named(tmp_path):
    (tmp_path / "a.txt").write_text(LINE)
    (tmp_path / "b.txt").write_text(LINE)
    (tmp_path / "b.txt").chmod(0)
    report = scan(tmp_path)
    assert len(report) == 1
    assert report.receipt.incomplete == ["b.txt: Permission denied"]


def test_a_file_that_vanishes_is_named(tmp_path, engine):
    from scanner.sources.files import ReadFiles, batches  # noqa: PLC0415

    read = ReadFiles()
    assert not list(batches(tmp_path, [b"gone.txt"], read))
    assert read.problems == ["gone.txt: No such file or directory"]


def test_a_target_that_does_not_exist_is_wrong_usage():
    with pytest.raises(UsageError, match="no such file"):
        scan("/nowhere/at/all")


@pytest.mark.parametrize("options", [ScanOptions(since="nope"), ScanOptions(branch="nope")])
def test_a_revision_that_does_not_exist_is_wrong_usage(repo, options):
    with pytest.raises(UsageError, match="nope"):
        scan(repo.path, options)


def test_a_revision_is_never_an_option(repo):
    with pytest.raises(UsageError):
        scan(repo.path, ScanOptions(branch="--output=/tmp/x"))


def test_what_is_no_repository_any_more_is_an_error(repo):
    (repo.path / ".git" / "HEAD").write_text("garbage")
    with pytest.raises(RepositoryError):
        scan(repo.path)


def test_options_that_need_a_repository(tmp_path):
    with pytest.raises(UsageError, match="--staged needs a git repository"):
        scan(tmp_path, ScanOptions(staged=True))
    with pytest.raises(UsageError, match="exclude each other"):
        scan(tmp_path, ScanOptions(staged=True, tree=True))


def test_an_empty_repository_is_clean_and_said_to_be_empty(tmp_path, repo):
    repo.path = tmp_path / "empty"
    repo.path.mkdir()
    repo.git("init", "-q")
    for options, said in (
        (ScanOptions(), ["the repository is empty: it has no object and no file"]),
        (ScanOptions(tree=True), ["there was nothing to scan"]),
        (ScanOptions(staged=True), []),
    ):
        receipt = scan(repo.path, options).receipt
        assert (receipt.exit_code, receipt.warnings) == (ExitCode.OK, said)
    repo.write("a.txt", LINE)
    repo.git("add", "a.txt")
    assert len(scan(repo.path, ScanOptions(staged=True))) == 1
    assert len(scan(repo.path)) == 1


@pytest.mark.parametrize("made", ["folder", "file", "stdin"])
def test_where_there_is_nothing_to_scan_that_is_said(tmp_path, made):
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    target = "-" if made == "stdin" else tmp_path / made
    receipt = scan(target, stdin=io.BytesIO()).receipt
    assert (receipt.exit_code, receipt.warnings) == (ExitCode.OK, ["there was nothing to scan"])


def test_the_cache_is_not_used_when_others_could_write_to_it(tmp_path, monkeypatch):
    from scanner import cache  # noqa: PLC0415

    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    cache.write("x", b"1")
    assert cache.read("x") == b"1"
    assert stat.S_IMODE((tmp_path / "keywatch").stat().st_mode) == 0o700
    assert stat.S_IMODE((tmp_path / "keywatch" / "x").stat().st_mode) == 0o600
    (tmp_path / "keywatch" / "x").chmod(0o666)
    assert cache.read("x") is None
    (tmp_path / "keywatch").chmod(0o777)
    assert cache.cache_dir() is None
