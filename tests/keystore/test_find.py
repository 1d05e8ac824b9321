from hashlib import sha256
from hmac import digest

import pytest

from keystore.issue import KeyOrder, Origin
from keystore.keys import PUBLIC_ID
from vocabulary.credential import Credential, credential_of
from vocabulary.errors import KeyNotFoundError

BY = {"actor": "ann", "reason": "a test"}


def adopt(store, hash_, pepper_id="", public_id=""):
    return store.adopt(KeyOrder(), Origin(hash_, pepper_id, public_id), **BY).id


def ids(store, *credentials):
    return [known and known.key_id for known in store.find(credentials)]


def mac(secret, pepper=b"a pepper"):
    return digest(pepper, secret.encode(), "sha256").hex()


def test_many_are_found_in_order_among_strangers(store):
    made = store.create_many([KeyOrder() for _ in range(50)], **BY)
    wanted = []
    for issued in made:
        wanted += [store.credential(issued.secret), store.credential(issued.secret + "x")]
    found = ids(store, *wanted)
    assert found[::2] == [issued.key.id for issued in made]
    assert set(found[1::2]) == {None}


def test_the_same_credential_may_be_asked_for_twice(store):
    issued = store.create(KeyOrder(), **BY)
    credential = store.credential(issued.secret)
    assert ids(store, credential, credential) == [issued.key.id] * 2
    assert ids(store) == []


def test_more_credentials_than_a_statement_takes(local):
    issued = local.create(KeyOrder(), **BY)
    strangers = [credential_of(f"stranger {number}") for number in range(40_000)]
    assert ids(local, *strangers, local.credential(issued.secret))[-1] == issued.key.id


def test_a_peppered_key_is_found_by_its_pepper(store):
    key = adopt(store, mac("short"), "old")
    assert ids(store, store.credential("short")) == [key]
    assert ids(store, credential_of("short")) == [None]


def test_a_hash_never_matches_a_key_of_another_origin(store):
    adopt(store, mac("peppered"), "old")
    adopt(store, mac("other", b"other"), "other")
    adopt(store, sha256(b"plain").hexdigest())
    wrong = [
        # the HMAC of one origin claimed to be a plain hash, or of another pepper
        Credential(sha256=mac("peppered")),
        Credential(sha256="0", hmacs={"other": mac("peppered")}),
        Credential(sha256="1", hmacs={"old": mac("other", b"other")}),
        # a plain hash claimed to be an HMAC
        Credential(sha256="2", hmacs={"old": sha256(b"plain").hexdigest()}),
        # a pepper that is called like another kind of origin
        Credential(sha256="3", hmacs={"": sha256(b"plain").hexdigest()}),
    ]
    assert ids(store, *wrong) == [None] * 5


def test_what_no_database_can_hold_is_nobodys_id(store):
    assert store.get_many(["key_a\0", "key_\ud800"]) == {}
    assert ids(store, credential_of("x", public_id="\0")) == [None]
    with pytest.raises(KeyNotFoundError):
        store.get("key_\0")


def test_a_public_id_alone_finds_only_keys_whose_secret_was_never_ours(store):
    bare = adopt(store, sha256(b"PUB1").hexdigest(), PUBLIC_ID, "PUB1")
    hashed = adopt(store, sha256(b"right").hexdigest(), "", "PUB2")
    anything = credential_of("made up", public_id="PUB1")
    wrong = credential_of("made up", public_id="PUB2")
    right = credential_of("right", public_id="PUB2")
    assert ids(store, anything, wrong, right) == [bare, None, hashed]
    # the placeholder in the column of hashes matches nothing
    assert ids(store, credential_of("PUB1")) == [None]


def test_what_is_told_is_of_the_moment(store, clock):
    issued = store.create(KeyOrder(environment="test", owner="o", life_s=10.0), **BY)
    credential = store.credential(issued.secret)
    known = store.find([credential])[0]
    assert (known.state, known.verdict, known.owner) == ("active", "test", "o")
    clock.now += 10
    assert store.find([credential])[0].verdict == "expired"
