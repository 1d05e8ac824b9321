import pytest
from sqlalchemy import delete, func, insert, select, text, update

from database.schema import audit as table
from database.transaction import reading, transaction
from keystore import audit
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from tests.databases import let_change
from vocabulary.errors import DatabaseError

BY = {"actor": "ann", "reason": "a test"}


@pytest.fixture
def filled(store: KeyStore) -> KeyStore:
    """A store with ten rows in its log."""
    key = store.create(KeyOrder(scopes=("r",)), **BY).key
    for number in range(1, 10):
        store.throttle(key.id, per_min=number, **BY)
    return store


def verified(store: KeyStore, noted=None) -> audit.Verification:
    with reading(store.engine) as connection:
        return audit.verify(connection, noted)


def tampered(store: KeyStore, statement) -> audit.Verification:
    with transaction(store.engine) as connection:
        let_change(connection)
        connection.execute(statement)
    return verified(store)


@pytest.mark.parametrize(
    "change",
    [
        update(table).where(table.c.seq == 4).values(actor="bob"),
        update(table).where(table.c.seq == 4).values(reason="", details=audit.ERASED, at=1.0),
        update(table).where(table.c.seq == 4).values(reason="", details={"erased": True, "n": 1}),
        update(table).where(table.c.seq == 10).values(seq=11),
        delete(table).where(table.c.seq == 10),
        delete(table),
    ],
)
def test_the_database_itself_refuses_to_change_the_log(filled, change):
    with pytest.raises(DatabaseError, match="never changed"), transaction(filled.engine) as writing:
        writing.execute(change)
    assert verified(filled).rows == 10


def test_the_log_is_neither_emptied_nor_replaced_row_by_row(filled):
    with reading(filled.engine) as connection:
        row = connection.execute(select(table).where(table.c.seq == 4)).mappings().one()
    emptied = text("TRUNCATE audit")
    if filled.engine.dialect.name == "sqlite":
        emptied = insert(table).prefix_with("OR REPLACE").values({**row, "actor": "bob"})
    with pytest.raises(DatabaseError, match="never changed"), transaction(filled.engine) as writing:
        writing.execute(emptied)
    assert verified(filled).rows == 10


def test_an_honest_log_is_proven(filled):
    proven = verified(filled)
    assert (proven.rows, proven.broken_at) == (10, 0)
    assert len(proven.head) == 64


def test_an_empty_log_is_proven(store):
    assert verified(store) == audit.Verification(0, audit.START)


@pytest.mark.parametrize(
    "change",
    [
        {"at": 1.0},
        {"actor": "bob"},
        {"verb": "restore"},
        {"subject": "key_other"},
        {"reason": "another"},
        {"details": {"is": {}, "was": {}}},
        {"hash": "f" * 64},
        {"previous_hash": "f" * 64},
    ],
)
def test_a_changed_row_is_told(filled, change):
    proven = tampered(filled, update(table).where(table.c.seq == 4).values(change))
    assert (proven.rows, proven.broken_at) == (3, 4)
    assert proven.why


def test_a_missing_row_is_told(filled):
    assert tampered(filled, delete(table).where(table.c.seq == 4)).broken_at == 4


def test_a_missing_first_row_is_told(filled):
    assert tampered(filled, delete(table).where(table.c.seq == 1)).broken_at == 1


def test_rows_that_changed_places_are_told(filled):
    moved = update(table).where(table.c.seq.in_([4, 5]))
    # by way of numbers that are free
    tampered(filled, moved.values(seq=table.c.seq + 100))
    back = update(table).where(table.c.seq > 100).values(seq=109 - table.c.seq)
    assert tampered(filled, back).broken_at == 4


def test_a_changed_row_with_a_new_seal_breaks_the_next(filled):
    with reading(filled.engine) as connection:
        row = audit.rows_of(connection, filled.list()[0].id)[3]
    forged = audit.Entry(row.at, "bob", row.verb, row.subject, row.reason, row.details)
    values = {"actor": "bob", "hash": audit.seal(4, forged, row.previous_hash)}
    proven = tampered(filled, update(table).where(table.c.seq == 4).values(values))
    assert proven.broken_at == 5


def test_a_row_in_between_is_told(filled):
    with reading(filled.engine) as connection:
        row = connection.execute(select(table).where(table.c.seq == 10)).mappings().one()
    proven = tampered(filled, insert(table).values(dict(row) | {"seq": 11}))
    assert proven.broken_at == 11


def test_a_log_that_was_cut_off_shows_against_a_noted_head(filled):
    noted = {10: verified(filled).head}
    assert verified(filled, noted).broken_at == 0
    proven = tampered(filled, delete(table).where(table.c.seq == 10))
    assert proven.broken_at == 0
    assert verified(filled, noted).broken_at == 10


def test_a_log_rewritten_from_its_start_shows_against_a_noted_head(filled):
    noted = {5: "0" * 64}
    assert verified(filled, noted).broken_at == 5


def test_what_is_sealed_is_what_is_read_back(filled):
    with reading(filled.engine) as connection:
        rows = list(audit.rows_since(connection, 8))
        count = connection.execute(select(func.count()).select_from(table)).scalar_one()
    assert [row.seq for row in rows] == [9, 10]
    assert count == 10
    assert rows[0].details == {
        "was": {"throttle_per_min": 7},
        "is": {"throttle_per_min": 8},
    }


def test_erasing_the_words_of_nobody_is_said_all_the_same(filled):
    said = audit.Entry(1.0, "ann", audit.FORGET, "key_none", "asked to")
    with transaction(filled.engine) as connection:
        assert audit.erase(connection, ["key_none"], said) == 0
    assert (verified(filled).rows, verified(filled).erased) == (11, 0)
