"""`keywatch keys forget`: nothing personal of a key is left, and the log is proven all the same."""

import json

import pytest
from click.testing import CliRunner
from sqlalchemy import select, update

from database.schema import audit as log
from database.schema import findings, metadata, profiles
from database.transaction import open_database, reading, transaction
from keystore import audit, denials
from keystore.accounts import Changes
from keystore.issue import KeyOrder
from keystore.unregistered import name_of_secret
from keystore.usage import Use, record
from keywatch.cli import keywatch
from keywatch.forgetting import forget, forget_account, forget_again
from tests.actions.desk import Desk, alert_about
from tests.databases import let_change
from vocabulary.errors import KeyNotFoundError, KeyStoreError, TransitionError

BY = {"actor": "dpo", "reason": "request 17"}
MARY = "mary@example.com"


@pytest.fixture
def desk(database_url):
    engine = open_database(database_url)
    yield Desk(engine)
    engine.dispose()


def lived(desk, **order):
    """Make a key that has all that a key can leave behind, and end it."""
    key_id = desk.key(owner=MARY, name=f"the key of {MARY}", **order)
    desk.store.throttle(key_id, per_min=5, actor="ann", reason=f"{MARY} asked for it")
    desk.answer(alert_about(key_id, severity="critical", summary=f"stolen from {MARY}"))
    leave(desk, key_id)
    desk.store.revoke(key_id, actor="ann", reason=f"{MARY} has left")
    return key_id


def leave(desk, key_id):
    """Write what the pipeline writes of a key."""
    use = Use(key_id, 3600 * 480_000, "GET", 2, "203.0.113.0/24", 7)
    with transaction(desk.engine) as connection:
        record(connection, [use], {key_id: desk.now}, desk.now)
        seen = {"first_seen_at": 1.0, "last_seen_at": 1.0, "body": {"author": MARY}}
        connection.execute(findings.insert(), [{"fingerprint": "f", "key_id": key_id, **seen}])
        row = {"key_id": key_id, "version": 1, "as_of": 1, "data": b"habits"}
        connection.execute(profiles.insert(), [row])


def held(desk):
    """Return all rows of all tables, as text."""
    with reading(desk.engine) as connection:
        return {
            table.name: str(connection.execute(select(table)).all())
            for table in metadata.sorted_tables
        }


def verified(desk):
    with reading(desk.engine) as connection:
        return audit.verify(connection)


def test_nothing_personal_is_left_in_any_table_and_the_log_is_proven(desk):
    key_id = lived(desk)
    before = verified(desk)
    assert MARY in "".join(held(desk).values())
    rows = forget(desk.store, key_id, **BY)
    after = held(desk)
    assert MARY not in "".join(after.values())
    assert "203.0.113" not in "".join(after.values())
    assert {name for name, text in after.items() if key_id in text} == {"audit", "changes"}
    proven = verified(desk)
    assert (proven.rows, proven.broken_at, proven.erased) == (before.rows + 1, 0, rows)
    assert rows >= 4
    with reading(desk.engine) as connection:
        assert audit.verify(connection, {before.rows: before.head}).broken_at == 0
        told = [(row.actor, row.verb) for row in audit.rows_of(connection, key_id)]
    assert told[:2] == [("ann", "create"), ("ann", "throttle")]
    assert told[-1] == ("dpo", "forget")


def test_no_byte_is_left_in_the_files(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path}/keywatch.db")
    desk = Desk(engine)
    key_id = lived(desk)
    assert MARY.encode() in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    forget(desk.store, key_id, **BY)
    assert MARY.encode() not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    engine.dispose()


@pytest.mark.parametrize(
    "change", [{"actor": "bob"}, {"verb": "restore"}, {"at": 1.0}, {"subject": "key_other"}]
)
def test_what_is_left_of_an_erased_row_cannot_be_changed(desk, change):
    forget(desk.store, lived(desk), **BY)
    with transaction(desk.engine) as connection:
        let_change(connection)
        connection.execute(update(log).where(log.c.seq == 2).values(change))
    assert verified(desk).broken_at == 2


def test_words_that_are_gone_without_a_row_that_says_so_are_told(desk):
    key_id = lived(desk)
    with transaction(desk.engine) as connection:
        gone = {"reason": "", "details": audit.ERASED}
        connection.execute(update(log).where(log.c.seq == 2).values(gone))
    proven = verified(desk)
    assert (proven.rows, proven.broken_at) == (1, 2)
    forget(desk.store, key_id, **BY)
    assert verified(desk).broken_at == 2


