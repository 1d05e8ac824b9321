"""Folders of objects: each line of each object once, however many there are and were."""

import gzip
import json
from itertools import chain

import pytest
from sqlalchemy import func, select

from database.engine import engine_of
from database.schema import positions, read_objects
from database.transaction import reading, transaction, upgrade
from streams import checkpoint, formats
from streams.listing import LATE_NAMES, Listing, place_of
from streams.objectmemory import ObjectMemory
from streams.sources.directory import Directory
from streams.sources.objects import ObjectSource
from vocabulary.errors import TargetError


@pytest.fixture(scope="module")
def database(tmp_path_factory):
    engine = engine_of(f"sqlite:///{tmp_path_factory.mktemp('objects') / 'keywatch.db'}")
    upgrade(engine, "here")
    yield engine
    engine.dispose()


@pytest.fixture
def engine(database):
    """Return a database in which nothing is read."""
    with transaction(database) as connection:
        connection.execute(positions.delete())
        connection.execute(read_objects.delete())
    return database


def drained(source, engine, *, most=1000):
    lines = []
    while (chunk := source.read(most, 0.0)) is not None:
        lines += chunk.lines
        commit(engine, chunk)
    return lines


def commit(engine, chunk):
    with transaction(engine) as connection:
        checkpoint.save(connection, chunk.source, chunk.position, 1.0)


def cloudtrail(*moments):
    one = json.loads(formats.find("cloudtrail").samples[0])
    return gzip.compress(
        json.dumps({"Records": [{**one, "eventTime": m} for m in moments]}).encode()
    )


def source_of(folder, engine, **options):
    return ObjectSource(folder, ObjectMemory(engine, folder.name), **options)


def rows(engine):
    """Return how many objects have a row, and how many are remembered by their name alone."""
    with reading(engine) as connection:
        size = select(func.coalesce(func.sum(func.length(read_objects.c.names)), 0))
        count = sum("archived" not in one for one in checkpoint.under(connection, "").values())
        return count, connection.scalar(size) // 8


def objects(folder, engine, **options):
    unfold = formats.find("cloudtrail").unfold
    return source_of(Directory(folder), engine, unfold=unfold, **options)


def test_reads_every_object_of_a_folder_once(tmp_path, engine):
    (tmp_path / "2025" / "11").mkdir(parents=True)
    (tmp_path / "2025" / "11" / "a.json.gz").write_bytes(cloudtrail("t1", "t2"))
    (tmp_path / "2025" / "b.json").write_bytes(gzip.decompress(cloudtrail("t3")))
    (tmp_path / "2025" / ".hidden").write_text("x")
    (tmp_path / "2025" / "c.json.tmp").write_text("x")
    (tmp_path / "2025" / "empty").write_text("")
    with objects(tmp_path, engine, once=True) as source:
        source.open()
        found = formats.find("cloudtrail").parse(drained(source, engine, most=1))
        assert len(found) + len(found.rejected) == 3
        assert source.done
    (tmp_path / "2025" / "11" / "a2.json.gz").write_bytes(cloudtrail("t4"))
    with objects(tmp_path, engine, once=True) as source:
        source.open()
        assert [json.loads(line)["eventTime"] for line in drained(source, engine)] == ["t4"]


def test_goes_on_within_an_object(tmp_path, engine):
    (tmp_path / "a.json.gz").write_bytes(cloudtrail("t1", "t2", "t3"))
    with objects(tmp_path, engine, once=True) as source:
        source.open()
        commit(engine, source.read(1, 0.0))
        source.read(1, 0.0)
        source.open()
        assert [json.loads(line)["eventTime"] for line in drained(source, engine)] == [
            "t2",
            "t3",
        ]


def test_plain_lines_are_objects_as_well(tmp_path, engine):
    (tmp_path / "a.log").write_text("one\ntwo\n\n")
    with source_of(Directory(tmp_path), engine, once=True) as source:
        source.open()
        assert drained(source, engine) == [b"one", b"two"]


def test_finds_objects_that_come_later(tmp_path, engine):
    now = [0.0]
    with objects(tmp_path, engine, clock=lambda: now[0]) as source:
        source.open()
        assert source.read(9, 0.0) is None
        (tmp_path / "a").write_bytes(cloudtrail("t1"))
        assert source.read(9, 0.0) is None
        now[0] = 60.0
        assert len(drained(source, engine)) == 1
        assert not source.done


def test_a_damaged_object_holds_no_other_up(tmp_path, engine):
    (tmp_path / "a.gz").write_bytes(cloudtrail("t1")[:-9])
    (tmp_path / "b.gz").write_bytes(cloudtrail("t2"))
    told = []
    with objects(tmp_path, engine, once=True, tell=told.append) as source:
        source.open()
        with pytest.raises(TargetError, match="damaged"):
            drained(source, engine)
        assert source.done
    assert rows(engine) == (1, 0)
    assert "damaged" in told[0]


