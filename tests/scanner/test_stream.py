"""The stream of `git cat-file --batch` is cut into objects whatever they hold."""

import gzip
import random
import resource

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner import scan
from scanner.sources import objects
from scanner.sources.gitrun import find
from tests.scanner import packing
from tests.scanner.secrets import github_token
from vocabulary.errors import ExitCode

PIECES = st.sampled_from(
    [b"", b"\n", b"\0", b"x", b"0123456789abcdef" * 20, b"aaaa blob 12\n", b"\xff" * 700, b"\n\n"]
)


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(st.lists(PIECES, max_size=4).map(b"".join), min_size=1, max_size=5),
    st.integers(260, 1500),
)
def test_every_object_comes_whole_and_once(repo, monkeypatch, contents, buffer):
    monkeypatch.setattr(objects, "_BUFFER", buffer)
    wanted = {}
    for content in contents:
        name = repo.git("hash-object", "-w", "--stdin", stdin=content).decode()
        wanted[name.encode()] = content
    got = {}
    read = objects.Read()
    for batch in objects.batches(find(repo.path), list(wanted), read):
        for start, end, name in zip(batch.starts, batch.ends, batch.names, strict=True):
            assert name not in got
            got[name] = bytes(batch.data[start:end])
    assert got == wanted
    assert read.problems == []
    assert (read.objects, read.size) == (len(wanted), sum(map(len, wanted.values())))


@pytest.mark.parametrize("position", [0, 1, 2])
def test_a_name_that_git_does_not_know_is_told_and_skipped(repo, position):
    known = repo.git("rev-parse", "HEAD", "HEAD:README").split()
    names = [name.encode() for name in known]
    names.insert(position, b"0" * 39 + b"1")
    read = objects.Read()
    seen = [n for batch in objects.batches(find(repo.path), names, read) for n in batch.names]
    assert seen == [name.encode() for name in known]
    assert read.problems == [f"object {'0' * 39}1 missing"]


def test_a_long_text_in_windows_shows_every_short_stretch_whole():
    from scanner import windows  # noqa: PLC0415

    rng = random.Random(1)
    text = rng.randbytes(900_000)
    parts = iter([text[at : at + 7001] for at in range(0, len(text), 7001)])
    seen = list(windows.windows(lambda _: next(parts, b""), 200_000))
    assert seen[0].first
    assert seen[-1].last
    for window in seen:
        assert text[window.offset : window.offset + len(window.data)] == window.data
        assert window.line == text.count(b"\n", 0, window.offset)
    for at in range(0, len(text) - windows.WIDTH, 5003):
        reporters = [
            w
            for w in seen
            if w.offset + (0 if w.first else windows.MARGIN) <= at
            and at + windows.WIDTH <= w.offset + len(w.data) - (0 if w.last else windows.MARGIN)
        ]
        assert reporters


@pytest.fixture
def large(repo, monkeypatch):
    """Commit an archive that counts as large, its secret behind much that cannot be packed."""
    monkeypatch.setattr(objects, "_BUFFER", 1 << 16)
    monkeypatch.setattr(objects, "_WHOLE", 1 << 17)
    noise = random.Random(2).randbytes(300_000)
    inner = packing.tarred({"noise": noise, "in.txt": f"token = '{github_token()}'\n".encode()})
    repo.write("a.tgz", gzip.compress(inner, 1))
    repo.git("add", "a.tgz")
    repo.git("commit", "-qm", "an archive")
    repo.git("rm", "-q", "a.tgz")
    repo.git("commit", "-qm", "none")
    return repo


def test_a_large_archive_in_history_is_opened_in_a_temporary_file(large):
    report = scan(large.path)
    (finding,) = report
    assert finding.path == "a.tgz!in.txt"
    assert report.receipt.exit_code == ExitCode.FINDINGS
    assert set(report.receipt.opened) == {"gzip", "tar"}


def test_an_archive_for_which_there_is_no_room_is_named_and_all_else_read(large, monkeypatch):
    names = large.git("rev-parse", "HEAD~1:a.tgz", "HEAD:README").encode().split()
    monkeypatch.setattr(objects, "_PIPE", 1 << 12)
    limit = resource.getrlimit(resource.RLIMIT_FSIZE)
    read = objects.Read()
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, limit[1]))
    try:
        seen = [n for batch in objects.batches(find(large.path), names, read) for n in batch.names]
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limit)
    assert seen == names[1:]
    (problem,) = read.problems
    assert "no room for a copy" in problem
    assert read.objects == 1
