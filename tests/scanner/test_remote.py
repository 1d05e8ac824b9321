"""Repositories of every make: by URL, partial, with submodules, borrowing objects."""

import base64
import http.server
import os
import shutil
import subprocess
import threading
from contextlib import contextmanager

import pytest

from scanner import ScanOptions, scan
from scanner.sources import address
from tests.rulecache import seeded
from tests.scanner.secrets import github_token, password
from vocabulary.errors import KeywatchError, UsageError

USER = "ada" + ":" + password(7)


def line(seed=1):
    return f"t = '{github_token(seed)}'\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """One for all tests, so that the rules are compiled once."""
    return seeded(tmp_path_factory.mktemp("cache"))


@pytest.fixture(autouse=True)
def cache(folder, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(folder))
    yield folder / "keywatch"
    shutil.rmtree(folder / "keywatch" / "mirrors", ignore_errors=True)


def test_a_url_is_copied_and_scanned_with_every_ref(repo, cache):
    repo.git("checkout", "-q", "--detach")
    commit = repo.commit("a.txt", line())
    repo.git("update-ref", "refs/pull/7/head", commit)
    repo.git("checkout", "-q", "main")
    (finding,) = scan(f"file://{repo.path}")
    assert (finding.path, finding.commit) == ("a.txt", commit)
    (copy,) = (cache / "mirrors").iterdir()
    assert copy.stat().st_mode & 0o077 == 0


def test_what_was_pushed_over_is_still_in_the_copy(repo):
    url = f"file://{repo.path}"
    repo.commit("a.txt", line(1))
    first = scan(url)
    repo.git("reset", "-q", "--hard", "HEAD~1")
    repo.commit("b.txt", line(2))
    assert {found.path for found in scan(url)} == {"a.txt", "b.txt"}
    assert {found.fingerprint for found in first} == {
        found.fingerprint for found in scan(repo.path) if found.path == "a.txt"
    }


def test_without_a_cache_the_copy_is_gone_after_the_scan(repo, cache, tmp_path, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(tmp_path / "temporary"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "temporary").mkdir()
    repo.commit("a.txt", line())
    assert len(scan(f"file://{repo.path}", ScanOptions(cache=False))) == 1
    assert not (cache / "mirrors").exists()
    assert not list((tmp_path / "temporary").iterdir())


def test_a_sha256_repository_is_copied_as_one(repo, tmp_path):
    repo.path = tmp_path / "sha256"
    repo.path.mkdir()
    repo.git("init", "-q", "-b", "main", "--object-format=sha256")
    repo.commit("a.txt", line())
    (finding,) = scan(f"file://{repo.path}")
    assert len(finding.commit) == 64


@contextmanager
def server(answer):
    """Serve on loopback; `answer` is given each request."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            asked.append(self.headers)
            answer(self)

        def log_message(self, *words):
            pass

    made = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    try:
        yield made.server_port, asked
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def refuse(handler):
    handler.send_error(404)


def test_a_password_in_a_url_is_told_to_the_server_and_to_nobody_else(tmp_path, monkeypatch):
    """The scheme https is checked before; what git is told is the same for http."""
    from scanner.sources import mirror  # noqa: PLC0415

    seen = tmp_path / "seen"
    fake = tmp_path / "bin" / "git"
    fake.parent.mkdir()
    fake.write_text(f'#!/bin/sh\necho "$@" >> {seen}\nexec /usr/bin/env PATH="$REAL" git "$@"\n')
    fake.chmod(0o755)
    monkeypatch.setenv("PATH", f"{fake.parent}{os.pathsep}{os.environ['PATH']}")
    fake.write_text(fake.read_text().replace("$REAL", os.environ["PATH"].split(os.pathsep, 1)[1]))
    secret = address.parsed(f"https://{USER}@127.0.0.1/x.git")
    with server(refuse) as (port, asked):
        origin = address.Address(f"http://127.0.0.1:{port}/x.git", "http", secret.authorization)
        with pytest.raises(KeywatchError) as caught:
            mirror.copied(origin, tmp_path / "copies")
    basic = base64.b64encode(USER.encode()).decode()
    assert {headers["Authorization"] for headers in asked} == {f"Basic {basic}"}
    for told in (seen.read_text(), str(caught.value), repr(origin)):
        assert USER.partition(":")[2] not in told
        assert basic not in told


