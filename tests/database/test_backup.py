"""What there is in a database, what is wrong with it, and what is not copied."""

import sqlite3

import pytest

from database import migrate
from database.backup import backup, contents, problems
from database.transaction import HEAD, open_database
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from vocabulary.errors import UsageError


def test_rows_are_counted_of_what_has_any(database_url):
    engine = open_database(database_url)
    KeyStore(engine).create_many([KeyOrder()] * 3, actor="ann", reason="a test")
    counted = contents(engine)
    assert (counted["keys"], counted["changes"], counted["audit"]) == (3, 3, 3)
    assert "alerts" not in counted
    assert problems(engine) == []
    engine.dispose()


def test_a_row_that_refers_to_nothing_is_a_problem(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'k.db'}")
    with sqlite3.connect(tmp_path / "k.db") as connection:
        connection.execute(
            "INSERT INTO accounts (id, name, plan_id, created_at) VALUES ('a', '', 'none', 1)"
        )
    connection.close()
    assert problems(engine) == ["a row of accounts refers to no row of plans"]
    engine.dispose()


@pytest.mark.service
def test_a_server_of_an_older_schema_is_not_copied(postgresql_url, tmp_path):
    engine = open_database(postgresql_url)
    older = f"{int(HEAD) - 1:04}"
    migrate.back(engine, older)
    with pytest.raises(UsageError, match=older) as told:
        backup(engine, tmp_path / "copy.db")
    assert "keywatch db upgrade" in told.value.remedy
    assert list(tmp_path.iterdir()) == []
    engine.dispose()
