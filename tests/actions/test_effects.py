"""What holds for every effect in the folder."""

import pytest

from actions.decide import ALL
from actions.effects import Order, effects
from database.transaction import transaction
from vocabulary.errors import KeyNotFoundError

ARGUMENTS = {"rate_per_min": 7, "duration_s": 600.0, "kind": "anomaly"}


@pytest.fixture(params=sorted(effects()))
def name(request):
    return request.param


def shape(key):
    """Return what an undo has to bring back."""
    return (
        key.state,
        key.grace_until,
        key.throttle_per_min,
        key.throttle_until,
        key.suspended,
        key.suspended_until,
    )


def prepared(desk, name, situation):
    key = desk.key()
    if name == "restore":
        desk.store.revoke(key, actor="bob")
    if situation == "overlaid" and name != "restore":
        desk.store.throttle(key, per_min=100, until=desk.now + 60, actor="bob")
        desk.store.suspend(key, until=desk.now + 60, actor="bob")
    if situation == "rotated" and name != "restore":
        desk.store.rotate(key, actor="bob", grace_s=6000.0)
    return key


def order(desk, key, **other):
    return Order(key, "policy", "why", desk.now, ARGUMENTS, **other)


@pytest.mark.parametrize("situation", ["plain", "overlaid", "rotated"])
def test_an_effect_changes_the_key_and_its_revert_brings_it_back(desk, name, situation):
    key = prepared(desk, name, situation)
    before = desk.store.get(key)
    with transaction(desk.engine) as connection:
        was = effects()[name].apply(connection, order(desk, key))
    assert shape(desk.store.get(key)) != shape(before)
    with transaction(desk.engine) as connection:
        effects()[name].revert(connection, order(desk, key, force=True), was)
    assert shape(desk.store.get(key)) == shape(before)


def test_an_effect_that_is_repeated_changes_nothing(desk, name):
    key = prepared(desk, name, "plain")
    with transaction(desk.engine) as connection:
        effects()[name].apply(connection, order(desk, key))
    once = desk.store.get(key)
    with transaction(desk.engine) as connection:
        effects()[name].apply(connection, order(desk, key))
    assert desk.store.get(key) == once


def test_an_effect_on_a_key_that_is_gone_says_so(desk, name):
    with transaction(desk.engine) as connection, pytest.raises(KeyNotFoundError):
        effects()[name].apply(connection, order(desk, "key_none"))


def test_every_action_of_the_policy_has_its_effect():
    assert set(effects()) >= ALL
