"""Loose objects are read as git reads them, and left to git where anything is wrong."""

import os
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner import ScanOptions, scan
from scanner.sources import loose
from scanner.sources.gitrun import Repository
from tests.scanner.secrets import github_token

STAGED = ScanOptions(staged=True)


def stored(repo, text):
    return repo.git("hash-object", "-w", "--stdin", stdin=text).strip().decode()


def at(repo, name):
    return repo.path / ".git" / "objects" / name[:2] / name[2:]


def read(repo, name):
    return loose.read(Repository(repo.path / ".git", repo.path), name)


@pytest.mark.parametrize("text", [b"", b"\0", b"hello\n", b"\xff\0blob 3\0" * 99, b"a" * 1_000_000])
def test_a_blob_is_read_as_it_was_written(repo, text):
    assert read(repo, stored(repo, text)) == text


def test_other_objects_and_large_ones_are_left_to_git(repo):
    for name in (repo.git("rev-parse", "HEAD"), repo.git("rev-parse", "HEAD^{tree}")):
        assert read(repo, name) is None
    assert read(repo, stored(repo, os.urandom(2 << 20))) is None
    assert read(repo, stored(repo, bytes(5 << 20))) is None
    assert read(repo, "0" * 40) is None


@given(st.data())
def test_an_object_that_is_damaged_is_left_to_git(tmp_path_factory, data):
    text = data.draw(st.binary(max_size=200))
    said = data.draw(st.integers(0, 300))
    raw = zlib.compress(b"blob %d\0" % said + text)
    cut = data.draw(st.integers(0, len(raw)))
    more = data.draw(st.binary(max_size=3))
    folder = tmp_path_factory.mktemp("repo")
    (folder / "objects" / "ab").mkdir(parents=True)
    (folder / "objects" / "ab" / "cd").write_bytes(raw[:cut] + more)
    whole = cut == len(raw) and not more and said == len(text)
    found = loose.read(Repository(folder, None), "abcd")
    assert found in ((text,) if whole else (None, text))
    if said != len(text):
        assert found is None


def test_what_is_no_file_is_not_opened(repo):
    name = stored(repo, b"text\n")
    file = at(repo, name)
    elsewhere = repo.path / "elsewhere"
    file.rename(elsewhere)
    file.symlink_to(elsewhere)
    assert read(repo, name) is None
    file.unlink()
    os.mkfifo(file)
    assert read(repo, name) is None


@pytest.mark.parametrize("packed", [False, True])
def test_what_is_staged_is_found_wherever_git_keeps_it(repo, packed):
    repo.commit("old.txt", f"t = '{github_token(1)}'\n")
    repo.write("a.txt", f"t = '{github_token(2)}'\n")
    repo.write("same.txt", f"t = '{github_token(2)}'\n")
    repo.write("old.txt", f"t = '{github_token(1)}'\nmore\n")
    repo.git("add", ".")
    if packed:
        repo.git("repack", "-adk")
        repo.git("prune-packed")
        staged = repo.git("rev-parse", ":a.txt")
        repo.git("pack-objects", "-q", ".git/objects/pack/pack", stdin=staged + "\n")
        repo.git("prune-packed")
        assert not at(repo, staged).exists()
    found = scan(repo.path, STAGED).findings
    assert [{place.path for place in one.places} for one in found] == [{"a.txt", "same.txt"}]


def test_a_staged_blob_that_is_damaged_is_named(repo):
    repo.write("a.txt", f"t = '{github_token()}'\n")
    repo.git("add", ".")
    name = repo.git("rev-parse", ":a.txt")
    at(repo, name).chmod(0o600)
    at(repo, name).write_bytes(b"garbage")
    report = scan(repo.path, STAGED)
    assert report.receipt.exit_code == 3
    assert any(name in said for said in report.receipt.incomplete)


def test_a_linked_worktree_is_read_too(repo, tmp_path):
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"))
    (tmp_path / "linked" / "a.txt").write_text(f"t = '{github_token()}'\n")
    repo.git("-C", str(tmp_path / "linked"), "add", ".")
    assert len(scan(tmp_path / "linked", STAGED)) == 1
