"""A second scan reads what is new, and tells what a first one would have told."""

from dataclasses import replace

import msgspec
import pytest

from scanner import scan, texts
from scanner.options import ScanOptions
from tests.scanner.secrets import github_token, password
from vocabulary.finding import Confidence

ALL = ScanOptions(confidence=Confidence.LOW)
ANEW = ScanOptions(confidence=Confidence.LOW, cache=False)


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def read(monkeypatch):
    """Tell how many objects each scan reads."""
    counts = []
    whole = texts._objects
    monkeypatch.setattr(
        texts,
        "_objects",
        lambda r, names, *rest, **more: counts.append(len(names)) or whole(r, names, *rest, **more),
    )
    return counts


def told(report):
    return [msgspec.to_builtins(finding) | {"credential": None} for finding in report]


def planted(repo):
    repo.commit("a.py", f'token = "{github_token(1)}"\n')
    repo.commit("b.py", "clean = 1\n")
    repo.commit("b.py", "clean = 2\n", f"the message holds {github_token(2)}")
    repo.commit("c.py", f'token = "{github_token(3)}"  # gitleaks' + ":allow\n")


def test_what_held_nothing_is_not_read_again(repo, read):
    planted(repo)
    first = scan(repo.path, ALL)
    second = scan(repo.path, ALL)
    assert told(first) == told(second) == told(scan(repo.path, ANEW))
    assert len(first) == 2
    assert read[1] == 3  # a blob, a commit, and the blob whose secret is hidden by a mark
    assert read[0] == read[2] == first.receipt.read[0]
    assert second.receipt.read == first.receipt.read
    assert (first.receipt.seen, second.receipt.seen) == (0, read[0] - 3)
    assert first.receipt.ignored == second.receipt.ignored > 0


def test_new_commits_cost_what_they_bring(repo, read):
    planted(repo)
    scan(repo.path, ALL)
    repo.commit("d.py", f'db_password = "{password(4)}"\n')
    repo.git("mv", "a.py", "e.py")  # the same blob under another path
    repo.git("commit", "-q", "-m", "move")
    again = scan(repo.path, ALL)
    assert read[1] == 3 + 3  # two commits and a blob are new
    assert told(again) == told(scan(repo.path, ANEW))
    assert {place.path for finding in again for place in finding.places} >= {"a.py", "e.py", "d.py"}


def test_what_could_not_be_read_is_read_as_soon_as_it_can_be(repo, read):
    planted(repo)
    blob = repo.git("rev-parse", "HEAD~1:b.py")
    file = repo.path / ".git" / "objects" / blob[:2] / blob[2:]
    whole = file.read_bytes()
    file.chmod(0o600)
    file.write_bytes(b"nothing of zlib")
    broken = scan(repo.path, ALL)
    assert broken.receipt.incomplete
    file.write_bytes(whole)
    mended = scan(repo.path, ALL)
    assert mended.receipt.incomplete == []
    assert read[1] == 3 + 1
    assert mended.receipt.read[0] == read[0] + 1


def test_a_blob_that_is_missing_is_told_each_time(repo):
    planted(repo)
    blob = repo.git("rev-parse", "HEAD~1:b.py")
    (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    said = [scan(repo.path, ALL).receipt.incomplete for _ in range(2)]
    assert said[0] == said[1] == [f"blob {blob} is named by a commit and missing"]


def test_a_blob_that_is_lost_after_a_scan_is_told(repo):
    planted(repo)
    assert scan(repo.path, ALL).receipt.incomplete == []
    blob = repo.git("rev-parse", "HEAD~1:b.py")
    (repo.path / ".git" / "objects" / blob[:2] / blob[2:]).unlink()
    said = [scan(repo.path, ALL).receipt.incomplete for _ in range(2)]
    assert said[0] == said[1] == [f"blob {blob} is named by a commit and missing"]


def test_other_rules_read_all_again(repo, read, tmp_path):
    planted(repo)
    scan(repo.path, ALL)
    rules = tmp_path / "own.toml"
    rules.write_text(
        'provider = "own"\n[[rule]]\nid = "own-word"\nname = "Own"\nkeywords = ["clean"]\n'
        "pattern = 'clean = 2'\n"
    )
    found = scan(repo.path, replace(ALL, rules=(rules,)))
    assert read[1] == read[0]
    assert "own-word" in {finding.rule for finding in found}
