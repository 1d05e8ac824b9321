"""Files read by several processes: the same findings, and no share lost in silence."""

import os
import signal

import pytest

from scanner import ScanOptions, filetexts, forked, scan
from tests.scanner.secrets import github_token
from vocabulary.errors import ExitCode

pytestmark = pytest.mark.skipif(not forked._can_fork(), reason="needs a system that forks")


@pytest.fixture
def many(tmp_path, monkeypatch):
    monkeypatch.setattr(forked, "_LEAST", 20)
    # whatever threads the tests before have left behind
    monkeypatch.setattr(forked, "_can_fork", lambda: True)
    monkeypatch.setattr(filetexts, "_MANY", 40)
    for number in range(300):
        (tmp_path / f"{number:03}.txt").write_text(f"{number}\nt = '{github_token(number % 50)}'\n")
    return tmp_path


def test_they_find_what_one_finds(many, monkeypatch):
    monkeypatch.setattr(filetexts, "cores", lambda: 3)
    started = []
    fork = os.fork
    monkeypatch.setattr(os, "fork", lambda: started.append(1) or fork())
    three = scan(many)
    monkeypatch.setattr(filetexts, "cores", lambda: 1)
    one = scan(many)
    assert len(started) == 2
    assert three.findings == one.findings
    assert len(one) == 50
    assert three.receipt.files == one.receipt.files


def test_a_process_that_dies_takes_no_files_along_in_silence(many, monkeypatch):
    monkeypatch.setattr(filetexts, "cores", lambda: 2)
    parent, real = os.getpid(), filetexts.files.batches

    def batches(*words):
        if os.getpid() != parent:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*words)

    monkeypatch.setattr(filetexts.files, "batches", batches)
    report = scan(many)
    assert report.receipt.exit_code == ExitCode.INCOMPLETE
    assert report.receipt.incomplete == ["140 files: a process that read them died"]
    assert report.receipt.files[0] == 160


def test_an_error_here_leaves_no_process_behind(many, monkeypatch):
    begun = []
    real = forked._begun
    monkeypatch.setattr(forked, "_begun", lambda *w: begun.append(real(*w)) or begun[-1])
    parent = os.getpid()

    def work(part):
        if os.getpid() == parent:
            raise KeyboardInterrupt
        signal.pause()

    with pytest.raises(KeyboardInterrupt):
        forked.shared([b"x"] * 200, work, 2)
    ((pid, _),) = begun
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)


def test_links_and_problems_are_counted_together(many, monkeypatch):
    monkeypatch.setattr(filetexts, "cores", lambda: 2)
    for number in range(40):
        (many / f"link{number}").symlink_to(many / "000.txt")
    receipt = scan(many, ScanOptions()).receipt
    assert receipt.left_out == {"symbolic links and special files": 40}


def gone(child):
    try:
        os.kill(child[0], 0)
    except ProcessLookupError:
        return True
    return False


def test_who_wants_no_more_parts_leaves_no_process_behind(monkeypatch):
    begun = []
    real = forked._begun
    monkeypatch.setattr(forked, "_begun", lambda *w: begun.append(real(*w)) or begun[-1])
    parts = forked.each(50, lambda number: number, 2)
    next(parts)
    parts.close()
    assert len(begun) == 2
    assert all(map(gone, begun))


def test_processes_that_did_all_parts_end_by_themselves(monkeypatch):
    stopped = []
    monkeypatch.setattr(forked, "_stop", stopped.append)
    assert dict(forked.each(9, lambda number: number**2, 3)) == {n: n**2 for n in range(9)}
    assert stopped == []
