"""Lists of values in conditions: whole, and of few statements."""

import pytest
from sqlalchemy import event, insert, select

from database.listed import among
from database.schema import endpoint_names, keys
from database.transaction import open_database, reading, transaction
from detectors import endpoints
from keystore.issue import KeyOrder
from keystore.store import KeyStore


def test_whatever_the_length_of_a_list_just_its_values_are_found(database_url):
    engine = open_database(database_url)
    numbers = range(1, 2101)
    with transaction(engine) as connection:
        rows = [{"number": number, "name": f"/{number}"} for number in numbers]
        connection.execute(insert(endpoint_names), rows)
    with reading(engine) as connection:
        for length in (*range(10), 1023, 1024, 1025, 2100):
            assert sorted(endpoints.load(connection, numbers[:length])) == [*numbers[:length]]
        assert endpoints.load(connection, [5, 5, 9999]) == {5: "/5"}
    engine.dispose()


@pytest.mark.parametrize(("most", "step"), [(1024, 1024), (10_000, 1024)])
def test_a_list_is_hardly_longer_than_its_values(most, step):
    told = among(keys.c.id, [str(number) for number in range(most)]).right.value
    assert len(set(told)) == most
    assert len(told) - most < step


def test_lists_of_many_lengths_share_a_dozen_statements(engine):
    store = KeyStore(engine)
    issued = store.create_many([KeyOrder()] * 70, actor="test")
    asked = [store.credential(one.secret) for one in issued]
    statements = set()
    event.listen(engine, "before_cursor_execute", lambda *told: statements.add(told[2]))
    for length in range(1, len(asked) + 1):
        found = store.find(asked[:length])
        assert [one.key_id for one in found] == [one.key.id for one in issued[:length]]
    assert len([said for said in statements if "FROM keys" in said]) < 12
    with reading(engine) as connection:
        assert len(connection.execute(select(keys.c.id)).all()) == len(issued)
