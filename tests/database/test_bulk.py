"""Many rows at once, on every database."""

from sqlalchemy import select

from database import bulk
from database.schema import profiles
from database.transaction import open_database, reading, transaction


def test_rows_are_inserted_and_written_over(database_url):
    engine = open_database(database_url)
    with transaction(engine) as connection:
        bulk.replace(connection, profiles, [])
        bulk.replace(connection, profiles, [("a", 1, 1, b"one"), ("b", 1, 1, b"two")])
        bulk.replace(connection, profiles, [("b", 2, 3, b"\0three"), ("c", 1, 1, b"")])
    with reading(engine) as connection:
        rows = connection.execute(select(*profiles.c).order_by(profiles.c.key_id)).all()
    assert [(key, version, as_of, bytes(data)) for key, version, as_of, data in rows] == [
        ("a", 1, 1, b"one"),
        ("b", 2, 3, b"\0three"),
        ("c", 1, 1, b""),
    ]
    engine.dispose()