def test_a_folder_that_is_missing_is_refused_and_one_that_goes_is_told_of(tmp_path, engine):
    with pytest.raises(TargetError, match="no such directory"):
        objects(tmp_path / "missing", engine).open()
    now, told, folder = [0.0], [], tmp_path / "a"
    folder.mkdir()
    with objects(folder, engine, clock=lambda: now[0], tell=told.append) as source:
        source.open()
        folder.rmdir()
        now[0] = 60.0
        assert source.read(9, 0.0) is None
        assert "no such directory" in told[0]
        folder.mkdir()
        (folder / "1").write_bytes(cloudtrail("t1"))
        now[0] = 120.0
        assert len(drained(source, engine)) == 1


def test_an_object_that_is_gone_when_its_turn_comes_holds_no_other_up(tmp_path, engine):
    for name in "ab":
        (tmp_path / name).write_bytes(cloudtrail("t1"))
    told = []
    with objects(tmp_path, engine, tell=told.append) as source:
        source.open()
        (tmp_path / "a").unlink()
        assert len(drained(source, engine)) == 1
    assert "a: no such file" in told[0]


def test_an_object_that_could_not_be_read_is_read_later(tmp_path, engine):
    (tmp_path / "a.gz").write_bytes(cloudtrail("t1")[:-9])
    now, told = [0.0], []
    with objects(tmp_path, engine, clock=lambda: now[0], tell=told.append) as source:
        source.open()
        for _ in range(3):
            assert source.read(9, 0.0) is None
            now[0] += 60.0
        assert list(source.failed) == [source.name]
        assert len(told) == 1
        (tmp_path / "a.gz").write_bytes(cloudtrail("t1"))
        now[0] += 600.0
        assert len(drained(source, engine)) == 1
        assert not source.failed


def test_an_object_beyond_the_limit_is_left_out(tmp_path, engine, monkeypatch):
    monkeypatch.setattr("streams.sources.objects.MAX_OBJECT", 1000)
    (tmp_path / "a.gz").write_bytes(gzip.compress(b"x" * 100_000))
    with objects(tmp_path, engine, once=True) as source:
        source.open()
        with pytest.raises(TargetError, match="larger than"):
            drained(source, engine)


class Shelf:
    """A folder in memory, whose listing takes time and is counted."""

    name = "objects:shelf"

    def __init__(self, keys=(), page_s=0.0):
        self.kept, self.page_s, self.now, self.listed = set(keys), page_s, 0.0, 0

    def keys(self, prefix="", after=""):
        for number, key in enumerate(sorted(self.kept)):
            if key.startswith(prefix) and key > after:
                self.now += self.page_s * (number % 1000 == 0)
                self.listed += 1
                yield key

    def read(self, key, longest):
        return key.encode()

    def clock(self):
        return self.now


def names_of(day, numbers, region="eu-central-1"):
    path = f"AWSLogs/123456789012/CloudTrail/{region}/2025/11/{day:02}"
    return {f"{path}/123456789012_CloudTrail_{region}_202511{day:02}T{n:04}Z.gz" for n in numbers}


def watched(shelf, engine):
    source = source_of(shelf, engine, clock=shelf.clock)
    source.open()
    return source


def test_rows_of_objects_that_are_read_make_room_and_none_is_read_twice(engine, monkeypatch):
    monkeypatch.setattr("streams.sources.objects.MOST_ROWS", 10)
    shelf = Shelf(names_of(1, range(95)))
    source, read = watched(shelf, engine), []
    for day in range(2, 6):
        read += drained(source, engine)
        shelf.kept |= names_of(day, range(10))
        shelf.now += 60.0
        source = source if day % 2 else watched(shelf, engine)
    read += drained(source, engine)
    shelf.now += 60.0
    read += drained(source, engine)
    assert len(read) == len(set(read)) == 135
    assert rows(engine) == (0, 135)
    shelf.now += 60.0
    assert drained(watched(shelf, engine), engine) == []


def test_an_object_that_comes_late_is_read_whatever_its_name(engine, monkeypatch):
    monkeypatch.setattr("streams.sources.objects.MOST_ROWS", 10)
    shelf = Shelf(names_of(3, range(50)))
    source = watched(shelf, engine)
    drained(source, engine)
    late = {*names_of(1, [7]), *names_of(2, [8], "us-east-1"), "0", "zz/2019-01-01"}
    shelf.kept |= late
    shelf.now += 3600.0
    assert {line.decode() for line in drained(source, engine)} == late


def test_a_large_folder_is_listed_seldom_and_its_newest_names_often(engine):
    shelf = Shelf(names_of(1, range(3000)) | names_of(1, range(3000), "us-east-1"), page_s=1.0)
    ObjectMemory(engine, shelf.name).archive(sorted(shelf.kept))
    source = watched(shelf, engine)
    assert drained(source, engine) == []
    shelf.kept |= (new := names_of(2, [5]) | names_of(1, [3001], "us-east-1"))
    shelf.now, shelf.listed = shelf.now + 11.0, 0
    assert {line.decode() for line in drained(source, engine)} == new
    assert shelf.listed <= 2 * (LATE_NAMES + 2)
    (late,) = names_of(1, [4], "eu-west-1")
    shelf.kept.add(late)
    shelf.now += 11.0
    assert drained(source, engine) == []
    shelf.now += 3600.0
    assert drained(source, engine) == [late.encode()]


