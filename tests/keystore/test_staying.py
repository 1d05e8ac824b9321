"""Going back to a backup lets nobody in again who was let out since."""

import pytest
from sqlalchemy import func, insert, select, text

from database.backup import backup
from database.engine import engine_of
from database.schema import api_tokens, sessions, users
from database.transaction import reading, transaction
from keystore import audit
from keystore.denials import Denial
from keystore.forgetting import forget
from keystore.identities import Client
from keystore.issue import KeyOrder
from keystore.recovery import restore_backup
from keystore.store import KeyStore
from vocabulary.credential import credential_of

BY = {"actor": "ann", "reason": "a test"}
USER = {"name": "eve", "role": "admin", "hash": "old", "origin": "", "disabled": False}
TOKEN = {"id": "tok_1", "hash": "h", "name": "robot", "scopes": ["keys:read"], "made_by": "eve"}


def go_back(store, file, **more):
    return restore_backup(store.engine, file, now=store.clock(), **BY, **more)


@pytest.fixture
def stale(store, tmp_path):
    """A backup; everything in it has been ended since."""
    keys = {name: store.create(KeyOrder(), **BY) for name in ("revoked", "leaked", "held", "gone")}
    keys["client"] = store.identities.register_client(Client("app"), KeyOrder(), **BY)
    with transaction(store.engine) as connection:
        connection.execute(insert(users), [USER | {"created_at": 1.0}])
        connection.execute(insert(api_tokens), [TOKEN | {"created_at": 1.0}])
        now = store.clock()
        row = {"hash": "cookie", "name": "eve", "created_at": now, "seen_at": now}
        connection.execute(insert(sessions), [row])
    backup(store.engine, tmp_path / "copy.db")
    store.revoke(keys["revoked"].key.id, **BY)
    store.mark_leak_proven(keys["leaked"].key.id, **BY)
    store.suspend(keys["held"].key.id, until=store.clock() + 60.0, **BY)
    store.identities.renew_secret(keys["client"].key.id, **BY)
    store.denials.deny(Denial(kind="jti", value="stolen"), actor="ann")
    with transaction(store.engine) as connection:
        forget(connection, keys["gone"].key.id, **BY, now=store.clock(), force=True)
        connection.execute(users.update().values(role="viewer", hash="new", disabled=True))
        connection.execute(api_tokens.update().values(revoked_at=9.0))
    return tmp_path / "copy.db", keys


def test_what_was_ended_since_a_backup_stays_ended(store, stale):
    file, keys = stale
    assert go_back(store, file) == 5
    states = store.get_many(one.key.id for one in keys.values())
    assert states[keys["revoked"].key.id].state == "revoked"
    assert states[keys["leaked"].key.id].leak_proven
    assert states[keys["held"].key.id].is_suspended(store.clock())
    assert keys["gone"].key.id not in states
    assert store.find([credential_of(keys["client"].secret)]) == [None]
    assert [one.value for one in store.denials.list()] == ["stolen"]
    with reading(store.engine) as connection:
        person = connection.execute(select(users.c.role, users.c.hash, users.c.disabled)).one()
        assert tuple(person) == ("viewer", "new", True)
        assert connection.scalar(select(api_tokens.c.revoked_at)) == 9.0
        assert connection.scalar(select(func.count()).select_from(sessions)) == 0
        assert audit.verify(connection).broken_at == 0


def test_a_key_that_stays_revoked_is_restored_to_what_the_backup_has(store, stale):
    file, keys = stale
    go_back(store, file)
    key_id = keys["revoked"].key.id
    assert store.restore(key_id, **BY).state == "active"


def test_all_is_as_it_was_where_that_is_wanted(store, stale):
    file, keys = stale
    assert go_back(store, file, revive=True) == 0
    assert store.get(keys["revoked"].key.id).state == "active"
    assert store.get(keys["gone"].key.id).state == "active"


@pytest.mark.parametrize(("version", "kept"), [("0001", None), ("", 0)], ids=["older", "new"])
def test_a_database_that_cannot_be_asked_is_told_of(local, tmp_path, version, kept):
    local.create(KeyOrder(), **BY)
    backup(local.engine, tmp_path / "copy.db")
    if version:
        with transaction(local.engine) as connection:
            connection.execute(text("UPDATE alembic_version SET version_num = :v"), {"v": version})
    else:
        local = KeyStore(engine_of(f"sqlite:///{tmp_path / 'fresh.db'}"))
    assert go_back(local, tmp_path / "copy.db") == kept
    local.engine.dispose()
