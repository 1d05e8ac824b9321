"""What keys have spent of their budgets of AI tokens, on both databases."""

import pytest

from database.transaction import reading, transaction
from keystore import accounts, forgetting, plans, spending
from keystore.issue import KeyOrder
from keystore.plans import Plan
from keystore.spending import Cost
from vocabulary.errors import KeyNotFoundError, UsageError

MINUTE = 60


def pay(store, now, *costs):
    with transaction(store.engine) as connection:
        spending.charge(connection, costs, now)


def owed(store, key_id="key_a", since=0.0):
    with reading(store.engine) as connection:
        return {one.window_s: one for one in spending.of_keys(connection, [key_id], since)}


def test_what_was_spent_adds_up_and_drains_as_fast_as_the_budget_allows(store, clock):
    cost = Cost("key_a", MINUTE, 60, 90)
    pay(store, clock.now, cost)
    assert owed(store)[MINUTE].level == 90
    pay(store, clock.now + 30, cost)
    found = owed(store)[MINUTE]
    assert (found.level, found.at) == (150, clock.now + 30)
    assert found.left(60, clock.now + 100) == 80
    assert found.left(60, clock.now + 1e6) == 0
    pay(store, clock.now + 1e6, Cost("key_a", MINUTE, 60, 1))
    assert owed(store)[MINUTE].level == 1


def test_a_clock_that_went_back_gives_nothing(store, clock):
    pay(store, clock.now, Cost("key_a", MINUTE, 60, 50))
    pay(store, clock.now - 1000, Cost("key_a", MINUTE, 60, 5))
    found = owed(store)[MINUTE]
    assert (found.level, found.at) == (55, clock.now)
    assert found.left(60, clock.now - 1000) == 55


def test_what_others_spent_lately_is_told(store, clock):
    pay(store, clock.now, Cost("key_b", MINUTE, 60, 1), Cost("key_a", MINUTE, 60, 1))
    with reading(store.engine) as connection:
        assert {one.key_id for one in spending.of_keys(connection, [], clock.now - 1)} == {
            "key_a",
            "key_b",
        }
        assert spending.of_keys(connection, [], clock.now) == []


def test_a_key_pays_from_its_own_budgets_and_its_plans(store, clock):
    with transaction(store.engine) as connection:
        plans.put(connection, Plan(id="ai", tokens_per_day=1000), actor="x", reason="", now=1.0)
        accounts.create(
            connection, "acme", accounts.Changes(plan="ai"), actor="x", reason="", now=1.0
        )
    key = store.create(KeyOrder(account="acme", tokens_per_min=60), actor="x").key
    assert store.pay(key.id, 70) == 2
    found = owed(store, key.id)
    assert {window: one.level for window, one in found.items()} == {60: 70, 86_400: 70}
    assert store.pay(store.create(KeyOrder(), actor="x").key.id, 70) == 0
    with pytest.raises(KeyNotFoundError):
        store.pay("key_none", 1)
    with pytest.raises(UsageError, match="cannot be spent"):
        store.pay(key.id, -1)
    store.revoke(key.id, actor="x")
    with transaction(store.engine) as connection:
        forgetting.forget(connection, key.id, actor="x", reason="asked to", now=clock.now)
    assert owed(store, key.id) == {}
