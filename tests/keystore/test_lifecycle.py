"""One table of verbs on both databases; test_machine.py tries their orders."""

from contextlib import suppress

import pytest

from database.transaction import reading, transaction
from keystore import audit, feed, lifecycle
from keystore.issue import KeyOrder, Origin
from keystore.query import Filter
from keystore.scheme import DAY_S, KeyScheme, hash_of
from keystore.store import KeyStore
from vocabulary.errors import (
    ConfigError,
    KeyNotFoundError,
    KeyStoreError,
    TransitionError,
    UsageError,
)


class Crash(Exception):  # noqa: N818  (it is one)
    """Whatever may go wrong in a caller."""


BY = {"actor": "ann", "reason": "a test"}


def acts(store: KeyStore, key_id: str) -> list[str]:
    with reading(store.engine) as connection:
        return [row.verb for row in audit.rows_of(connection, key_id)]


def test_a_new_key_is_as_ordered(store, clock):
    order = KeyOrder(
        environment="test",
        name="n",
        owner="o",
        account="acme",
        key_class="ai",
        tz="Asia/Tokyo",
        scopes=("r", "w"),
        life_s=5 * DAY_S,
    )
    issued = store.create(order, **BY)
    key = store.get(issued.key.id)
    assert key == issued.key
    assert key.hash == hash_of(issued.secret)
    assert (key.environment, key.name, key.owner, key.account_id) == ("test", "n", "o", "acme")
    assert (key.key_class, key.tz, key.scopes) == ("ai", "Asia/Tokyo", ("r", "w"))
    assert (key.created_at, key.expires_at) == (clock.now, clock.now + 5 * DAY_S)


def test_the_default_is_a_live_secret_key_of_90_days(store, clock):
    key = store.create(KeyOrder(), **BY).key
    assert (key.environment, key.publishable, key.prefix) == ("live", False, "sk")
    assert key.expires_at == clock.now + 90 * DAY_S


def test_keys_without_end_exist_where_the_operator_says_so(local, clock):
    free = KeyStore(local.engine, clock, KeyScheme(life_s=0, max_life_s=0))
    assert free.create(KeyOrder(), **BY).key.expires_at is None
    assert free.create(KeyOrder(life_s=3.0), **BY).key.expires_at == clock.now + 3


@pytest.mark.parametrize(
    "order",
    [
        KeyOrder(environment="staging"),
        KeyOrder(key_class="robot"),
        KeyOrder(tz="Mars/Olympus"),
        KeyOrder(life_s=91 * DAY_S),
        KeyOrder(life_s=0.0),
        KeyOrder(life_s=-1.0),
        KeyOrder(life_s=float("nan")),
    ],
)
def test_an_order_that_the_scheme_does_not_have_is_refused_and_leaves_nothing(local, order):
    with pytest.raises(UsageError):
        local.create_many([KeyOrder(), order], **BY)
    assert local.list() == []


def test_rotation_hands_the_grants_on_and_leaves_a_grace(store, clock):
    order = KeyOrder(owner="o", account="a", scopes=("r",), key_class="cron", life_s=40 * DAY_S)
    old = store.create(order, **BY).key
    clock.now += DAY_S
    new = store.rotate(old.id, **BY)
    before = store.get(old.id)
    assert (before.state, before.rotated_to) == ("deprecated", new.key.id)
    assert before.grace_until == clock.now + 30 * DAY_S
    assert new.key.rotated_from == old.id
    assert (new.key.owner, new.key.account_id, new.key.scopes) == ("o", "a", ("r",))
    assert new.key.expires_at == clock.now + 40 * DAY_S
    assert store.find([store.credential(new.secret)])[0].key_id == new.key.id
    clock.now += 30 * DAY_S
    assert store.get(old.id).effective_state(clock.now) == "revoked"


def test_an_emergency_rotation_ends_the_old_key_at_once(store):
    old = store.create(KeyOrder(), **BY).key
    store.rotate(old.id, grace_s=0, **BY)
    assert store.get(old.id).state == "revoked"
    assert store.restore(old.id, **BY).state == "active"


def test_a_key_is_rotated_once(local):
    old = local.create(KeyOrder(), **BY).key
    new = local.rotate(old.id, **BY)
    with pytest.raises(TransitionError, match=new.key.id):
        local.rotate(old.id, **BY)
    with pytest.raises(UsageError):
        local.rotate(new.key.id, grace_s=-1, **BY)


def test_overlays_hold_until_their_end(store, clock):
    key = store.create(KeyOrder(), **BY).key
    store.throttle(key.id, per_min=5, until=clock.now + 60, **BY)
    key = store.suspend(key.id, until=clock.now + 30, **BY)
    assert key.is_throttled(clock.now)
    assert key.is_suspended(clock.now)
    assert not key.is_suspended(clock.now + 30)
    assert key.is_throttled(clock.now + 30)
    assert not key.is_throttled(clock.now + 60)
    store.unthrottle(key.id, **BY)
    key = store.resume(key.id, **BY)
    assert (key.throttle_per_min, key.throttle_until, key.suspended) == (None, None, False)


