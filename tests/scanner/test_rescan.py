"""A second scan reads what is new, and tells what a first one would have told."""

import shutil
from base64 import b64encode
from operator import attrgetter

import msgspec
import pytest
from msgspec.structs import replace

from scanner import gittexts, kept, scan
from scanner.options import ScanOptions
from scanner.rescan import Rescan
from scanner.rules import load_rules
from tests.rulecache import seeded
from tests.scanner.packing import zipped
from tests.scanner.secrets import github_token, password
from vocabulary.finding import Confidence

ALL = ScanOptions(confidence=Confidence.LOW)
ANEW = ScanOptions(confidence=Confidence.LOW, cache=False)


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """Return a cache in which the shipped rules are compiled, and nothing else is."""
    return seeded(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch, compiled):
    """Give each test a cache of its own."""
    shutil.copytree(compiled, tmp_path / "cache")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def read(monkeypatch):
    """Tell how many objects each scan reads."""
    counts = []
    whole = gittexts.read_objects
    monkeypatch.setattr(
        gittexts,
        "read_objects",
        lambda r, names, *rest, **more: counts.append(len(names)) or whole(r, names, *rest, **more),
    )
    return counts


@pytest.fixture
def cut(monkeypatch):
    """Tell out of how many objects each scan cuts secrets that it knows."""
    counts = []
    whole = kept.batches
    monkeypatch.setattr(
        kept, "batches", lambda r, names, read: counts.append(len(names)) or whole(r, names, read)
    )
    return counts


def told(report):
    return [msgspec.to_builtins(finding) | {"credential": None} for finding in report]


def planted(repo):
    repo.commit("a.py", f'token = "{github_token(1)}"\n')
    repo.commit("b.py", "clean = 1\n")
    repo.commit("b.py", "clean = 2\n", f"the message holds {github_token(2)}")
    repo.commit("c.py", f'token = "{github_token(3)}"  # gitleaks' + ":allow\n")


def test_worktrees_of_one_repository_know_what_the_others_read(repo, read, tmp_path):
    planted(repo)
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "linked")
    whole, linked = scan(repo.path, ALL), scan(tmp_path / "linked", ALL)
    assert [finding.fingerprint for finding in linked] == [f.fingerprint for f in whole]
    assert read[1] == 1 < read[0]


def test_what_was_read_is_not_scanned_again(repo, read):
    planted(repo)
    first = scan(repo.path, ALL)
    second = scan(repo.path, ALL)
    assert told(first) == told(second) == told(scan(repo.path, ANEW))
    assert len(first) == 2
    assert read[1] == 1  # the blob whose secret is hidden by a mark
    assert read[0] == read[2] == first.receipt.read[0]
    assert second.receipt.read == first.receipt.read
    assert (first.receipt.seen, second.receipt.seen) == (0, read[0] - 1)
    assert first.receipt.ignored == second.receipt.ignored > 0


def test_new_commits_cost_what_they_bring(repo, read):
    planted(repo)
    scan(repo.path, ALL)
    repo.commit("d.py", f'db_password = "{password(4)}"\n')
    repo.git("mv", "a.py", "e.py")  # the same blob under another path
    repo.git("commit", "-q", "-m", "move")
    again = scan(repo.path, ALL)
    assert read[1] == 1 + 3  # two commits and a blob are new
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
    assert read[1] == 1 + 1
    assert mended.receipt.read[0] == read[0] + 1


def test_every_kind_of_match_is_found_again(repo, read):
    repo.commit("a.py", f'db_password = "{password(7)}"  # é\ntoken = "{github_token(7)}"\n')
    repo.commit("b.yaml", f"data: {b64encode(github_token(8).encode()).decode()}\n")
    repo.commit("long.py", f'{"x = 1; " * 900}token = "{github_token(9)}"; {"y = 2; " * 900}\n')
    repo.commit("latin.py", b'# \xe9 \xff\npassword = "' + password(10).encode() + b'"  # \xff\n')
    first = scan(repo.path, ALL)
    assert len(first) == 5
    assert told(first) == told(scan(repo.path, ALL)) == told(scan(repo.path, ALL))
    assert read[1] == read[2] == 0


def test_what_comes_back_is_what_was_found(repo, monkeypatch):
    repo.commit("app.rst", f'    rv = login("ada", "{password(16)}")\n')
    repo.commit("app.py", f"db_password = '{password(18)}'  # é\nauth=('ada', '{password(17)}')\n")
    repo.commit("b.yaml", f"data: {b64encode(github_token(19).encode()).decode()}\n")
    found, back = [], []
    keep, restore = Rescan.keep, Rescan.restore
    monkeypatch.setattr(
        Rescan,
        "keep",
        lambda self, r, matches, *rest: found.append(matches) or keep(self, r, matches, *rest),
    )
    monkeypatch.setattr(
        Rescan, "restore", lambda self, *rest: back.append(restore(self, *rest)) or back[-1][:]
    )
    scan(repo.path, ALL)
    scan(repo.path, ALL)
    place = attrgetter("item", "start")
    assert len(found[0]) == 4
    assert sorted(back[1], key=place) == sorted(found[0], key=place)


