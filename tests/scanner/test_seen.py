"""The cache of seen objects skips what held nothing, and forgets when in doubt."""

import os
import sqlite3
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scanner import seen


@pytest.fixture(autouse=True)
def folder(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "keywatch"


def opened(path="/a", rules="r", inline_ignores=True):  # noqa: FBT002
    found = seen.seen_of(os.path.abspath(path), rules, inline_ignores=inline_ignores)  # noqa: PTH100
    assert found is not None
    return found


def ids(count, width=40, start=0):
    return [b"%0*x" % (width, number * 7919) for number in range(start, start + count)]


@pytest.mark.parametrize("width", [40, 64])
def test_what_was_kept_is_not_asked_for_again(width):
    names = ids(1000, width)
    first = opened()
    assert first.unseen(names) == names
    first.keep(names[::2], hidden=3, places=b"x")
    again = opened()
    assert again.unseen(names) == names[1::2]
    assert (len(again), again.hidden, again.places) == (500, 3, b"x")
    assert names[0] in again


def test_an_unchanged_listing_says_at_once_what_is_to_be_read():
    opened().keep(ids(5), listing=b"all there is", again=[b"aa", b"bb"])
    assert opened().again(b"all there is") == [b"aa", b"bb"]
    assert opened().again(b"and more") is None
    opened().keep(ids(6))  # what follows a scan that was not whole
    assert opened().again(b"all there is") is None
    assert opened("/b").again(b"") is None


@pytest.mark.parametrize("other", [{"path": "/b"}, {"rules": "s"}, {"inline_ignores": False}])
def test_another_repository_or_way_of_scanning_begins_anew(other):
    opened().keep(ids(5))
    assert len(opened(**other)) == 0
    assert len(opened()) == 5


def test_a_changed_scanner_begins_anew(monkeypatch):
    opened().keep(ids(5))
    monkeypatch.setattr(seen, "_code", lambda: "other")
    assert len(opened()) == 0


def test_many_small_scans_are_joined(folder):
    for number in range(100):
        opened().keep(ids(3, start=3 * number))
    assert len(opened()) == 300
    with sqlite3.connect(folder / "seen.sqlite") as connection:
        assert connection.execute("SELECT count(*) FROM part").fetchone()[0] <= 42
    connection.close()


def test_the_oldest_go_when_there_is_too_much(monkeypatch):
    monkeypatch.setattr(seen, "_LARGEST", 300_000)
    for number in range(12):
        opened(f"/{number}").keep(ids(3000))
    assert len(opened("/0")) == 0
    assert len(opened("/11")) == 3000


def test_nobody_else_can_read_or_write_it(folder):
    opened().keep(ids(5))
    file = folder / "seen.sqlite"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    file.chmod(0o666)
    assert seen.seen_of(file, "r", inline_ignores=True) is None


@pytest.mark.parametrize("content", [b"garbage" * 999, b"SQLite format 3\0" + bytes(4096), b"x"])
def test_a_broken_cache_is_thrown_away(folder, content):
    opened().keep(ids(5))
    (folder / "seen.sqlite").write_bytes(content)
    seen.seen_of("/a", "r", inline_ignores=True)
    assert len(opened()) == 0


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.lists(st.integers(0, 50), max_size=20), max_size=6))
def test_it_is_the_union_of_what_was_kept(folder, rounds):
    (folder / "seen.sqlite").unlink(missing_ok=True)
    kept = set()
    for numbers in rounds:
        names = {b"%040x" % number for number in numbers}
        opened().keep(names)
        kept |= names
        everything = [b"%040x" % number for number in range(51)]
        assert opened().unseen(everything) == [n for n in everything if n not in kept]
