import shutil
import sqlite3
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Column, MetaData, String, Table, inspect, text

import database
from database import migrate, new_revision
from database.engine import engine_of
from database.schema import metadata
from database.schema.keeping import is_kept
from database.transaction import HEAD, open_database, reading, revision, transaction, upgrade
from keystore import audit, identities
from keystore.issue import KeyOrder
from keystore.keys import Kind
from keystore.store import KeyStore
from vocabulary.errors import DatabaseError

OLDER = f"{int(HEAD) - 1:04}"
VERSIONS = Path(database.__file__).parent / "migrations" / "versions"


@pytest.fixture
def engine(database_url):
    opened = open_database(database_url)
    yield opened
    opened.dispose()


def tables(engine) -> set[str]:
    return set(inspect(engine).get_table_names())


def test_head_is_the_newest_file():
    assert max(VERSIONS.glob("*.py")).name.split("_")[0] == HEAD


@pytest.fixture
def migrated(database_url):
    made = engine_of(database_url)
    migrate.run(made)
    yield made
    made.dispose()


def shape(engine) -> dict[str, tuple[object, ...]]:
    """Return all that a database says of its tables, in an order that does not matter."""
    told = inspect(engine)
    return {
        name: (
            told.get_pk_constraint(name),
            *(
                sorted(map(str, asked(name)))
                for asked in (
                    told.get_columns, told.get_indexes, told.get_foreign_keys,
                    told.get_unique_constraints, told.get_check_constraints,
                )
            ),
        )
        for name in told.get_table_names()
    }  # fmt: skip


def triggers(engine) -> list[str]:
    """Return the statements that made an SQLite file's triggers."""
    made = text("SELECT sql FROM sqlite_master WHERE type = 'trigger' ORDER BY name")
    with engine.connect() as connection:
        return list(connection.execute(made).scalars())


def test_the_migrations_make_what_the_schema_says(migrated):
    with migrated.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


def test_what_is_made_at_once_is_what_the_migrations_make(tmp_path):
    at_once = open_database(f"sqlite:///{tmp_path / 'at-once.db'}")
    step_by_step = engine_of(f"sqlite:///{tmp_path / 'step-by-step.db'}")
    migrate.run(step_by_step)
    assert revision(at_once, "here") == revision(step_by_step, "here") == HEAD
    plain = [str(shape(one)).replace("\"('')\"", "\"''\"") for one in (at_once, step_by_step)]
    assert plain[0] == plain[1]
    assert triggers(at_once) == triggers(step_by_step) != []
    step_by_step.dispose()
    at_once.dispose()


def test_a_database_with_data_goes_down_and_up(engine):
    store = KeyStore(engine)
    key = store.create(KeyOrder(owner="o", account="a"), actor="x", reason="y").key
    store.rotate(key.id, actor="x", reason="y")
    assert tables(engine) == set(metadata.tables) | {"alembic_version"}
    migrate.back(engine, "base")
    assert tables(engine) == {"alembic_version"}
    assert revision(engine, "here") == ""
    upgrade(engine, "here")
    assert revision(engine, "here") == HEAD
    assert store.list() == []
    assert store.create(KeyOrder(), actor="x", reason="y").key.change_seq == 1


def test_an_older_schema_lets_the_audit_log_change_and_the_newest_does_not(engine):
    KeyStore(engine).create(KeyOrder(), actor="x", reason="y")
    change = metadata.tables["audit"].update().values(actor="nobody")
    migrate.back(engine, "0016")
    with transaction(engine) as connection:
        connection.execute(change)
        assert not is_kept(connection)
    upgrade(engine, "here")
    with reading(engine) as connection:
        assert is_kept(connection)
    with pytest.raises(DatabaseError, match="never changed"), transaction(engine) as connection:
        connection.execute(change)


def test_upgrading_twice_is_upgrading_once(engine):
    key = KeyStore(engine).create(KeyOrder(), actor="x", reason="y").key
    migrate.run(engine)
    upgrade(engine, "here")
    assert KeyStore(engine).get(key.id) == key


def test_no_column_is_named_after_a_secret(engine):
    names = {f"{t.name}.{c.name}" for t in metadata.sorted_tables for c in t.columns}
    assert not [name for name in names if "secret" in name or "password" in name]


def test_a_reader_sees_one_moment(engine):
    store = KeyStore(engine)
    with reading(engine) as connection:
        before = connection.execute(metadata.tables["keys"].select()).all()
        store.create(KeyOrder(), actor="x", reason="y")
        assert connection.execute(metadata.tables["keys"].select()).all() == before
    assert len(store.list()) == 1


def test_data_of_an_older_schema_comes_along_and_goes_back(engine):
    store = KeyStore(engine)
    kept = store.create(KeyOrder(owner="o", account="a", scopes=("s",)), actor="x", reason="y").key
    migrate.back(engine, "0001")
    upgrade(engine, "here")
    assert store.get(kept.id) == kept
    with reading(engine) as connection:
        assert audit.verify(connection).broken_at == 0


def test_nobody_gains_by_going_back(engine):
    store = KeyStore(engine)
    by = {"actor": "x", "reason": "y"}
    narrowed = store.create(KeyOrder(networks=("10.0.0.0/8",)), **by).key
    plain = store.create(KeyOrder(), **by).key
    with transaction(engine) as connection:
        name = identities.Name(Kind.CERTIFICATE, "dns:api.example")
        identities.register(connection, name, KeyOrder(), **by, now=1.0)
    migrate.back(engine, "0001")
    upgrade(engine, "here")
    assert {key.id: key.suspended for key in store.list()} == {narrowed.id: True, plain.id: False}


def test_a_new_revision_holds_what_the_schema_has_beyond_the_newest(tmp_path, monkeypatch):
    folder = shutil.copytree(migrate.MIGRATIONS, tmp_path / "migrations")
    with monkeypatch.context() as patched:
        grown = MetaData()
        for table in metadata.sorted_tables:
            table.to_metadata(grown)
        Table("notes", grown, Column("text", String, nullable=False))
        patched.setattr("database.schema.metadata", grown)
        new_revision.main("9998", "notes of people", folder)
    new_revision.main("9999", "nothing", folder)
    engine = engine_of(f"sqlite:///{tmp_path / 'k.db'}")
    command.upgrade(migrate.configuration(engine, folder), "9998")
    assert tables(engine) == {*metadata.tables, "alembic_version", "notes"}
    command.downgrade(migrate.configuration(engine, folder), HEAD)
    assert tables(engine) == {*metadata.tables, "alembic_version"}
    engine.dispose()
    undone = (folder / "versions" / "9999_nothing.py").read_text()
    assert 'down_revision = "9998"' in undone.replace("'", '"')
    assert 'op.drop_table("notes")' in undone.replace("'", '"')


@pytest.mark.parametrize("older", ["0002", OLDER])
def test_a_migration_that_would_leave_a_reference_to_nothing_is_not_done(tmp_path, older):
    engine = engine_of(f"sqlite:///{tmp_path / 'k.db'}")
    migrate.run(engine, older)
    with sqlite3.connect(tmp_path / "k.db") as connection:
        connection.execute(
            "INSERT INTO accounts (id, name, plan_id, created_at) VALUES ('a', '', 'none', 1)"
        )
    connection.close()
    with pytest.raises(DatabaseError, match="accounts refers to no row of plans"):
        upgrade(engine, "here")
    assert revision(engine, "here") == older
    engine.dispose()