def versions(repo):
    """Commit a file with two secrets, then versions of it that move them; return their blobs."""
    lines = [f'token = "{github_token(21)}"', f'db_password = "{password(21)}"']
    repo.commit("a.py", "\n".join(lines))
    repo.commit("a.py", "\n".join(["import x", "", *lines]))
    repo.commit("a.py", "\n".join(["import x", lines[1], "y = 2", lines[0]]))
    return [repo.git("rev-parse", f"HEAD~{n}:a.py") for n in (2, 1, 0)]


def test_what_many_versions_repeat_is_cut_out_of_one(repo, read, cut):
    versions(repo)
    first, second = scan(repo.path, ALL), scan(repo.path, ALL)
    assert cut == [0, 1]
    assert read[1] == 0
    assert sum(finding.count for finding in first) == 6
    assert told(first) == told(second) == told(scan(repo.path, ANEW))
    repo.commit("a.py", "nothing = 0\n")
    repo.commit("b.py", f'token = "{github_token(21)}"  # again\n')
    assert told(scan(repo.path, ALL)) == told(scan(repo.path, ALL)) == told(scan(repo.path, ANEW))


def test_where_it_cannot_be_cut_out_of_one_all_versions_are_scanned(repo, cut):
    blobs = versions(repo)
    first = scan(repo.path, ALL)
    files = [repo.path / ".git" / "objects" / blob[:2] / blob[2:] for blob in blobs]
    for file in files:
        file.chmod(0o600)
    whole = [file.read_bytes() for file in files]
    for damaged, content in zip(files, whole, strict=True):
        damaged.write_bytes(content[:-9])
        again = scan(repo.path, ALL)
        secrets = {finding.fingerprint for finding in again}
        assert secrets == {finding.fingerprint for finding in first}
        damaged.write_bytes(content)
    assert told(scan(repo.path, ALL)) == told(first)


def test_what_lies_in_an_archive_is_found_again_without_opening_it(repo, read):
    inner = zipped({"conf/app.ini": f"db_password = {password(12)}\n".encode()})
    repo.commit("app.zip", zipped({"inner.zip": inner, "a.py": github_token(12).encode()}))
    first, second = scan(repo.path, ALL), scan(repo.path, ALL)
    assert len(first) == 2
    assert {place.path for finding in first for place in finding.places} == {
        "app.zip!inner.zip!conf/app.ini",
        "app.zip!a.py",
    }
    assert told(first) == told(second)
    assert read[1] == 0
    assert sum(first.receipt.opened.values()) == 2
    assert not second.receipt.opened


def test_an_archive_that_was_not_read_whole_is_opened_again(repo, read):
    repo.commit("app.zip", zipped({"a.py": github_token(13).encode()})[:-30])
    said = [scan(repo.path, ALL).receipt for _ in range(2)]
    assert read[1] == 1
    assert said[0].exit_code == said[1].exit_code == 3
    assert said[0].incomplete == said[1].incomplete


def test_no_secret_lies_in_the_cache(repo, tmp_path):
    secret, packed, coded = password(11), github_token(14), b64encode(github_token(15).encode())
    repo.commit("a.py", f'db_password = "{secret}"\ntoken = "{github_token(11)}"\n')
    repo.commit("b.yaml", f"data: {coded.decode()}\n")
    repo.commit("app.zip", zipped({"a.py": packed.encode()}))
    assert len(scan(repo.path, ALL)) == len(scan(repo.path, ALL)) == 4
    kept = b"".join(file.read_bytes() for file in (tmp_path / "cache").rglob("*") if file.is_file())
    assert b"a.py" in kept
    for plain in (secret, github_token(11), packed, github_token(15), coded.decode()):
        assert plain.encode() not in kept


def test_an_object_that_held_something_and_is_damaged_is_told(repo):
    planted(repo)
    assert scan(repo.path, ALL).receipt.incomplete == []
    blob = repo.git("rev-parse", "HEAD:a.py")
    file = repo.path / ".git" / "objects" / blob[:2] / blob[2:]
    file.chmod(0o600)
    file.write_bytes(file.read_bytes()[:-9])
    again = scan(repo.path, ALL).receipt
    assert again.exit_code == 3
    assert any(blob in said for said in again.incomplete)


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
    most = [rule.id for rule in load_rules().rules if rule.provider != "github"]  # soon compiled
    some = replace(ALL, disabled=most)
    scan(repo.path, some)
    rules = tmp_path / "own.toml"
    rules.write_text(
        'provider = "own"\n[[rule]]\nid = "own-word"\nname = "Own"\nkeywords = ["clean"]\n'
        "pattern = 'clean = 2'\n"
    )
    found = scan(repo.path, replace(some, rules=(rules,)))
    assert read[1] == read[0]
    assert "own-word" in {finding.rule for finding in found}
