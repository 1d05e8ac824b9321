"""What is kept between scans is believed only where nobody else can have written it."""

import os

import pytest

from scanner import cache


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "keywatch"


def names(folder):
    return sorted(one.name for one in folder.iterdir())


def test_what_is_kept_is_ours_alone_and_read_again(place):
    assert cache.read("a") is None
    assert not place.exists()
    cache.write("a", b"kept")
    assert cache.read("a") == b"kept"
    assert [one.stat().st_mode & 0o777 for one in (place, place / "a")] == [0o700, 0o600]


@pytest.mark.parametrize("mode", [0o770, 0o707, 0o750], ids=oct)
def test_a_directory_that_others_may_enter_is_not_used(place, mode):
    cache.write("a", b"kept")
    place.chmod(mode)
    assert cache.cache_dir() is None
    assert cache.read("a") is None
    cache.write("b", b"new")
    cache.forget("a", "")
    assert names(place) == ["a"]


def test_a_link_in_place_of_the_directory_is_not_followed(place, tmp_path):
    (tmp_path / "theirs").mkdir(mode=0o700)
    place.symlink_to(tmp_path / "theirs")
    cache.write("a", b"kept")
    assert names(tmp_path / "theirs") == []


def test_a_file_that_others_may_read_or_that_is_a_link_is_not_believed(place, tmp_path):
    for name in ("a", "b", "c"):
        cache.write(name, b"kept")
    (place / "a").chmod(0o640)
    (place / "b").rename(tmp_path / "elsewhere")
    (place / "b").symlink_to(tmp_path / "elsewhere")
    assert [cache.read(name) for name in ("a", "b", "c")] == [None, None, b"kept"]


def test_what_cannot_be_put_in_its_place_leaves_nothing_behind(place):
    cache.write("b", b"kept")
    (place / "a").mkdir()
    cache.write("a", b"new")
    assert names(place) == ["a", "b"]


def test_what_cannot_be_made_is_no_error(tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    cache.write("a", b"kept")
    assert cache.read("a") is None


def test_the_newest_four_and_the_one_in_use_are_kept(place):
    for age in range(8):
        cache.write(f"rules-{age}", b"kept")
        os.utime(place / f"rules-{age}", (age, age))
    cache.write("other", b"kept")
    cache.forget("rules-", "rules-1")
    kept = {"other", "rules-1", *(f"rules-{age}" for age in range(4, 8))}
    assert names(place) == sorted(kept)


def test_without_a_word_of_the_user_it_is_where_the_system_has_it(monkeypatch, tmp_path):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache.cache_base() in {tmp_path / ".cache", tmp_path / "Library" / "Caches"}
