"""What is wrong with a database is said in one line, with where and what to do."""

import os
import resource
import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import text

from database.engine import engine_of, fit_caches, shown, sqlite_file
from database.transaction import HEAD, open_database, reading, transaction
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from vocabulary.errors import DatabaseError

BY = {"actor": "ann", "reason": "a test"}
ROOT = Path(__file__).parent.parent.parent


def url_of(file):
    return f"sqlite:///{file}"


def refusal(url, *, create=True) -> DatabaseError:
    with pytest.raises(DatabaseError) as told:
        open_database(url, create=create)
    assert "\n" not in str(told.value)
    assert told.value.where
    assert told.value.remedy
    return told.value


def test_a_missing_file_is_made_or_named(tmp_path):
    assert "there is no database" in str(refusal(url_of(tmp_path / "k.db"), create=False))
    assert list(tmp_path.iterdir()) == []
    open_database(url_of(tmp_path / "k.db")).dispose()
    open_database(url_of(tmp_path / "k.db"), create=False).dispose()


def test_a_missing_folder(tmp_path):
    assert "folder exists" in refusal(url_of(tmp_path / "no" / "k.db")).remedy


def test_a_folder_instead_of_a_file(tmp_path):
    assert "unable to open" in refusal(url_of(tmp_path)).what


