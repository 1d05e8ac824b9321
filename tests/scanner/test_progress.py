"""Who waits at a terminal sees how far a scan is, how fast, and how long it will take."""

import os
import subprocess
import sys

import pytest

pty = pytest.importorskip("pty", reason="no pseudo-terminals there")

SCAN = [sys.executable, "-m", "keywatch", "scan", "."]


def at_a_terminal(folder):
    """Scan with a terminal; return what it shows."""
    ours, theirs = pty.openpty()
    environ = {**os.environ, "TERM": "xterm", "COLUMNS": "120"}
    with subprocess.Popen(SCAN, cwd=folder, env=environ, stdout=theirs, stderr=theirs) as scan:
        os.close(theirs)
        text = b""
        try:
            while part := os.read(ours, 1 << 16):
                text += part
        except OSError:  # how the end of a terminal looks on Linux
            pass
    os.close(ours)
    assert scan.returncode == 0
    return text.decode()


@pytest.fixture
def folder(tmp_path):
    for number in range(60):
        (tmp_path / f"{number}.txt").write_text("nothing\n")
    return tmp_path


def test_a_terminal_is_told(folder):
    text = at_a_terminal(folder)
    assert "/60" in text
    assert "/s" in text
    assert "0:00:0" in text


def test_a_pipe_is_told_nothing_but_the_receipt(folder):
    done = subprocess.run(SCAN, cwd=folder, capture_output=True, text=True, check=True)
    assert not done.stdout
    assert [line.split()[:2] for line in done.stderr.splitlines()] == [["keywatch:", "scanned"]]
