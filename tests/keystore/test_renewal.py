"""What was issued to an identity until now is refused, and let in again when that is undone."""

import pytest

from database.transaction import reading, transaction
from keystore import denials, renewal
from keystore.audit import rows_of
from keystore.denials import Denial, DenyList
from keystore.identities import Name, token_name
from keystore.issue import KeyOrder
from keystore.keys import Kind

BY = {"actor": "ann", "reason": "a test"}
ISSUER = "https://issuer.example"


@pytest.fixture(params=["token", "certificate"])
def identity(request, store):
    kind = Kind(request.param)
    text = token_name(ISSUER, "alice") if kind == Kind.TOKEN else "dns:api.example"
    return store.identities.register(Name(kind, text), KeyOrder(), **BY)


@pytest.fixture
def does(store, clock):
    def call(verb, *arguments):
        with transaction(store.engine) as connection:
            return verb(connection, *arguments, **BY, now=clock.now)

    return call


def refuses(store, clock, identity, issued_at) -> bool:
    with reading(store.engine) as connection:
        found = DenyList(denials.snapshot(connection, clock.now))
    if identity.kind == Kind.TOKEN:
        return found.token(ISSUER, "alice", "", issued_at, clock.now) is not None
    names = [identity.public_id]
    return found.certificate([], "", "", clock.now, names, issued_at) is not None


def verbs(store, identity) -> list[str]:
    with reading(store.engine) as connection:
        return [row.verb for row in rows_of(connection, identity.id)][1:]


def test_what_was_issued_until_now_is_refused_and_what_is_issued_from_now_on_is_not(
    store, clock, does, identity
):
    was = does(renewal.refuse_issued, identity)
    assert refuses(store, clock, identity, clock.now - 1)
    assert not refuses(store, clock, identity, clock.now)
    does(renewal.take_back, identity, was)
    assert not refuses(store, clock, identity, clock.now - 1)
    assert verbs(store, identity) == ["renew", "unrenew"]


def test_a_second_time_moves_the_moment_and_is_taken_back_to_the_first(
    store, clock, does, identity
):
    first = clock.now
    does(renewal.refuse_issued, identity)
    clock.now += 100
    was = does(renewal.refuse_issued, identity)
    assert refuses(store, clock, identity, first + 50)
    does(renewal.take_back, identity, was)
    assert not refuses(store, clock, identity, first + 50)
    assert refuses(store, clock, identity, first - 1)


def test_what_changed_nothing_is_not_taken_back(store, clock, does, identity):
    does(renewal.refuse_issued, identity)
    again = does(renewal.refuse_issued, identity)
    does(renewal.take_back, identity, again)
    assert refuses(store, clock, identity, clock.now - 1)
    assert verbs(store, identity) == ["renew"]


def test_what_somebody_denied_since_stays_denied(store, clock, does, identity):
    was = does(renewal.refuse_issued, identity)
    with reading(store.engine) as connection:
        (made,) = denials.snapshot(connection, clock.now)
    for_good = Denial(kind=made.kind, issuer=made.issuer, value=made.value)
    store.denials.deny(for_good, **BY)
    does(renewal.take_back, identity, was)
    assert refuses(store, clock, identity, clock.now + 1000)
    assert verbs(store, identity) == ["renew"]


def test_a_denial_that_is_over_by_then_does_not_come_back(store, clock, does, identity):
    if identity.kind == Kind.TOKEN:
        brief = Denial(kind="subject", issuer=ISSUER, value="alice", until=clock.now + 10)
    else:
        brief = Denial(kind="name", value=identity.public_id, until=clock.now + 10)
    store.denials.deny(brief, **BY)
    clock.now += 5
    was = does(renewal.refuse_issued, identity)
    clock.now += 10
    does(renewal.take_back, identity, was)
    assert not refuses(store, clock, identity, clock.now - 1)
