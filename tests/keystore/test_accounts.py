import pytest

from database.transaction import reading, transaction
from keystore import accounts, feed, plans
from keystore.accounts import Changes
from keystore.audit import rows_of, verify
from keystore.grants import grants_of
from keystore.issue import KeyOrder
from keystore.plans import Plan
from vocabulary.errors import KeyStoreError, UsageError

BY = {"actor": "ann", "reason": "a test"}


@pytest.fixture
def does(store, clock):
    """Call a verb in a transaction of its own."""

    def call(verb, *arguments, **named):
        with transaction(store.engine) as connection:
            return verb(connection, *arguments, **BY, **named, now=clock.now)

    return call


def grants(store, key):
    with reading(store.engine) as connection:
        return grants_of(connection, [store.get(key.id)])[0]


def changed_since(store, seq):
    with reading(store.engine) as connection:
        return [change.key_id for change in feed.changes_since(connection, seq)]


def head(store):
    with reading(store.engine) as connection:
        return feed.head(connection)


def test_a_key_inherits_from_its_account_and_plan_what_it_does_not_say_itself(store, does):
    plan = Plan(
        id="gold",
        key_limits=("600/min",),
        account_limits=("6000/min",),
        plan_limits=("9/s",),
        tokens_per_day=1000,
    )
    does(plans.put, plan)
    does(accounts.create, "acme", Changes(organisation="group", plan="gold"))
    plain = store.create(KeyOrder(account="acme"), **BY).key
    own = store.create(KeyOrder(account="acme", limits=("5/s",), tokens_per_day=7), **BY).key
    found = grants(store, plain)
    assert (found.limits, found.account_limits, found.plan_limits) == (
        ("600/min",),
        ("6000/min",),
        ("9/s",),
    )
    assert found.tokens_per_day == 1000
    assert found.account.organisation_id == "group"
    assert (grants(store, own).limits, grants(store, own).tokens_per_day) == (("5/s",), 7)


def test_a_keys_own_plan_stands_before_its_accounts(store, does):
    does(plans.put, Plan(id="gold", key_limits=("600/min",)))
    does(plans.put, Plan(id="free", key_limits=("6/min",)))
    does(accounts.create, "acme", Changes(plan="gold"))
    key = store.create(KeyOrder(account="acme", plan="free"), **BY).key
    assert grants(store, key).limits == ("6/min",)


def test_what_lies_over_an_account_lies_over_its_keys_and_is_told_of_each(store, does, clock):
    does(accounts.create, "acme")
    key = store.create(KeyOrder(account="acme"), **BY).key
    other = store.create(KeyOrder(), **BY).key
    before = head(store)
    does(accounts.suspend, "acme", until=clock.now + 60)
    assert grants(store, key).is_suspended(clock.now)
    assert not grants(store, other).is_suspended(clock.now)
    assert changed_since(store, before) == [key.id]
    clock.now += 60
    assert not grants(store, key).is_suspended(clock.now)
    does(accounts.throttle, "acme", per_min=60, until=None)
    assert grants(store, key).account.throttle_per_min == 60
    does(accounts.unthrottle, "acme")
    does(accounts.resume, "acme")
    assert not grants(store, key).account.suspended


def test_a_plan_that_changes_is_told_of_each_key_that_is_on_it(store, does):
    does(plans.put, Plan(id="gold", key_limits=("600/min",)))
    does(accounts.create, "acme", Changes(plan="gold"))
    inherits = store.create(KeyOrder(account="acme"), **BY).key
    own = store.create(KeyOrder(plan="gold"), **BY).key
    store.create(KeyOrder(), **BY)
    before = head(store)
    does(plans.put, Plan(id="gold", key_limits=("60/min",)))
    assert set(changed_since(store, before)) == {inherits.id, own.id}
    assert grants(store, own).limits == ("60/min",)


def test_a_change_of_very_many_keys_is_told_as_one_of_everything(local, clock):
    local.create_many([KeyOrder(account="acme")] * feed.TOO_MANY, **BY)
    before = head(local)
    with transaction(local.engine) as connection:
        accounts.suspend(connection, "acme", until=None, **BY, now=clock.now)
    assert changed_since(local, before) == [feed.EVERYTHING]


def test_what_is_as_asked_already_is_neither_told_nor_audited(store, does):
    does(plans.put, Plan(id="gold"))
    does(accounts.create, "acme", Changes(plan="gold"))
    before = head(store)
    does(plans.put, Plan(id="gold"))
    does(accounts.change, "acme", Changes(plan="gold"))
    does(accounts.resume, "acme")
    assert head(store) == before
    with reading(store.engine) as connection:
        assert len(rows_of(connection, "account:acme")) == 1
        assert len(rows_of(connection, "plan:gold")) == 1
        assert verify(connection).broken_at == 0


def test_a_plan_that_somebody_is_on_stays(store, does):
    does(plans.put, Plan(id="gold"))
    does(accounts.create, "acme", Changes(plan="gold"))
    with pytest.raises(KeyStoreError, match="acme"):
        does(plans.remove, "gold")
    does(accounts.change, "acme", Changes(plan=""))
    does(plans.remove, "gold")
    with pytest.raises(KeyStoreError):
        does(accounts.change, "acme", Changes(plan="gold"))


@pytest.mark.parametrize(
    "order",
    [
        KeyOrder(plan="none"),
        KeyOrder(networks=("10.0.0.1/8",)),
        KeyOrder(limits=("9",)),
        KeyOrder(requires=("luck",)),
        KeyOrder(tokens_per_min=-1),
        KeyOrder(scopes=("a b",)),
    ],
)
def test_grants_that_cannot_be_make_no_key(local, order):
    with pytest.raises((UsageError, KeyStoreError)):
        local.create(order, **BY)
    assert local.list() == []


def test_a_successor_has_all_the_grants(store, does):
    does(plans.put, Plan(id="gold"))
    order = KeyOrder(
        networks=("10.0.0.0/8", "2001:db8::/32"),
        endpoints=("GET /v1/*",),
        models=("gpt-*",),
        requires=("token",),
        plan="gold",
        limits=("5/s",),
        tokens_per_month=9,
        scopes=("a", "b"),
    )
    old = store.create(order, **BY).key
    new = store.rotate(old.id, **BY).key
    names = (
        "networks",
        "endpoints",
        "models",
        "requires",
        "plan_id",
        "limits",
        "tokens_per_month",
        "scopes",
    )
    assert [getattr(store.get(new.id), name) for name in names] == [
        getattr(old, name) for name in names
    ]


@pytest.mark.parametrize("wrong", [{"per_min": 0}, {"per_min": 10**10}, {"until": 1.0}])
def test_a_throttle_of_an_account_that_means_nothing_is_refused(local, wrong):
    local.accounts.create("acme", **BY)
    with pytest.raises(UsageError):
        local.accounts.throttle("acme", **{"per_min": 5, **wrong}, **BY)
    assert local.accounts.get("acme").throttle_per_min is None


def test_accounts_of_one_organisation_make_it_once(local):
    for name in ("acme", "beta"):
        local.accounts.create(name, Changes(organisation="group"), **BY)
    assert [(number, one.id) for number, one in local.accounts.organisations()] == [(2, "group")]
