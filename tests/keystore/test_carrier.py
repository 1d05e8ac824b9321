"""Another store follows ours; it is a table in a real database."""

import pytest
from sqlalchemy import text

from database.transaction import open_database, transaction
from keystore import adapters
from keystore.carrier import Carrier
from keystore.issue import KeyOrder, Origin
from keystore.keys import PUBLIC_ID
from vocabulary.errors import ServiceError

BY = {"actor": "ann", "reason": "a test"}
OPTIONS = {
    "name": "theirs", "type": "sql", "table": "t", "id_column": "id", "state_column": "state",
    "hash_column": "hash", "throttle_column": "per_min",
}  # fmt: skip


class Flaky:
    """Their store behind a line that can be cut."""

    def __init__(self, adapter):
        self.adapter, self.is_cut, self.calls = adapter, False, []

    def __getattr__(self, verb):
        def call(*arguments):
            self.calls.append(verb)
            if self.is_cut:
                raise ServiceError("cut")
            return getattr(self.adapter, verb)(*arguments)

        return call


class Pair:
    def __init__(self, store, clock, theirs):
        self.store, self.clock, self.theirs = store, clock, theirs
        url = theirs.url.render_as_string(hide_password=False)
        self.line = Flaky(adapters.make({**OPTIONS, "url": url}))

    def add(self, number, account=None):
        with transaction(self.theirs) as connection:
            connection.execute(
                text("INSERT INTO t VALUES (:n, :h, 'active', NULL)"),
                {"n": f"k{number}", "h": f"{number:064x}"},
            )
        order = KeyOrder(store="theirs", external_id=f"k{number}", account=account or "")
        return self.store.adopt(order, Origin(f"{number:064x}", PUBLIC_ID), **BY).id

    def turn(self):
        return Carrier(self.store.engine, "theirs", self.line).turn(self.clock.now)

    def there(self, number):
        with self.theirs.connect() as connection:
            query = text("SELECT state, per_min FROM t WHERE id = :n")
            return tuple(connection.execute(query, {"n": f"k{number}"}).one())


@pytest.fixture
def pair(store, clock, tmp_path):
    theirs = open_database(f"sqlite:///{tmp_path / 'theirs.db'}")
    with transaction(theirs) as connection:
        connection.execute(text("CREATE TABLE t (id TEXT, hash TEXT, state TEXT, per_min INTEGER)"))
    yield Pair(store, clock, theirs)
    theirs.dispose()


def test_what_is_done_here_is_done_there(pair):
    one, two = pair.add(1), pair.add(2)
    pair.turn()
    pair.store.revoke(one, **BY)
    pair.store.throttle(two, per_min=30, **BY)
    assert set(pair.turn().carried) == {one, two}
    assert (pair.there(1), pair.there(2)) == (("revoked", None), ("active", 30))
    pair.store.restore(one, **BY)
    pair.store.unthrottle(two, **BY)
    pair.turn()
    assert (pair.there(1), pair.there(2)) == (("active", None), ("active", None))


def test_nothing_new_asks_nobody(pair):
    pair.store.revoke(pair.add(1), **BY)
    pair.turn()
    pair.line.calls.clear()
    pair.store.create(KeyOrder(), **BY)
    pair.turn()
    pair.turn()
    assert pair.line.calls == []


def test_a_change_that_is_none_to_the_other_store_is_not_carried(pair):
    key = pair.add(1)
    pair.turn()
    pair.line.calls.clear()
    pair.store.mark_leak_proven(key, **BY)
    assert pair.turn().carried == []
    assert pair.line.calls == []


def test_a_store_that_is_away_gets_it_later(pair):
    one, two = pair.add(1), pair.add(2)
    pair.turn()
    pair.line.is_cut = True
    pair.store.revoke(one, **BY)
    assert [key for key, _ in pair.turn().failed] == [one]
    pair.store.revoke(two, **BY)
    assert {key for key, _ in pair.turn().failed} == {one, two}
    pair.line.is_cut = False
    assert set(pair.turn().carried) == {one, two}
    assert (pair.there(1)[0], pair.there(2)[0]) == ("revoked", "revoked")


def test_a_suspension_that_ends_by_itself_ends_there_too(pair):
    key = pair.add(1)
    pair.store.suspend(key, until=pair.clock.now + 60, **BY)
    pair.turn()
    assert pair.there(1)[0] == "revoked"
    pair.clock.now += 59
    assert pair.turn().carried == []
    pair.clock.now += 1
    assert pair.turn().carried == [key]
    assert pair.there(1)[0] == "active"


def test_what_lies_over_an_account_lies_over_its_keys_there(pair):
    accounts = pair.store.accounts
    accounts.create("acme", **BY)
    key, other = pair.add(1, account="acme"), pair.add(2)
    pair.turn()
    accounts.suspend("acme", until=pair.clock.now + 60, **BY)
    assert pair.turn().carried == [key]
    assert (pair.there(1)[0], pair.there(2)[0]) == ("revoked", "active")
    pair.clock.now += 60
    assert pair.turn().carried == [key]
    accounts.throttle("acme", per_min=30, **BY)
    pair.store.throttle(key, per_min=50, **BY)
    pair.store.throttle(other, per_min=50, **BY)
    pair.turn()
    assert (pair.there(1), pair.there(2)) == (("active", 30), ("active", 50))
    accounts.suspend("acme", **BY)
    pair.turn()
    accounts.resume("acme", **BY)
    accounts.unthrottle("acme", **BY)
    pair.turn()
    assert pair.there(1) == ("active", 50)


def test_a_key_that_is_gone_there_is_told_once(pair):
    key = pair.add(1)
    pair.turn()
    with transaction(pair.theirs) as connection:
        connection.execute(text("DELETE FROM t"))
    pair.store.revoke(key, **BY)
    assert [name for name, _ in pair.turn().failed] == [key]
    assert pair.turn().failed == []
