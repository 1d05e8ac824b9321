import shutil
import sqlite3

import pytest

from database.backup import backup, problems
from database.engine import engine_of
from database.schema import dead_letters
from database.transaction import open_database, reading, transaction
from keystore import audit, feed
from keystore.accounts import Changes
from keystore.denials import Denial
from keystore.issue import KeyOrder
from keystore.plans import Plan
from keystore.recovery import restore_backup
from keystore.store import KeyStore
from vocabulary.errors import DatabaseError, UsageError

BY = {"actor": "ann", "reason": "a test"}


def restore(store, file):
    restore_backup(store.engine, file, now=1.0, revive=True, **BY)


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


def filled(store):
    """Something in many tables, and two keys of which one is revoked."""
    store.plans.put(Plan(id="gold", key_limits=("5/s",)), actor="ann")
    store.accounts.create("acme", Changes(plan="gold"), actor="ann")
    store.denials.deny(Denial(kind="jti", value="t"), actor="ann")
    kept = store.create(KeyOrder(account="acme", scopes=("a",)), **BY).key
    gone = store.create(KeyOrder(), **BY).key
    store.revoke(gone.id, **BY)
    with transaction(store.engine) as connection:
        deadletter = {"source": "s", "position": {}, "reason": "r", "raw": b"\0\xff", "at": 1.0}
        connection.execute(dead_letters.insert(), [deadletter])
    return kept, gone


@pytest.mark.service
def test_a_server_is_copied_to_a_file_and_brought_back(postgresql_url, clock, tmp_path):
    store = KeyStore(open_database(postgresql_url), clock)
    kept, gone = filled(store)
    backup(store.engine, tmp_path / "copy.db")
    assert (tmp_path / "copy.db").stat().st_mode & 0o777 == 0o600
    store.revoke(kept.id, **BY)
    with reading(store.engine) as connection:
        seen = feed.head(connection)
    restore(store, tmp_path / "copy.db")
    assert (store.get(kept.id).state, store.get(gone.id).state) == ("active", "revoked")
    with reading(store.engine) as connection:
        assert feed.news(connection, seen).key_ids is None
        assert audit.verify(connection).broken_at == 0
    again = store.denials.deny(Denial(kind="jti", value="u"), actor="ann")
    assert again.id == 2
    store.engine.dispose()


@pytest.mark.service
def test_a_file_moves_to_a_server_and_back(local, postgresql_url, clock, tmp_path):
    kept, gone = filled(local)
    backup(local.engine, tmp_path / "copy.db")
    server = KeyStore(open_database(postgresql_url), clock)
    restore(server, tmp_path / "copy.db")
    assert server.get_many([kept.id, gone.id]) == local.get_many([kept.id, gone.id])
    assert server.accounts.list() == local.accounts.list()
    backup(server.engine, tmp_path / "back.db")
    back = KeyStore(open_database(f"sqlite:///{tmp_path / 'back.db'}"), clock)
    assert back.list() == server.list()
    with reading(back.engine) as connection:
        assert audit.verify(connection).broken_at == 0
        raw = connection.execute(dead_letters.select()).mappings().one()["raw"]
    assert raw == b"\0\xff"
    for store in (server, back):
        store.engine.dispose()


@pytest.mark.service
def test_a_wrong_backup_changes_nothing_on_a_server(postgresql_url, tmp_path):
    store = KeyStore(open_database(postgresql_url))
    key = store.create(KeyOrder(), **BY).key
    junk(tmp_path / "wrong.db", tmp_path)
    with pytest.raises(DatabaseError):
        restore(store, tmp_path / "wrong.db")
    assert store.get(key.id) == key
    store.engine.dispose()