def test_a_key_that_works_is_forgotten_with_force_alone(desk):
    key_id = desk.key(owner=MARY)
    with pytest.raises(TransitionError, match="may still be used"):
        forget(desk.store, key_id, **BY)
    assert desk.store.get(key_id).owner == MARY
    forget(desk.store, key_id, **BY, force=True)
    with pytest.raises(KeyNotFoundError):
        forget(desk.store, key_id, **BY, force=True)


def test_a_key_of_another_store_is_revoked_there_first(desk):
    key_id = desk.key(owner=MARY, store="kong", external_id="7")
    with pytest.raises(TransitionError, match="lives in the store kong"):
        forget(desk.store, key_id, **BY, force=True)
    desk.store.revoke(key_id, actor="ann")
    forget(desk.store, key_id, **BY)


def test_the_secret_of_a_proven_leak_stays_refused(desk):
    for number, is_leaked in enumerate((True, False)):
        issued = desk.store.create_many([KeyOrder(owner=str(number))], actor="ann")[0]
        if is_leaked:
            desk.store.mark_leak_proven(issued.key.id, actor="ann")
        desk.store.revoke(issued.key.id, actor="ann")
        forget(desk.store, issued.key.id, **BY)
        with reading(desk.engine) as connection:
            found = denials.DenyList(denials.snapshot(connection, desk.now))
        name = name_of_secret(issued.secret.encode())
        assert (found.credential([name], desk.now) is not None) is is_leaked


def test_what_comes_late_of_a_forgotten_key_is_forgotten_again(desk):
    key_id = lived(desk)
    forget(desk.store, key_id, **BY)
    leave(desk, key_id)
    desk.answer(alert_about(key_id, number="2", summary=f"{MARY} again"))
    with transaction(desk.engine) as connection:
        forget_again(connection)
    assert MARY not in held(desk)["alerts"] + held(desk)["findings"]
    assert key_id not in held(desk)["profiles"] + held(desk)["usage"]


def test_an_account_is_forgotten_with_its_keys_and_the_log_is_proven(desk):
    store = desk.store
    wanted = Changes(name=MARY, owner=MARY, organisation="group")
    store.accounts.create("acme", wanted, actor="ann", reason=f"{MARY} asked")
    store.accounts.create("other", Changes(organisation="rest"), actor="ann")
    working = desk.key(owner=MARY, account="acme")
    lived(desk, account="acme")
    with pytest.raises(TransitionError, match="belongs to the account"):
        forget_account(store, "acme", **BY)
    assert store.get(working).account_id == "acme"
    gone = forget_account(store, "acme", **BY, force=True)
    assert gone.keys == 2
    after = held(desk)
    assert MARY not in "".join(after.values())
    assert "group" not in after["organisations"]
    assert "rest" in after["organisations"]
    proven = verified(desk)
    assert (proven.broken_at, proven.erased) == (0, gone.rows)
    with pytest.raises(KeyStoreError, match="no account"):
        forget_account(store, "acme", **BY)


def test_nothing_is_forgotten_of_an_account_with_a_key_of_another_store(desk):
    desk.store.accounts.create("acme", Changes(owner=MARY), actor="ann")
    ours = desk.key(account="acme")
    desk.key(account="acme", store="kong", external_id="7")
    with pytest.raises(TransitionError, match="lives in the store kong"):
        forget_account(desk.store, "acme", **BY, force=True)
    assert desk.store.get(ours).state == "active"
    assert desk.store.accounts.get("acme").owner == MARY


def test_the_command_says_what_it_did(tmp_path):
    desk = Desk(open_database(f"sqlite:///{tmp_path}/here.db"))
    key_id = lived(desk)

    def call(*words):
        return CliRunner().invoke(keywatch, ["--database", str(desk.engine.url), *words])

    said = json.loads(call("keys", "forget", key_id, "--json").stdout)
    assert said["id"] == key_id
    assert said["audit_rows_erased"] >= 4
    assert call("keys", "show", key_id).exit_code != 0
    assert f"the words of {said['audit_rows_erased']} erased" in call("audit", "verify").stdout
    desk.engine.dispose()
