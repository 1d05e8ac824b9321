import pytest

from database.transaction import transaction
from gateway.follower import Follower, Question, place_of
from keystore import alter, identities, lifecycle, overlays
from keystore.alter import Changes
from keystore.identities import Client, Name, certificate_names, token_name
from keystore.issue import KeyOrder
from keystore.keys import DAY_S, Kind
from keystore.scheme import KeyScheme
from vocabulary.credential import credential_of
from vocabulary.errors import KeyStoreError, TransitionError, UsageError

BY = {"actor": "ann", "reason": "a test"}
ISSUER = "https://issuer.example"
FINGERPRINT = "ab" * 32


@pytest.fixture
def does(store, clock):
    def call(verb, *arguments, **named):
        with transaction(store.engine) as connection:
            return verb(connection, *arguments, **BY, **named, now=clock.now)

    return call


def found(store, kind, names):
    return store.identities.named(kind, names)


def test_a_tokens_subject_lives_the_life_of_a_key(store, does, clock):
    name = Name(Kind.TOKEN, token_name(ISSUER, "alice"))
    made = does(identities.register, name, KeyOrder(owner="team", scopes=("read",)))
    assert (made.kind, made.expires_at) == ("token", None)
    does(overlays.throttle, made.id, per_min=5, until=clock.now + 60)
    does(overlays.suspend, made.id, until=None)
    does(lifecycle.revoke, made.id)
    kept = found(store, Kind.TOKEN, [name.text])
    assert (kept.state, kept.throttle_per_min, kept.suspended) == ("revoked", 5, True)
    does(lifecycle.restore, made.id)
    assert found(store, Kind.TOKEN, [name.text]).state == "active"
    assert found(store, Kind.TOKEN, [token_name(ISSUER, "bob")]) is None


def test_a_certificate_is_known_by_the_most_exact_of_its_names(store, does):
    names = certificate_names(
        ":".join(["AB"] * 32), "spiffe://example.org/web", ["Api.example"], "web"
    )
    loose = does(identities.register, Name(Kind.CERTIFICATE, "cn:web"), KeyOrder())
    assert found(store, Kind.CERTIFICATE, names).id == loose.id
    exact = does(identities.register, Name(Kind.CERTIFICATE, f"sha256:{FINGERPRINT}"), KeyOrder())
    assert found(store, Kind.CERTIFICATE, names).id == exact.id
    assert found(store, Kind.TOKEN, names) is None


def test_a_client_gets_another_secret_under_its_name_and_the_old_one_ends(store, does):
    issued = does(identities.register_client, Client(), KeyOrder(owner="team"))
    name, authentic = issued.key.public_id, store.identities.authentic_client
    renewed = does(identities.renew_secret, issued.key.id)
    assert (renewed.key.id, renewed.key.public_id, renewed.key.owner) == (
        issued.key.id,
        name,
        "team",
    )
    assert authentic(name, issued.secret) is None
    assert authentic(name, renewed.secret).id == issued.key.id
    does(lifecycle.revoke, issued.key.id)
    with pytest.raises(TransitionError, match="cannot be given a new secret"):
        does(identities.renew_secret, issued.key.id)


@pytest.mark.parametrize("kind", [Kind.OAUTH_CLIENT, Kind.TOKEN, Kind.CERTIFICATE])
def test_what_is_no_key_is_not_rotated_into_one(store, does, kind):
    if kind == Kind.OAUTH_CLIENT:
        made = does(identities.register_client, Client(), KeyOrder()).key
    else:
        text = token_name(ISSUER, "bob") if kind == Kind.TOKEN else "cn:web"
        made = does(identities.register, Name(kind, text), KeyOrder())
        with pytest.raises(TransitionError, match="is no OAuth client"):
            does(identities.renew_secret, made.id)
    with pytest.raises(TransitionError, match="is no API key") as raised:
        does(lifecycle.rotate, made.id)
    assert raised.value.remedy
    assert store.get(made.id).state == "active"


def test_a_client_is_known_by_its_secret_and_by_nothing_else(store, does):
    issued = does(identities.register_client, Client(), KeyOrder())
    authentic = store.identities.authentic_client
    assert authentic(issued.key.public_id, issued.secret).id == issued.key.id
    for name, secret in [
        (issued.key.public_id, "x"),
        ("client_x", issued.secret),
        (issued.key.public_id, "\ud800"),
        ("\0", issued.secret),
    ]:
        assert authentic(name, secret) is None


def test_a_leaked_client_secret_is_found_by_the_scanner_but_is_no_api_key(store, does):
    issued = does(identities.register_client, Client(), KeyOrder())
    credential = credential_of(issued.secret)
    assert store.find([credential])[0].verdict == "live"
    follower = Follower(store.engine, place_of(store.engine))
    assert follower.look_up([Question(b"x", credential)]) == ((b"x", None, 0),)
    follower.close()


def test_a_client_that_exists_elsewhere_is_taken_over_by_its_hash(store, does):
    secret = "a secret of theirs"
    taken = does(
        identities.register_client, Client("theirs", credential_of(secret).sha256), KeyOrder()
    )
    assert taken.secret == ""
    assert store.identities.authentic_client("theirs", secret).id == taken.key.id
    with pytest.raises(KeyStoreError):
        does(identities.register_client, Client("theirs"), KeyOrder())


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        (Kind.TOKEN, "https://issuer.example"),
        (Kind.TOKEN, " alice"),
        (Kind.TOKEN, "a b\0"),
        (Kind.CERTIFICATE, "sha256:abc"),
        (Kind.CERTIFICATE, "spiffe:/x"),
        (Kind.CERTIFICATE, "web"),
        (Kind.KEY, "x"),
        (Kind.OAUTH_CLIENT, "x"),
        (Kind.TOKEN, "a " + "b" * 3000),
    ],
)
def test_what_cannot_be_a_name_is_refused(local, clock, kind, text):
    with pytest.raises(UsageError), transaction(local.engine) as connection:
        identities.register(connection, Name(kind, text), KeyOrder(), **BY, now=clock.now)


@pytest.mark.parametrize(
    "client", [Client("a:b"), Client("\u00e4"), Client("theirs", "AB" * 32), Client("theirs", "x")]
)
def test_what_cannot_be_a_client_is_refused(local, client):
    with pytest.raises(UsageError):
        local.identities.register_client(client, KeyOrder(), **BY)
    assert local.list() == []


def test_the_same_name_is_taken_once(store, does):
    name = Name(Kind.CERTIFICATE, "dns:api.example")
    does(identities.register, name, KeyOrder())
    with pytest.raises(KeyStoreError):
        does(identities.register, name, KeyOrder())


@pytest.mark.parametrize(("life_s", "days"), [(None, 90), (30 * DAY_S, 30), (0.0, None)])
def test_clients_have_a_life_of_their_own(store, does, clock, life_s, days):
    scheme = KeyScheme(client_life_s=life_s)
    made = does(identities.register_client, Client(), KeyOrder(), scheme=scheme).key
    assert made.expires_at == (None if days is None else clock.now + days * DAY_S)
    key = does(lifecycle.create, KeyOrder(), scheme=scheme).key
    assert key.expires_at == clock.now + 90 * DAY_S
    if days is None:
        return
    too_long = KeyOrder(life_s=(days + 1) * DAY_S)
    with pytest.raises(UsageError, match=f"at most {days} days"):
        does(identities.register_client, Client(), too_long, scheme=scheme)
    later = Changes(expires_at=clock.now + (days + 1) * DAY_S)
    with pytest.raises(TransitionError, match="longer than clients may"):
        does(alter.change, made.id, later, scheme=scheme)
