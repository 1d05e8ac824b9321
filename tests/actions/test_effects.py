"""What holds for every effect in the folder."""

import pytest

from actions.decide import ALL
from actions.effects import Order, effects
from database.transaction import transaction
from keystore.denials import DenyList
from keystore.identities import Name, token_name
from keystore.issue import KeyOrder
from keystore.keys import KeyState, Kind
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
    if name == "restore" and situation != "overlaid":
        desk.store.revoke(key, actor="bob")
    if situation == "overlaid":
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


@pytest.mark.parametrize("ended", [frozenset({"throttle"}), frozenset({"throttle", "suspend"})])
def test_what_lay_over_a_key_and_is_over_by_now_does_not_come_back(desk, ended):
    key = desk.key()
    ends = {name: desk.now + (60 if name in ended else 6000) for name in ("throttle", "suspend")}
    desk.store.throttle(key, per_min=100, until=ends["throttle"], actor="bob")
    desk.store.suspend(key, until=ends["suspend"], actor="bob")
    with transaction(desk.engine) as connection:
        was = effects()["restore"].apply(connection, order(desk, key))
    desk.now += 600
    with transaction(desk.engine) as connection:
        effects()["restore"].revert(connection, order(desk, key), was)
    found = desk.store.get(key)
    assert (found.throttle_per_min, found.suspended) == (None, "suspend" not in ended)


@pytest.mark.parametrize("name", ["rotate", "reissue"])
def test_a_grace_that_is_over_by_now_is_not_begun_anew(desk, name):
    key = desk.key()
    desk.store.rotate(key, actor="bob", grace_s=1200.0)
    with transaction(desk.engine) as connection:
        was = effects()[name].apply(connection, order(desk, key))
    desk.now += 1800
    with transaction(desk.engine) as connection:
        effects()[name].revert(connection, order(desk, key), was)
    assert desk.store.get(key).effective_state(desk.now) == KeyState.REVOKED


def test_of_a_tokens_subject_what_was_issued_is_refused_until_that_is_taken_back(desk):
    name = Name(Kind.TOKEN, token_name("https://issuer.example", "alice"))
    key = desk.store.identities.register(name, KeyOrder(), actor="ann").id
    before = shape(desk.store.get(key))

    def refused():
        found = DenyList(desk.store.denials.list())
        return found.token("https://issuer.example", "alice", "", desk.now - 1, desk.now)

    with transaction(desk.engine) as connection:
        was = effects()["reissue"].apply(connection, order(desk, key))
    assert refused()
    assert shape(desk.store.get(key)) == before
    with transaction(desk.engine) as connection:
        effects()["reissue"].revert(connection, order(desk, key), was)
    assert not refused()