def test_a_redirect_is_not_followed_with_a_password(tmp_path):
    from scanner.sources import mirror  # noqa: PLC0415

    with server(refuse) as (other, stolen):

        def redirect(handler):
            handler.send_response(302)
            handler.send_header("Location", f"http://127.0.0.1:{other}{handler.path}")
            handler.end_headers()

        with server(redirect) as (port, asked):
            origin = address.Address(f"http://127.0.0.1:{port}/x.git", "http", "Authorization: x")
            with pytest.raises(KeywatchError):
                mirror.copied(origin, tmp_path / "copies")
    assert asked
    assert not stolen


@pytest.mark.parametrize(
    "target",
    [
        "ext::sh -c touch% /tmp/x", "http://h.example/x", "git://h.example/x", "ftp://h.example/x",
        "ssh://-oProxyCommand=x/y", "https://-x/y", "file://relative/x", "a@-h:x", "fd::17",
        f"http://{USER}@h.example/x", "https://h.example/x\n--upload-pack=y", "https://",
    ],
)  # fmt: skip
def test_an_address_that_is_not_spoken_to_is_wrong_usage(target):
    with pytest.raises(UsageError) as caught:
        scan(target)
    assert USER.partition(":")[2] not in str(caught.value)


@pytest.mark.parametrize(
    ("target", "url", "pair"),
    [
        ("https://h.example/x.git", "https://h.example/x.git", ""),
        ("https://ada%40x@h.example/x", "https://h.example/x", "ada@x:"),
        ("https://ada:a%3Ab@h.example/x", "https://h.example/x", "ada:a:b"),
        ("ssh://git:unused@h.example/x", "ssh://git@h.example/x", ""),
        ("ssh://h.example/x", "ssh://h.example/x", ""),
        ("git@h.example:x.git", "git@h.example:x.git", ""),
        ("file:///a%20b/x", "/a b/x", ""),
    ],
)
def test_an_address_is_handed_on_without_its_password_and_the_server_is_told_it(target, url, pair):
    found = address.parsed(target)
    assert (found.url, repr(found)) == (url, f"Address({url})")
    told = found.authorization.removeprefix("Authorization: Basic ")
    assert base64.b64decode(told).decode() == pair


def test_the_receipt_names_the_address_without_its_password():
    assert address.shown(f"https://{USER}@h.example/x") == "https://h.example/x"
    assert address.shown("C:/folder/a@b") == "C:/folder/a@b"


@pytest.fixture
def nested(repo, tmp_path):
    """A repository with a submodule that has a submodule."""
    allow = ("-c", "protocol.file.allow=always")
    outer = repo.path
    for name, seed in (("inner", 1), ("middle", 2)):
        repo.path = tmp_path / name
        repo.path.mkdir()
        repo.git("init", "-q", "-b", "main")
        repo.commit("a.txt", line(seed))
        repo.commit("a.txt", "clean\n")
        if name == "middle":
            repo.git(*allow, "submodule", "add", "-q", str(tmp_path / "inner"), "deep/inner")
            repo.git("commit", "-q", "-m", "inner")
    repo.path = outer
    repo.git(*allow, "submodule", "add", "-q", str(tmp_path / "middle"), "lib")
    repo.git(*allow, "submodule", "update", "-q", "--init", "--recursive")
    repo.git("commit", "-q", "-m", "lib")
    return repo


def test_submodules_are_scanned_along_by_their_own_history(nested):
    report = scan(nested.path)
    assert {(f.path, f.line) for f in report} == {("lib/a.txt", 1), ("lib/deep/inner/a.txt", 1)}
    assert report.receipt.submodules == ["lib", "lib/deep/inner"]
    assert all(found.commit for found in report)
    assert not len(scan(nested.path, ScanOptions(submodules=False)))


def test_the_tree_of_a_submodule_is_scanned_with_the_tree(nested):
    (nested.path / "lib" / "new.txt").write_text(line(3))
    assert {f.path for f in scan(nested.path, ScanOptions(tree=True))} == {"lib/new.txt"}


