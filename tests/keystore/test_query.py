from itertools import product

from sqlalchemy import update

from database.schema import keys
from database.transaction import transaction
from keystore.issue import KeyOrder
from keystore.keys import KeyState
from keystore.query import Filter
from keystore.scheme import DAY_S

BY = {"actor": "ann", "reason": "a test"}
OFFSETS = (None, -1.0, 0.0, 1.0)


def test_the_database_and_python_agree_on_every_state(store, clock):
    """At, before and after each end, in every stored state."""
    shapes = list(product(("active", "deprecated", "revoked"), OFFSETS, OFFSETS))
    made = store.create_many([KeyOrder()] * len(shapes), **BY)
    with transaction(store.engine) as connection:
        for issued, (state, expires, grace) in zip(made, shapes, strict=True):
            values = {
                "state": state,
                "expires_at": None if expires is None else clock.now + expires,
                "grace_until": None if grace is None else clock.now + grace,
            }
            connection.execute(update(keys).where(keys.c.id == issued.key.id).values(values))
    everything = store.list(limit=None)
    assert len(everything) == len(shapes)
    for state in KeyState:
        listed = {key.id for key in store.list(Filter(state=state.value), limit=None)}
        assert listed == {key.id for key in everything if key.effective_state(clock.now) == state}
        assert listed


def test_keys_that_end_soon_are_listed_and_those_that_have_ended_are_not(store, clock):
    soon = store.create(KeyOrder(life_s=5 * DAY_S), **BY).key.id
    later = store.create(KeyOrder(life_s=50 * DAY_S), **BY).key
    graced = store.create(KeyOrder(life_s=80 * DAY_S), **BY).key.id
    store.deprecate(graced, grace_s=6 * DAY_S, **BY)
    ended = store.create(KeyOrder(life_s=4 * DAY_S), **BY).key.id
    store.revoke(ended, **BY)
    wanted = Filter(ends_before=clock.now + 7 * DAY_S)
    assert {key.id for key in store.list(wanted)} == {soon, graced}
    clock.now += 45 * DAY_S
    wanted = Filter(ends_before=clock.now + 7 * DAY_S)
    assert [key.id for key in store.list(wanted)] == [later.id]