def test_a_folder_is_listed_in_instalments(monkeypatch):
    monkeypatch.setattr("streams.listing.INSTALMENT", 10)
    shelf = Shelf(f"{n:03}" for n in range(35))
    listing, looks = Listing(shelf, shelf.clock), []
    while not listing.whole:
        looks.append(listing.look())
    assert [len(names) for names in looks] == [10, 10, 10, 5]
    assert sorted(chain.from_iterable(looks)) == sorted(shelf.kept)


def test_names_of_objects_that_are_gone_are_forgotten_when_there_are_very_many(engine, monkeypatch):
    monkeypatch.setattr("streams.sources.objects.MOST_ROWS", 10)
    monkeypatch.setattr("streams.sources.objects.MOST_NAMES", 50)
    shelf = Shelf(names_of(1, range(60)))
    source = watched(shelf, engine)
    drained(source, engine)
    shelf.kept = names_of(1, range(40, 60)) | names_of(2, range(5))
    for _ in range(2):
        shelf.now += 60.0
        drained(source, engine)
    assert rows(engine) == (5, 20)
    shelf.now += 60.0
    assert drained(watched(shelf, engine), engine) == []
    shelf.kept.clear()  # not mounted
    shelf.now += 60.0
    assert drained(source, engine) == []
    assert rows(engine) == (5, 20)


def test_the_figures_of_a_folder_outlive_the_rows_of_its_objects(engine):
    memory = ObjectMemory(engine, "objects:a")
    with transaction(engine) as connection:
        for key, newest in (("1", 5), ("2", 9), ("3", 7)):
            position = {"done": True, "folder": "objects:a", "newest_ms": newest, "lag_ms": 1}
            checkpoint.save(connection, f"objects:a/{key}", position, 4.0)
    memory.archive(["1", "2"])
    memory.archive(["3"])
    with reading(engine) as connection:
        kept = checkpoint.under(connection, "")
    told = {"folder": "objects:a", "done": True, "archived": 3, "newest_ms": 9, "lag_ms": 1}
    assert kept == {"objects:a": told}


def test_rows_that_an_earlier_version_left_become_names_however_many(engine):
    number = 33_000  # more than SQLite takes in one statement
    shelf = Shelf(f"2025-11-03/{n:05}.gz" for n in range(number))
    position = {"line": 1, "done": True, "folder": shelf.name}
    rows_left = [
        {"source": f"{shelf.name}/{key}", "position": position, "updated_at": 1.0}
        for key in shelf.kept
    ]
    with transaction(engine) as connection:
        connection.execute(positions.insert(), rows_left)
    source = watched(shelf, engine)
    assert rows(engine) == (0, number)
    assert drained(source, engine) == []


@pytest.mark.parametrize(
    ("key", "place"),
    [
        (
            "AWSLogs/202511031234/CloudTrail/eu/2025/11/03/x.gz",
            "AWSLogs/202511031234/CloudTrail/eu/",
        ),
        ("cdn/E2K.2025-11-03-20.RT4.gz", "cdn/E2K."),
        ("20251103/20251103T000000Z_a.log.gz", ""),
        ("dt=2025-11-03/1", "dt="),
        ("logs/20251103091244.gz", "logs/"),
        ("logs/app-000123.gz", "logs/"),
        ("1.gz", ""),
    ],
)
def test_a_place_is_what_comes_before_the_date(key, place):
    assert place_of(key) == place


def test_a_directory_is_listed_in_the_order_of_a_bucket(tmp_path):
    kept = ["a-b", "a.log", "a/0", "a/b/1", "a/b.log", "a0", "b/c/d/2"]
    for key in kept:
        (tmp_path / key).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / key).touch()
    folder = Directory(tmp_path)
    assert list(folder.keys()) == sorted(kept)
    for prefix in ("", "a", "a/", "a/b", "b/c", "x"):
        for after in ("", "a", "a/", "a/b/1", "a/b/2", "b"):
            expected = [key for key in sorted(kept) if key.startswith(prefix) and key > after]
            assert list(folder.keys(prefix, after)) == expected


def test_an_object_whose_name_is_no_text_is_told_of(tmp_path, engine):
    (tmp_path / b"a\xff".decode("utf-8", "surrogateescape")).write_text("x\n")
    (tmp_path / "b").write_text("b\n")
    with source_of(Directory(tmp_path), engine) as source:
        source.open()
        assert drained(source, engine) == [b"b"]
        assert "not UTF-8" in source.failed[source.name]