def test_restore_brings_a_revoked_key_back_as_it_was(store):
    key = store.create(KeyOrder(), **BY).key
    store.throttle(key.id, per_min=5, **BY)
    store.revoke(key.id, **BY)
    back = store.restore(key.id, **BY)
    assert (back.state, back.throttle_per_min) == ("active", 5)
    assert store.restore(key.id, **BY).throttle_per_min is None


def test_a_key_whose_leak_is_proven_comes_back_by_force_only(store):
    key = store.create(KeyOrder(), **BY).key
    store.mark_leak_proven(key.id, **BY)
    store.revoke(key.id, **BY)
    with pytest.raises(TransitionError, match="--force"):
        store.restore(key.id, **BY)
    assert store.restore(key.id, force=True, **BY).state == "active"


def test_what_ended_by_itself_is_not_restored(local, clock):
    key = local.create(KeyOrder(life_s=10.0), **BY).key
    clock.now += 10
    with pytest.raises(TransitionError, match="expired"):
        local.restore(key.id, **BY)


def test_doing_a_thing_twice_does_it_once(store):
    key = store.create(KeyOrder(), **BY).key
    for _ in range(2):
        store.throttle(key.id, per_min=5, **BY)
    for _ in range(2):
        store.suspend(key.id, **BY)
    for _ in range(2):
        store.mark_leak_proven(key.id, **BY)
    for _ in range(2):
        store.revoke(key.id, **BY)
    assert acts(store, key.id) == ["create", "throttle", "suspend", "mark_leak_proven", "revoke"]
    with reading(store.engine) as connection:
        assert feed.head(connection) == 5


@pytest.mark.parametrize("wrong", [{"per_min": 0}, {"per_min": 5, "until": 1.0}])
def test_a_throttle_that_means_nothing_is_refused(local, wrong):
    key = local.create(KeyOrder(), **BY).key
    with pytest.raises(UsageError):
        local.throttle(key.id, **wrong, **BY)


def test_every_verb_says_when_there_is_no_such_key(local):
    for verb in ("revoke", "restore", "rotate", "suspend", "resume", "unthrottle"):
        with pytest.raises(KeyNotFoundError, match="key_none"):
            getattr(local, verb)("key_none", **BY)
    with pytest.raises(KeyNotFoundError):
        local.get("key_none")


def test_an_effect_and_what_the_caller_writes_commit_together(store):
    key = store.create(KeyOrder(), **BY).key
    with suppress(Crash), transaction(store.engine) as connection:
        lifecycle.revoke(connection, key.id, now=1.0, **BY)
        raise Crash
    assert store.get(key.id).state == "active"
    assert acts(store, key.id) == ["create"]


def test_a_reader_cannot_change_a_key(local):
    key = local.create(KeyOrder(), **BY).key
    with pytest.raises(AssertionError), reading(local.engine) as connection:
        lifecycle.revoke(connection, key.id, now=1.0, **BY)


def test_hostile_text_does_not_stop_a_revocation(store):
    key = store.create(KeyOrder(name="a\0b", owner="\ud800"), **BY).key
    store.revoke(key.id, actor="x\0", reason="path \udcff and \x1b[2J")
    assert store.get(key.id).state == "revoked"
    with reading(store.engine) as connection:
        assert audit.verify(connection).broken_at == 0


def test_lists_are_filtered_and_newest_first(store, clock):
    made = []
    for number in range(4):
        clock.now += 1
        order = KeyOrder(
            owner="even" if number % 2 == 0 else "odd",
            account=f"account {number // 2}",
            environment="live" if number < 3 else "test",
        )
        made.append(store.create(order, **BY).key.id)
    store.revoke(made[0], **BY)

    def ids(**wanted):
        return [key.id for key in store.list(Filter(**wanted))]

    assert ids() == made[::-1]
    assert ids(owner="even") == [made[2], made[0]]
    assert ids(account_id="account 1") == [made[3], made[2]]
    assert ids(environment="test") == [made[3]]
    assert ids(state="revoked") == [made[0]]
    assert [key.id for key in store.list(limit=1)] == [made[3]]
    assert store.get_many([made[1], "key_none"]).keys() == {made[1]}


def test_a_key_from_elsewhere_is_taken_over_once(store):
    origin = Origin(hash_of("their secret"), prefix="abc")
    key = store.adopt(KeyOrder(owner="o"), origin, **BY)
    assert store.find([store.credential("their secret")])[0].key_id == key.id
    with pytest.raises(KeyStoreError, match=key.id):
        store.adopt(KeyOrder(), origin, **BY)


@pytest.mark.parametrize("name", ["", "public-id"])
def test_names_of_origins_are_no_names_of_peppers(local, name):
    with pytest.raises(ConfigError):
        KeyStore(local.engine, peppers={name: b"x"})


def test_the_successor_of_a_key_without_end_has_the_longest_life_that_is_allowed(local, clock):
    endless = local.adopt(
        KeyOrder(store="theirs", external_id="7"), Origin(hash_of("their secret")), **BY
    )
    assert endless.expires_at is None
    longest = local.scheme.max_life_s
    assert local.rotate(endless.id, **BY).key.expires_at == clock.now + longest


def test_no_orders_make_no_keys_and_no_row_of_the_log(local):
    assert local.create_many([], **BY) == []
    with reading(local.engine) as connection:
        assert (feed.head(connection), audit.verify(connection).rows) == (0, 0)
