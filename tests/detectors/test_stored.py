"""Which keys have a stored profile: never forgotten, nearly never invented, in bounded memory."""

import pytest
from sqlalchemy import insert

from database.schema import profiles
from database.transaction import reading, transaction
from detectors import stored
from detectors.stored import StoredKeys
from tests.databases import open_empty

KEPT = [f"key_{n}" for n in range(0, 40_000, 2)]
NEVER_SEEN = [f"key_{n}" for n in range(1, 40_000, 2)]


@pytest.fixture(scope="module")
def connection(tmp_path_factory):
    engine = open_empty(f"sqlite:///{tmp_path_factory.mktemp('stored') / 'k.db'}")
    rows = [{"key_id": key, "version": 1, "as_of": 0, "data": b""} for key in KEPT[:10_000]]
    with transaction(engine) as connection:
        connection.execute(insert(profiles), rows)
    with reading(engine) as connection:
        yield connection
    engine.dispose()


@pytest.fixture
def keys(connection):
    """Keys of which half are in the table, and half were added since."""
    keys = StoredKeys()
    keys.among(connection, [""] * (stored.MANY + 1))
    keys.add(KEPT[10_000:])
    return keys


def test_every_stored_key_is_asked_for(connection, keys):
    assert keys.among(connection, KEPT) == KEPT


def test_no_other_is_while_there_is_room(connection, keys):
    assert keys.among(connection, NEVER_SEEN) == []


def test_a_full_filter_asks_more_and_forgets_none(connection, monkeypatch):
    monkeypatch.setattr(stored, "BITS", 1 << 15)
    keys = StoredKeys()
    keys.among(connection, [""] * (stored.MANY + 1))
    keys.add(KEPT[10_000:])
    assert keys.among(connection, KEPT) == KEPT


def test_a_few_are_asked_for_without_reading_all(connection):
    assert StoredKeys().among(connection, NEVER_SEEN[:9]) == NEVER_SEEN[:9]
