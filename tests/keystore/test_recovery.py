import shutil
import sqlite3

import pytest

from database.backup import backup, problems
from database.engine import engine_of
from database.transaction import open_database, reading
from keystore import audit, feed
from keystore.issue import KeyOrder
from keystore.recovery import restore_backup
from keystore.store import KeyStore
from vocabulary.errors import DatabaseError, UsageError

BY = {"actor": "ann", "reason": "a test"}


def restore(store, file):
    restore_backup(store.engine, file, now=1.0, **BY)


def names(folder):
    return sorted(path.name for path in folder.iterdir())


def test_a_backup_is_one_file_of_one_moment(local, tmp_path):
    key = local.create(KeyOrder(), **BY).key
    backup(local.engine, tmp_path / "copy.db")
    local.revoke(key.id, **BY)
    assert [name for name in names(tmp_path) if "copy" in name] == ["copy.db"]
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    copied = open_database(f"sqlite:///{tmp_path / 'copy.db'}", create=False)
    assert KeyStore(copied).get(key.id).state == "active"
    copied.dispose()


def test_a_backup_overwrites_nothing(local, tmp_path):
    file = tmp_path / "mine"
    file.write_text("precious")
    with pytest.raises(UsageError, match="already"):
        backup(local.engine, file)
    assert file.read_text() == "precious"


def test_a_backup_into_a_missing_folder_leaves_nothing(local, tmp_path):
    before = names(tmp_path)
    with pytest.raises(DatabaseError, match="no such file"):
        backup(local.engine, tmp_path / "nowhere" / "copy.db")
    assert names(tmp_path) == before


def test_going_back_makes_followers_forget(local, tmp_path):
    key = local.create(KeyOrder(), **BY).key
    backup(local.engine, tmp_path / "copy.db")
    local.revoke(key.id, **BY)
    with reading(local.engine) as connection:
        position = feed.head(connection)
    restore(local, tmp_path / "copy.db")
    assert local.get(key.id).state == "active"
    with reading(local.engine) as connection:
        told = feed.changes_since(connection, position)
        proven = audit.verify(connection)
    assert [change.key_id for change in told] == [feed.EVERYTHING]
    assert (proven.rows, proven.broken_at) == (2, 0)
    assert local.revoke(key.id, **BY).change_seq == told[-1].seq + 1
    assert problems(local.engine) == []
    assert [name for name in names(tmp_path) if "part" in name] == []


def test_going_back_into_a_new_file(local, tmp_path):
    key = local.create(KeyOrder(), **BY).key
    backup(local.engine, tmp_path / "copy.db")
    fresh = KeyStore(engine_of(f"sqlite:///{tmp_path / 'fresh.db'}"))
    restore(fresh, tmp_path / "copy.db")
    assert fresh.get(key.id).id == key.id
    fresh.engine.dispose()


def junk(file, tmp_path):
    file.write_text("no database " * 1000)


def another_program(file, tmp_path):
    with sqlite3.connect(file) as connection:
        connection.execute("CREATE TABLE theirs (x)")
    connection.close()


def newer(file, tmp_path):
    shutil.copy(tmp_path / "copy.db", file)
    with sqlite3.connect(file) as connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()


def damaged(file, tmp_path):
    raw = bytearray((tmp_path / "copy.db").read_bytes())
    raw[8192:60000] = b"\xff" * (60000 - 8192)
    file.write_bytes(raw)


def missing(file, tmp_path):
    pass


@pytest.mark.parametrize("make", [junk, another_program, newer, damaged, missing])
def test_a_wrong_backup_changes_nothing(local, tmp_path, make):
    key = local.create(KeyOrder(), **BY).key
    backup(local.engine, tmp_path / "copy.db")
    local.revoke(key.id, **BY)
    make(tmp_path / "wrong.db", tmp_path)
    with pytest.raises(DatabaseError) as told:
        restore(local, tmp_path / "wrong.db")
    assert "\n" not in str(told.value)
    assert "wrong.db" in str(told.value)
    assert local.get(key.id).state == "revoked"
    assert [name for name in names(tmp_path) if "part" in name] == []


@pytest.mark.service
def test_a_server_has_its_own_tools(postgresql_url, tmp_path):
    engine = open_database(postgresql_url)
    with pytest.raises(UsageError, match="pg_dump"):
        backup(engine, tmp_path / "copy.db")
    assert problems(engine) == []
    engine.dispose()
