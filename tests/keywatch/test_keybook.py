"""What the key store tells the detectors of a key."""

from database.transaction import open_database
from keystore.accounts import Changes
from keystore.issue import KeyOrder
from keystore.keys import Declared
from keystore.plans import Plan
from keystore.store import KeyStore
from keywatch.config import Settings
from keywatch.keybook import KeyBook


def test_the_detectors_are_told_what_a_key_was_issued_for(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'k.db'}")
    order = KeyOrder(
        owner="ann",
        key_class="ai",
        networks=("192.0.2.0/24",),
        tokens_per_day=40_000,
        declared=Declared(countries=("FR",), rate_per_h=5.0),
    )
    first = KeyStore(engine).create(order, actor="test").key.id
    second = KeyStore(engine).create(KeyOrder(owner="bob"), actor="test").key.id
    book = KeyBook(engine, Settings().keys)
    book.look_up([first, second])
    said = book.facts([first, second])
    assert (said[first].networks, said[first].tokens_per_day) == (("192.0.2.0/24",), 40_000)
    assert (said[first].countries, said[first].rate_per_h) == (("FR",), 5.0)
    assert (said[second].networks, said[second].tokens_per_day) == ((), 0)
    engine.dispose()


def test_a_budget_of_a_plan_is_told_and_told_anew_when_it_changes(tmp_path):
    engine = open_database(f"sqlite:///{tmp_path / 'k.db'}")
    store = KeyStore(engine)
    store.plans.put(Plan(id="small", tokens_per_day=10_000), actor="test")
    store.accounts.create("acme", Changes(plan="small"), actor="test")
    by_plan = store.create(KeyOrder(owner="ann", plan="small"), actor="test").key.id
    by_account = store.create(KeyOrder(owner="bob", account="acme"), actor="test").key.id
    order = KeyOrder(owner="cid", plan="small", tokens_per_day=500)
    own = store.create(order, actor="test").key.id
    book, ids = KeyBook(engine, Settings().keys), [by_plan, by_account, own]

    def budgets():
        book.look_up(ids)
        said = book.facts(ids)
        return [said[key_id].tokens_per_day for key_id in ids]

    assert budgets() == [10_000, 10_000, 500]
    store.plans.put(Plan(id="small", tokens_per_day=20_000), actor="test")
    assert budgets() == [20_000, 20_000, 500]
    engine.dispose()
