import subprocess
import sys

import pytest

from scanner.sources.mirror import mirror
from vocabulary.errors import RepositoryError, TargetError


def git(folder, *words):
    identity = ["-c", "user.name=A", "-c", "user.email=a@b.example"]
    done = subprocess.run(
        ["git", *identity, *words], cwd=folder, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path):
    folder = tmp_path / "origin"
    folder.mkdir()
    git(folder, "init", "-q", "-b", "main")
    (folder / "a").write_text("one\n")
    git(folder, "add", "a")
    git(folder, "commit", "-qm", "one")
    return folder


def test_a_copy_holds_every_ref_and_follows_the_origin(origin, tmp_path):
    copy = mirror(str(origin), tmp_path / "cache", [tmp_path])
    assert git(copy, "rev-parse", "refs/heads/main") == git(origin, "rev-parse", "main")
    (origin / "a").write_text("two\n")
    git(origin, "commit", "-qam", "two")
    assert mirror(f"file://{origin}", tmp_path / "cache", [tmp_path]) == copy
    assert git(copy, "rev-parse", "refs/heads/main") == git(origin, "rev-parse", "main")


def test_a_path_outside_the_listed_roots_is_refused(origin, tmp_path):
    outside = tmp_path / "cache" / ".." / "origin"
    with pytest.raises(TargetError, match="may not be read"):
        mirror(str(outside), tmp_path / "cache", [tmp_path / "elsewhere"])


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_copy_that_others_may_have_made_runs_nothing_of_its_configuration(origin, tmp_path):
    copy = mirror(str(origin), tmp_path / "cache", [tmp_path])
    with (copy / "config").open("a") as config:
        config.write(f"[core]\n\talternateRefsCommand = touch {tmp_path / 'ran'}; echo\n")
    (copy / "objects" / "info" / "alternates").write_text(f"{origin}/.git/objects\n")
    (origin / "a").write_text("two\n")
    git(origin, "commit", "-qam", "two")
    copy.chmod(0o777)
    with pytest.raises(RepositoryError, match="others may write"):
        mirror(str(origin), tmp_path / "cache", [tmp_path])
    assert not (tmp_path / "ran").exists()


@pytest.mark.skipif(sys.platform == "win32", reason="Windows has no such modes")
def test_a_copy_that_is_a_link_to_elsewhere_is_not_used(origin, tmp_path):
    copy = mirror(str(origin), tmp_path / "cache", [tmp_path])
    elsewhere = tmp_path / "elsewhere"
    copy.rename(elsewhere)
    copy.symlink_to(elsewhere)
    with pytest.raises(RepositoryError, match="others may write"):
        mirror(str(origin), tmp_path / "cache", [tmp_path])


@pytest.mark.parametrize(
    "address",
    ["ext::sh -c touch% pwned", "--upload-pack=touch pwned", "http://h/x", "git://h/x", "../x", ""],
)
def test_an_address_that_is_neither_https_nor_ssh_is_refused(address, tmp_path):
    with pytest.raises(TargetError, match="may not be read"):
        mirror(address, tmp_path / "cache", [])


def test_what_git_refuses_is_an_error_that_names_the_copy(tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(RepositoryError, match="git ls-remote failed: fatal"):
        mirror(str(tmp_path / "empty"), tmp_path / "cache", [tmp_path])
