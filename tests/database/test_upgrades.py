"""Rows in every table of every older schema, brought to the newest one."""

from hashlib import sha256
from pathlib import Path

import pytest
from sqlalchemy import MetaData, insert, select

import database
from actions.casebook import list_incidents
from database import migrate
from database.engine import engine_of, sqlite_file
from database.schema import metadata
from database.transaction import HEAD, reading, revision, transaction, upgrade
from keystore import audit
from keystore.keys import KeyState
from keystore.store import KeyStore
from keywatch.people import tokens, users

VERSIONS = Path(database.__file__).parent / "migrations" / "versions"
OLDER = sorted(path.name.split("_")[0] for path in VERSIONS.glob("*.py"))[:-1]

KEY = {
    "kind": "key",
    "hash": sha256(b"a key").hexdigest(),
    "pepper_id": "",
    "prefix": "sk",
    "environment": "live",
    "state": "active",
    "previous_state": "",
    "scopes": ["orders:read"],
    "declared": {},
    "expires_at": 4e9,
    "rotated_to": None,
    "grace_until": None,
    "throttle_per_min": None,
    "suspended_until": None,
}
CASE = {"severity": "high", "state": "open", "decision": {}, "action": "none"}
SPECIAL = {
    "keys": KEY,
    "incidents": CASE,
    "users": {"role": "viewer", "name": "ada"},
    "api_tokens": {"scopes": ["keys:read"], "revoked_at": None, "expires_at": None},
}
"""What the program must be able to read again; the other columns hold whatever fits."""


def any_value(table, column):
    kind = column.type.python_type
    if column.foreign_keys:
        (key,) = column.foreign_keys
        return SPECIAL.get(key.column.table.name, {}).get("name", f"{key.column.table.name}-id")
    if kind is str:
        return f"{table.name}-{column.name}"
    samples = {bool: False, int: 7, float: 1.5, bytes: b"\x00\xff"}
    return samples.get(kind, [])


def fill(engine):
    """Put a row into every table but the log; return all of them."""
    found = MetaData()
    found.reflect(engine)
    rows = {}
    with transaction(engine) as connection:
        for table in found.sorted_tables:
            if table.name in ("alembic_version", "audit"):
                continue
            special = SPECIAL.get(table.name, {})
            row = {c.name: special.get(c.name, any_value(table, c)) for c in table.columns}
            connection.execute(insert(table), [row])
            rows[table.name] = row
        audit.append(connection, [audit.Entry(1.0, "ann", "create", "keys-id", "why", {})])
    return rows


@pytest.fixture(scope="module")
def ladder(tmp_path_factory) -> dict[str, bytes]:
    """Return an SQLite file of every older schema: each made from the one before."""
    file = tmp_path_factory.mktemp("ladder") / "keywatch.db"
    files = {}
    for old in OLDER:
        engine = engine_of(f"sqlite:///{file}")
        migrate.run(engine, old)
        engine.dispose()
        files[old] = file.read_bytes()
    return files


@pytest.fixture
def engine(database_url, old, ladder):
    made = engine_of(database_url)
    if made.dialect.name == "sqlite":
        sqlite_file(made).write_bytes(ladder[old])
    else:
        migrate.back(made, old)
    yield made
    made.dispose()


@pytest.mark.parametrize("old", OLDER)
def test_rows_of_an_older_schema_come_along(engine, old):
    assert revision(engine, "here") == old
    rows = fill(engine)
    assert {"keys", "alerts", "outbox", "positions"} <= set(rows)

    upgrade(engine, "here")

    assert revision(engine, "here") == HEAD
    with reading(engine) as connection:
        for name, row in rows.items():
            columns = [metadata.tables[name].c[column] for column in row]
            assert [dict(r) for r in connection.execute(select(*columns)).mappings()] == [row]
        assert audit.verify(connection).rows == 1
        assert [one["id"] for one in list_incidents(connection)] == ["incidents-id"]
        if "users" in rows:
            assert users.get(connection, "ada").role == "viewer"
            owner = rows["api_tokens"].get("owner")  # none before tokens had one
            assert [one.owner for one in tokens.listed(connection)] == [owner]
    key = KeyStore(engine).get("keys-id")
    assert (key.state, key.hash, key.scopes) == (KeyState.ACTIVE, KEY["hash"], ("orders:read",))