def test_a_file_that_is_no_database_stays_as_it_is(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("my notes " * 1000)
    assert "not a database" in refusal(url_of(file)).what
    assert file.read_text() == "my notes " * 1000


def test_another_programs_database_stays_as_it_is(tmp_path):
    file = tmp_path / "theirs.db"
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()
    before = file.read_bytes()
    assert "another program" in refusal(url_of(file)).what
    assert b"CREATE TABLE theirs" in before
    with sqlite3.connect(file) as connection:
        tables = connection.execute("SELECT name FROM sqlite_master").fetchall()
    connection.close()
    assert tables == [("theirs",)]


@pytest.mark.parametrize("found", ["9999", f"{int(HEAD) + 1:04}"])
def test_a_newer_schema(database_url, found):
    engine = open_database(database_url)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": found})
    engine.dispose()
    error = refusal(database_url)
    assert found in error.what
    assert HEAD in error.what
    assert "newer" in error.remedy


def test_another_programs_migrations(database_url):
    engine = open_database(database_url)
    with transaction(engine) as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = 'a1b2c3d4'"))
    engine.dispose()
    assert "another program" in refusal(database_url).what


@pytest.mark.parametrize(
    "url", ["keywatch.db", "mysql://u:hidden@host/db", "postgresql://u:hidden@[broken/db", ""]
)
def test_a_url_that_is_none_of_ours(url):
    assert "hidden" not in str(refusal(url))


def test_a_server_that_is_not_there():
    error = refusal("postgresql://u:hidden@127.0.0.1:1/db")
    assert "refused" in error.what.lower()
    assert "hidden" not in str(error)
    assert "hidden" not in shown("postgresql://u:hidden@127.0.0.1:1/db")


@pytest.mark.service
def test_a_database_that_the_server_does_not_have(postgresql_url):
    assert "createdb" in refusal(postgresql_url + "_none").remedy


def test_a_locked_database(tmp_path, monkeypatch):
    monkeypatch.setattr("database.engine.BUSY_TIMEOUT_S", 0.05)
    engine = open_database(url_of(tmp_path / "k.db"))
    holder = sqlite3.connect(tmp_path / "k.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(DatabaseError, match="locked") as told:
        KeyStore(engine).create(KeyOrder(), **BY)
    assert "another keywatch" in told.value.remedy
    assert KeyStore(engine).list() == []  # reading goes on
    holder.execute("ROLLBACK")
    holder.close()
    KeyStore(engine).create(KeyOrder(), **BY)
    engine.dispose()


@pytest.fixture
def no_limit_yet():
    """SQLite's limit is one of the whole process: as if nobody had set it."""

    def unset():
        with closing(sqlite3.connect(":memory:")) as any_:
            any_.execute("PRAGMA soft_heap_limit=0")

    unset()
    yield
    unset()


def limit_of(connection):
    return connection.exec_driver_sql("PRAGMA soft_heap_limit").scalar_one()


def test_who_stays_lets_the_caches_grow_with_the_file_and_new_connections_keep_to_it(
    tmp_path, no_limit_yet
):
    file = tmp_path / "k.db"
    engine = open_database(url_of(file))
    for size, limit in ((0, 4 << 20), (40 << 20, 10 << 20), (1 << 30, 64 << 20)):
        os.truncate(file, max(size, file.stat().st_size))  # no page of it stands behind its end
        fit_caches(engine)
        with engine.connect() as one, engine.connect() as other:
            assert [limit_of(one), limit_of(other)] == [limit] * 2
    engine.dispose()


def test_connections_keep_a_bounded_memory_together_and_what_is_warm_is_lent_first(
    tmp_path, no_limit_yet
):
    engine = open_database(url_of(tmp_path / "k.db"))
    with engine.connect() as one, engine.connect() as other:
        limits = [c.exec_driver_sql("PRAGMA soft_heap_limit").scalar_one() for c in (one, other)]
        last = other.connection.dbapi_connection
        one.close()
    assert limits == [64 << 20] * 2
    for _ in range(3):
        with engine.connect() as again:
            assert again.connection.dbapi_connection is last
    engine.dispose()


def test_a_read_only_database_is_read_and_says_so_when_written(tmp_path):
    engine = open_database(url_of(tmp_path / "k.db"))
    issued = KeyStore(engine).create(KeyOrder(), **BY)
    engine.dispose()
    url = f"sqlite:///file:{tmp_path / 'k.db'}?mode=ro&uri=true"
    store = KeyStore(open_database(url, create=False))
    assert store.find([store.credential(issued.secret)])[0].key_id == issued.key.id
    with pytest.raises(DatabaseError, match="readonly") as told:
        store.revoke(issued.key.id, **BY)
    assert "write access" in told.value.remedy
    assert sqlite_file(store.engine) == tmp_path / "k.db"
    store.engine.dispose()


def test_a_full_database_keeps_what_it_had(tmp_path):
    engine = open_database(url_of(tmp_path / "k.db"))
    store = KeyStore(engine)
    store.create(KeyOrder(), **BY)
    with transaction(engine) as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages + 3}")
    with pytest.raises(DatabaseError, match="full") as told:
        store.create_many([KeyOrder()] * 1000, **BY)
    assert "free some space" in told.value.remedy
    assert len(store.list()) == 1
    with transaction(engine) as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=1000000")
    store.create_many([KeyOrder()] * 1000, **BY)
    engine.dispose()


FILLS = """
import resource, sys
from database.transaction import open_database
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from vocabulary.errors import DatabaseError
store = KeyStore(open_database(sys.argv[1]))
store.create(KeyOrder(), actor="a", reason="a test")
resource.setrlimit(resource.RLIMIT_FSIZE, (500_000, resource.RLIM_INFINITY))
try:
    store.create_many([KeyOrder()] * 5000, actor="a", reason="a test")
except DatabaseError as error:
    print(error)
"""


def test_a_disk_that_takes_no_more_keeps_what_it_had(tmp_path):
    """The kernel itself refuses to let the files grow."""
    url = url_of(tmp_path / "k.db")
    ended = subprocess.run(
        [sys.executable, "-c", FILLS, url],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert "nothing was half written" in ended.stdout
    assert ended.stderr == ""
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] == resource.RLIM_INFINITY
    store = KeyStore(open_database(url))
    assert len(store.list(limit=None)) == 1
    with reading(store.engine) as connection:
        assert connection.exec_driver_sql("PRAGMA integrity_check").scalar_one() == "ok"
    store.engine.dispose()


def test_a_truncated_file_is_told_when_it_is_read(tmp_path):
    engine = open_database(url_of(tmp_path / "k.db"))
    KeyStore(engine).create_many([KeyOrder()] * 500, **BY)
    engine.dispose()
    os.truncate(tmp_path / "k.db", 150_000)
    with pytest.raises(DatabaseError) as told:
        KeyStore(open_database(url_of(tmp_path / "k.db"))).list(limit=None)
    assert "backup" in told.value.remedy


OPENS = """
import os, sys
import database.migrate, database.schema
from database.transaction import open_database

def opens():
    try:
        open_database(sys.argv[1])
    except BaseException as error:
        print(error, file=sys.stderr, flush=True)
        os._exit(1)
    os._exit(0)

# what is imported is there already: they meet at the database
started = [os.fork() or opens() for _ in range(4)]
print([os.waitpid(pid, 0)[1] for pid in started])
"""


def test_many_processes_may_be_the_first(database_url):
    """An empty database is opened by several at once: one migrates, all go on."""
    if database_url.startswith("postgresql"):
        engine = engine_of(database_url)
        with engine.begin() as connection:
            connection.exec_driver_sql("DROP SCHEMA public CASCADE")
            connection.exec_driver_sql("CREATE SCHEMA public")
        engine.dispose()
    ended = subprocess.run(
        [sys.executable, "-c", OPENS, database_url],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert (ended.stdout, ended.stderr) == ("[0, 0, 0, 0]\n", "")
    open_database(database_url, create=False).dispose()


def test_threads_share_an_engine(database_url):
    engine = open_database(database_url)
    store = KeyStore(engine)
    with ThreadPoolExecutor(4) as threads:
        list(threads.map(lambda _: store.create(KeyOrder(), **BY), range(40)))
    assert len(store.list(limit=None)) == 40
    engine.dispose()


def test_a_database_in_memory_has_no_file():
    engine = open_database("sqlite://")
    assert sqlite_file(engine) is None
    with reading(engine) as connection:
        assert engine.dialect.has_table(connection, "keys")
    engine.dispose()


def test_without_the_driver_it_is_said_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)
    error = refusal("postgresql://u:hidden@127.0.0.1/db")
    assert "keywatch[postgres]" in error.remedy
    assert "hidden" not in str(error)


def test_nothing_is_written_into_a_file_that_was_moved_away(tmp_path):
    """SQLite would write on, and make a new and empty one for the next connection."""
    file, away = tmp_path / "k.db", tmp_path / "elsewhere.db"
    engine = open_database(url_of(file))
    store = KeyStore(engine)
    store.create(KeyOrder(), actor="ann")
    file.rename(away)
    for _ in range(3):
        with pytest.raises(DatabaseError, match="was moved, replaced or deleted") as told:
            store.create(KeyOrder(), actor="ann")
        assert "put it back" in told.value.remedy
    with pytest.raises(DatabaseError), reading(engine):
        pass
    assert not file.exists()
    away.rename(file)
    store.create(KeyOrder(), actor="ann")
    assert len(store.list()) == 2
    engine.dispose()


def test_a_file_that_was_replaced_is_told_once_and_then_used(tmp_path):
    file, copy = tmp_path / "k.db", tmp_path / "copy.db"
    engine = open_database(url_of(file))
    with sqlite3.connect(file) as here, sqlite3.connect(copy) as there:
        here.backup(there)
    there.close()
    here.close()
    store = KeyStore(engine)
    store.create(KeyOrder(), actor="ann")
    for suffix in ("-wal", "-shm"):
        (tmp_path / f"k.db{suffix}").unlink(missing_ok=True)
    copy.replace(file)
    with pytest.raises(DatabaseError, match="was moved, replaced or deleted"):
        store.create(KeyOrder(), actor="ann")
    assert len(store.list()) == 0
    engine.dispose()
