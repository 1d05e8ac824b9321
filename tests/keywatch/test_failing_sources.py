"""Sources that cannot be read for a while: told of, tried again, and read on where they stood."""

import threading
import time
from contextlib import contextmanager

import pytest
from click.testing import CliRunner

from database.transaction import open_database, reading
from keywatch import metrics
from keywatch.cli import keywatch as command
from keywatch.config import load
from keywatch.status import status
from keywatch.voice import Voice
from keywatch.watch import Watch
from streams import formats
from streams.failing import FRESH_S, Failing, failing
from streams.sources.file import FileSource
from tests.keywatch.fleet import until
from vocabulary.errors import ServiceError

LINE = formats.find("nginx-json").samples[0] + b"\n"


@pytest.fixture
def engine(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/a.db")
    yield engine
    engine.dispose()


@pytest.fixture(autouse=True)
def soon(monkeypatch):
    monkeypatch.setattr("streams.retries.FIRST_S", 0.01)
    monkeypatch.setattr("streams.sources.globbed.LOOK_S", 0.01)


@contextmanager
def watching(engine, tmp_path, *paths):
    config = tmp_path / "keywatch.toml"
    config.write_text("".join(f"[[sources]]\npath = '{path}'\n" for path in paths))
    told, stop = [], threading.Event()
    voice = Voice(tell=told.append, alert=lambda _: None)
    settings = load(str(config), environ={}).settings
    watch = Watch(settings, engine, once=False, stop=stop, voice=voice)
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        yield told
        assert thread.is_alive()
    finally:
        stop.set()
        thread.join()


def test_a_watch_begins_when_whoever_writes_for_long_is_done(tmp_path, monkeypatch):
    monkeypatch.setattr("database.engine.BUSY_TIMEOUT_S", 0.05)
    monkeypatch.setattr("keywatch.watch._RETRY_S", 0.01)
    engine = open_database(f"sqlite:///{tmp_path}/a.db")
    (tmp_path / "a.log").write_bytes(LINE)
    with (
        engine.connect().execution_options(write=True) as other,
        other.begin() as writing,
        watching(engine, tmp_path, tmp_path / "a.log") as told,
    ):
        until(lambda: sum("is locked" in one for one in told) > 1, "word of the lock")
        writing.rollback()
        until(lambda: read(engine) == 1, "the event")
    engine.dispose()


def read(engine):
    return status(engine)["events"]["committed"]


def failed(engine):
    return {name: one["failed"] for name, one in status(engine)["sources"].items() if one["failed"]}


@pytest.mark.parametrize("pattern", [False, True])
def test_a_log_that_is_a_folder_for_a_while_is_read_on(engine, tmp_path, pattern):
    log = tmp_path / "access.log"
    log.write_bytes(LINE)
    with watching(engine, tmp_path, tmp_path / "acc*.log" if pattern else log) as told:
        until(lambda: read(engine) == 1, "the first line")
        log.rename(tmp_path / "aside")
        log.mkdir()
        if not pattern:  # a folder is none of the files of a pattern
            until(lambda: failed(engine), "the failure")
            assert "directory" in failed(engine)[f"file:{log}"]
            assert any("directory" in one for one in told)
        log.rmdir()
        (tmp_path / "aside").rename(log)
        with log.open("ab") as file:
            file.write(LINE)
        until(lambda: read(engine) == 2, "the second line")
        until(lambda: not failed(engine), "that it is over")


def test_a_file_of_a_pattern_that_was_unreadable_once_is_read_later(engine, tmp_path):
    log = tmp_path / "access.log"
    log.write_bytes(b"\x7fELF\0\0\0\1")
    with watching(engine, tmp_path, tmp_path / "acc*.log"):
        until(lambda: failed(engine), "the failure")
        with reading(engine) as connection:
            text = metrics.text(connection, time.time())
        assert f'keywatch_source_failed{{source="file:{log}"}} 1' in text
        words = ["--database", str(engine.url), "status"]
        assert "cannot be read" in CliRunner().invoke(command, words).stdout
        log.write_bytes(LINE)
        until(lambda: read(engine) == 1, "the line")
        until(lambda: not failed(engine), "that it is over")


def test_a_service_that_refuses_ends_neither_its_source_nor_the_others(
    engine, tmp_path, monkeypatch
):
    one, other = tmp_path / "one.log", tmp_path / "other.log"
    one.write_bytes(LINE)
    other.write_bytes(LINE)
    refuses, take = threading.Event(), FileSource.read
    refuses.set()

    def refused(self, *words):
        if self.path == one and refuses.is_set():
            raise ServiceError("TopicAuthorizationFailedError", where=self.name)
        return take(self, *words)

    monkeypatch.setattr(FileSource, "read", refused)
    with watching(engine, tmp_path, one, other):
        until(lambda: failed(engine) and read(engine) == 1, "the other one's line")
        refuses.clear()
        until(lambda: read(engine) == 2, "its line")


def test_of_a_failure_that_nobody_repeats_no_more_is_told(engine):
    now = [1000.0]
    one = Failing(engine, lambda: now[0])
    one.note({"file:a": "no such file"})
    with reading(engine) as connection:
        assert failing(connection, 1000.0 + FRESH_S) == {"file:a": "no such file"}
        assert failing(connection, 1001.0 + FRESH_S) == {}
    now[0] += FRESH_S
    one.note({"file:a": "no such file"})  # it lasts
    with reading(engine) as connection:
        assert failing(connection, now[0] + FRESH_S) == {"file:a": "no such file"}
    one.note({})
    with reading(engine) as connection:
        assert failing(connection, now[0]) == {}
