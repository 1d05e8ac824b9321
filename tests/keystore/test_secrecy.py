"""What must not be anywhere: a secret, once it was shown."""

import sqlite3

import pytest
from sqlalchemy import select

from database.schema import metadata
from database.transaction import open_database, reading
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from vocabulary.errors import DatabaseError

BY = {"actor": "ann", "reason": "a test"}


def test_no_byte_of_a_secret_is_in_the_files_of_the_database(local, tmp_path):
    secrets = [issued.secret for issued in local.create_many([KeyOrder()] * 20, **BY)]
    key = local.create(KeyOrder(name="found me"), **BY)
    secrets += [key.secret, local.rotate(key.key.id, **BY).secret]
    local.revoke(key.key.id, **BY)
    files = sorted(path for path in tmp_path.iterdir() if "keywatch.db" in path.name)
    assert [path.name for path in files] == ["keywatch.db", "keywatch.db-shm", "keywatch.db-wal"]
    held = b"".join(path.read_bytes() for path in files)
    assert b"found me" in held
    for secret in secrets:
        body = secret.split("_")[-1].encode()
        assert body not in held
        assert body[:12] not in held
        assert body[-12:] not in held


def test_no_row_of_any_table_holds_a_secret(store):
    issued = store.create(KeyOrder(), **BY)
    store.rotate(issued.key.id, **BY)
    with reading(store.engine) as connection:
        for table in metadata.sorted_tables:
            assert issued.secret[-20:] not in str(connection.execute(select(table)).all())


def test_ids_do_not_come_from_the_secret(local):
    issued = local.create_many([KeyOrder()] * 50, **BY)
    for each in issued:
        assert each.key.id[4:].lower() not in each.secret.lower()
        assert each.key.id[4:12] not in each.key.hash


def test_a_failing_statement_does_not_tell_its_values(local, tmp_path):
    issued = local.create(KeyOrder(owner="somebody private"), **BY)
    blocker = sqlite3.connect(tmp_path / "keywatch.db")
    blocker.execute("DROP TABLE audit")
    blocker.close()
    with pytest.raises(DatabaseError) as told:
        local.create(KeyOrder(owner="somebody private"), **BY)
    chain = [told.value, told.value.__cause__]
    assert all("somebody private" not in str(error) + repr(error) for error in chain)
    assert all(issued.key.hash not in str(error) for error in chain)


def test_the_file_is_for_its_owner_alone(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'new.db'}")
    KeyStore(engine).create(KeyOrder(), **BY)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"new.db": 0o600, "new.db-wal": 0o600, "new.db-shm": 0o600}
    engine.dispose()
