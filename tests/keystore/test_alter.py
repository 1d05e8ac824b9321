import pytest

from keystore.alter import Changes
from keystore.issue import KeyOrder
from keystore.keys import Declared
from keystore.scheme import DAY_S
from vocabulary.errors import KeyNotFoundError, KeyStoreError, TransitionError, UsageError

BY = {"actor": "ann", "reason": "a test"}


def test_what_is_named_becomes_another_and_the_rest_stays(store):
    key = store.create(KeyOrder(owner="o", scopes=("a",), networks=("10.0.0.0/8",)), **BY).key
    changed = store.change(
        key.id,
        Changes(scopes=("b", "c"), account="acme", declared=Declared(countries=("fr",))),
        **BY,
    )
    assert store.get(key.id) == changed
    assert (changed.scopes, changed.networks, changed.owner) == (("b", "c"), key.networks, "o")
    assert (changed.account_id, changed.declared.countries) == ("acme", ("FR",))
    assert store.accounts.get("acme").id == "acme"
    assert changed.change_seq > key.change_seq


def test_no_change_is_no_change(store):
    key = store.create(KeyOrder(scopes=("a",), declared=Declared(hours=(8,))), **BY).key
    assert store.change(key.id, Changes(scopes=("a",), declared=Declared(hours=(8,))), **BY) == key


def test_an_end_is_moved_within_the_longest_life(store, clock):
    key = store.create(KeyOrder(life_s=10 * DAY_S), **BY).key
    clock.now += 9 * DAY_S
    moved = store.change(key.id, Changes(expires_at=key.created_at + 90 * DAY_S), **BY)
    assert moved.expires_at == key.created_at + 90 * DAY_S
    for end in (None, key.created_at + 91 * DAY_S):
        with pytest.raises(TransitionError):
            store.change(key.id, Changes(expires_at=end), **BY)
    with pytest.raises(UsageError):
        store.change(key.id, Changes(expires_at=clock.now), **BY)


def test_what_has_ended_is_not_changed(store, clock):
    key = store.create(KeyOrder(life_s=DAY_S), **BY).key
    clock.now += DAY_S
    with pytest.raises(TransitionError):
        store.change(key.id, Changes(expires_at=clock.now + DAY_S), **BY)
    with pytest.raises(KeyNotFoundError):
        store.change("key_none", Changes(), **BY)


@pytest.mark.parametrize(
    "wanted",
    [
        Changes(networks=("x",)),
        Changes(plan="none"),
        Changes(key_class="robot"),
        Changes(tz="Mars"),
        Changes(tokens_per_day=-1),
    ],
)
def test_what_cannot_be_changes_nothing(local, wanted):
    key = local.create(KeyOrder(), **BY).key
    with pytest.raises((UsageError, KeyStoreError)):
        local.change(key.id, wanted, **BY)
    assert local.get(key.id) == key


def test_a_deprecation_says_since_when(store, clock):
    key = store.create(KeyOrder(), **BY).key
    since = clock.now
    store.rotate(key.id, **BY)
    clock.now += 5
    store.deprecate(key.id, grace_s=60, **BY)
    assert store.get(key.id).deprecated_at == since
    assert store.undeprecate(key.id, **BY).deprecated_at is None
