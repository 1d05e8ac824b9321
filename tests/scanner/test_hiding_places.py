"""Every place in which git keeps what somebody thought was gone."""

import pytest

from scanner import scan
from tests.scanner.secrets import github_token

TOKEN = github_token()
LINE = f"token = '{TOKEN}'\n"


def history(repo):
    repo.commit("a.txt", LINE)
    repo.commit("a.txt", "clean\n")


def unmerged_branch(repo):
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("a.txt", LINE)
    repo.git("checkout", "-q", "main")


def evil_merge(repo):
    repo.git("checkout", "-q", "-b", "side")
    repo.commit("b.txt", "side\n")
    repo.git("checkout", "-q", "main")
    repo.commit("c.txt", "main\n")
    repo.git("merge", "-q", "--no-commit", "side")
    repo.commit("evil.txt", LINE, "merge")
    repo.commit("evil.txt", "clean\n")


def commit_message(repo):
    repo.commit(message=f"use {TOKEN}")


def tag_message(repo):
    repo.git("tag", "-a", "v1", "-m", f"signed with {TOKEN}")


def note(repo):
    repo.git("notes", "add", "-m", LINE)


def stash(repo):
    repo.write("README", LINE)
    repo.git("stash", "-q")


def amended_commit(repo):
    repo.commit("a.txt", LINE)
    repo.write("a.txt", "clean\n")
    repo.git("commit", "-q", "--amend", "-a", "-m", "clean")
    repo.git("reflog", "expire", "--expire=now", "--all")


def dangling_commit(repo):
    repo.git("checkout", "-q", "--detach")
    repo.commit("a.txt", LINE)
    repo.git("checkout", "-q", "main")
    repo.git("reflog", "expire", "--expire=now", "--all")


def reflog(repo):
    repo.commit("a.txt", LINE)
    repo.git("reset", "-q", "--hard", "HEAD~1")


def deleted_file(repo):
    repo.commit("a.txt", LINE)
    repo.git("rm", "-q", "a.txt")
    repo.git("commit", "-q", "-m", "gone")


def submodule_url(repo):
    text = f'[submodule "x"]\n\tpath = x\n\turl = https://{TOKEN}@github.com/acme/x.git\n'
    repo.commit(".gitmodules", text)


def ref_outside_heads(repo):
    repo.git("checkout", "-q", "--detach")
    repo.commit("a.txt", LINE)
    repo.git("update-ref", "refs/pull/7/head", "HEAD")
    repo.git("checkout", "-q", "main")


def dangling_blob(repo):
    repo.git("hash-object", "-w", "--stdin", stdin=LINE)


def packed(repo):
    history(repo)
    repo.git("gc", "-q", "--prune=now")


PLACES = [
    history, unmerged_branch, evil_merge, commit_message, tag_message, note, stash,
    amended_commit, dangling_commit, reflog, deleted_file, submodule_url, ref_outside_heads,
    dangling_blob, packed,
]  # fmt: skip


@pytest.mark.parametrize("hide", PLACES, ids=lambda hide: hide.__name__)
def test_a_secret_is_found_wherever_git_keeps_it(repo, hide):
    hide(repo)
    report = scan(repo.path)
    assert [(f.rule, f.verdict.checksum) for f in report] == [
        ("github-personal-access-token", "valid")
    ]
    assert report.receipt.exit_code == 1


@pytest.mark.parametrize("hide", PLACES, ids=lambda hide: hide.__name__)
def test_the_receipt_says_what_git_says(repo, hide):
    hide(repo)
    listed = repo.git("cat-file", "--batch-all-objects", "--batch-check").splitlines()
    by_type = {}
    for line in listed:
        _, kind, size = line.split()
        count, total = by_type.get(kind, (0, 0))
        by_type[kind] = (count + 1, total + int(size))
    receipt = scan(repo.path).receipt.json()
    told = {kind: (v["count"], v["bytes"]) for kind, v in receipt["objects"].items() if v["count"]}
    assert told.pop("total") == (len(listed), sum(size for _, size in by_type.values()))
    assert told == by_type
    assert receipt["scanned"]["objects"] == len(listed) - by_type["tree"][0]
    assert receipt["complete"]


def test_the_commit_that_introduced_it_is_named(repo):
    first = repo.commit("conf/a.txt", "x\ny\n" + LINE)
    repo.commit("conf/a.txt", "changed\ny\n" + LINE)
    (finding,) = scan(repo.path)
    assert (finding.commit, finding.path, finding.line, finding.column) == (
        first, "conf/a.txt", 3, 10,
    )  # fmt: skip
    assert finding.author == "Ada <ada@example.org>"
    assert finding.date.startswith("2020-09-13T")
    assert finding.count == len(finding.places) == 2


def test_an_evil_merge_is_attributed_to_the_merge(repo):
    evil_merge(repo)
    (finding,) = scan(repo.path)
    assert finding.path == "evil.txt"
    assert repo.git("rev-list", "--merges", "--all") == finding.commit


def test_what_no_commit_names_says_so(repo):
    dangling_blob(repo)
    (finding,) = scan(repo.path)
    assert (finding.path, finding.commit) == ("(unreachable blob)", "")


def test_messages_are_attributed(repo):
    commit_message(repo)
    (finding,) = scan(repo.path)
    assert (finding.path, finding.commit) == ("(commit message)", repo.git("rev-parse", "HEAD"))
    assert finding.author == "Ada <ada@example.org>"


def test_a_tag_message_is_attributed(repo):
    tag_message(repo)
    (finding,) = scan(repo.path)
    assert finding.path == "(message of tag v1)"
    assert finding.author == "Ada <ada@example.org>"
    assert finding.date.startswith("2020-09-13T")
    assert finding.date.endswith("+02:00")


def test_one_secret_in_many_places_is_one_finding(repo):
    for number in range(5):
        repo.commit(f"{number}.txt", f"{number}\n{LINE}")
    repo.commit("other.txt", f"token = '{github_token(2)}'\n")
    findings = scan(repo.path).findings
    assert sorted(f.count for f in findings) == [1, 5]


def test_uncommitted_work_is_scanned(repo):
    repo.write(".gitignore", "ignored.txt\n")
    repo.write("untracked.txt", f"t = '{github_token(1)}'\n")
    repo.write("README", f"t = '{github_token(2)}'\n")
    repo.write("ignored.txt", f"t = '{github_token(3)}'\n")
    repo.write("added.txt", f"t = '{github_token(4)}'\n")
    repo.git("add", "added.txt")
    assert {f.path for f in scan(repo.path)} == {"untracked.txt", "README", "added.txt"}


def test_a_bare_repository_is_scanned(repo, tmp_path):
    history(repo)
    repo.git("clone", "-q", "--bare", str(repo.path), str(tmp_path / "bare.git"))
    assert len(scan(tmp_path / "bare.git")) == 1


def test_a_linked_worktree_is_scanned(repo, tmp_path):
    history(repo)
    repo.git("worktree", "add", "-q", str(tmp_path / "linked"), "-b", "linked")
    assert len(scan(tmp_path / "linked")) == 1


def test_a_sha256_repository_is_scanned(repo, tmp_path):
    repo.path = tmp_path / "sha256"
    repo.path.mkdir()
    repo.git("init", "-q", "-b", "main", "--object-format=sha256")
    history(repo)
    report = scan(repo.path)
    assert len(report) == 1
    assert report.receipt.exit_code == 1