def test_a_submodule_that_is_no_longer_checked_out_is_still_there_to_scan(nested):
    nested.git("submodule", "deinit", "-q", "-f", "lib")
    report = scan(nested.path)
    assert {f.path for f in report} == {
        "(submodule lib)/a.txt", "(submodule lib)/(submodule deep/inner)/a.txt",
    }  # fmt: skip
    assert report.receipt.left_out == {"submodules that are not checked out": 1}


def test_a_submodule_that_leads_out_of_the_repository_is_not_followed(nested, tmp_path):
    (nested.path / "lib" / ".git").write_text(f"gitdir: {tmp_path / 'inner' / '.git'}\n")
    report = scan(nested.path)
    assert all("lib/" not in found.path for found in report if found.path.startswith("lib"))
    assert "lies outside" in str(report.receipt.incomplete) or "lie outside" in str(
        report.receipt.incomplete
    )


def test_a_submodule_behind_a_link_is_not_followed(nested, tmp_path):
    (nested.path / "lib").rename(tmp_path / "moved")
    (nested.path / "lib").symlink_to(tmp_path / "moved")
    assert "submodule lib: a link leads to it" in scan(nested.path).receipt.incomplete


def test_borrowed_objects_are_scanned(repo, tmp_path):
    repo.commit("a.txt", line())
    repo.git("clone", "-q", "--shared", str(repo.path), str(tmp_path / "borrower"))
    assert (tmp_path / "borrower" / ".git" / "objects" / "info" / "alternates").is_file()
    report = scan(tmp_path / "borrower")
    assert len(report) == 1
    assert report.receipt.exit_code == 1


def test_what_a_partial_clone_lacks_is_named_and_nothing_is_fetched(repo, tmp_path):
    repo.git("config", "uploadpack.allowFilter", "true")
    first = repo.git("rev-parse", "HEAD")
    repo.commit("a.txt", line(1))
    gone = repo.git("rev-parse", "HEAD:a.txt")
    repo.commit("a.txt", "clean\n")
    repo.commit("b.txt", line(2))
    there = tmp_path / "partial"
    repo.git("clone", "-q", "--filter=blob:none", f"file://{repo.path}", str(there))
    for options in (ScanOptions(), ScanOptions(since=first), ScanOptions(branch="main")):
        report = scan(there, options)
        assert [finding.path for finding in report] == ["b.txt"]
        assert report.receipt.exit_code == 3
        assert any(gone in said for said in report.receipt.incomplete)
    lacking = subprocess.run(
        ["git", "cat-file", "-e", gone], cwd=there, check=False, capture_output=True,
        env={**os.environ, "GIT_NO_LAZY_FETCH": "1", "GIT_ALLOW_PROTOCOL": "none"},
    )  # fmt: skip
    assert lacking.returncode != 0


def test_a_password_in_gits_own_configuration_is_found(repo):
    url = f"https://x-token:{github_token(4)}@github.com/acme/x.git"
    repo.git("remote", "add", "origin", url)
    repo.write(".git/hooks/post-commit", "#!/bin/sh\n" + line(5))
    assert {found.path for found in scan(repo.path)} == {".git/config", ".git/hooks/post-commit"}
    assert not len(scan(repo.path, ScanOptions(tree=True)))


def test_a_directory_honours_gitignore_when_asked_to(tmp_path):
    for name in ("a.log", "b.txt", "sub/c.log", "sub/d.txt", "repo/e.log", "repo/f.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(line())
    subprocess.run(["git", "init", "-q"], cwd=tmp_path / "repo", check=True)
    (tmp_path / ".gitignore").write_text("*.log\n")
    (tmp_path / "repo" / ".gitignore").write_text("f.txt\n")

    def found(**options):
        return {place.path for finding in scan(tmp_path, ScanOptions(**options))
                for place in finding.places}  # fmt: skip

    everything = {"a.log", "b.txt", "sub/c.log", "sub/d.txt", "repo/e.log", "repo/f.txt"}
    assert found() == everything
    assert found(gitignore=True) == {"b.txt", "sub/d.txt", "repo/e.log"}


def test_repositories_within_a_plain_directory_are_named(tmp_path):
    (tmp_path / "repo").mkdir()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path / "repo", check=True)
    (left_out,) = scan(tmp_path).receipt.left_out
    assert "git directories" in left_out
