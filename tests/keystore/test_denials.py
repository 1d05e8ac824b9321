from hashlib import sha256

import pytest

from database.transaction import reading, transaction
from keystore import denials, feed
from keystore.audit import rows_of
from keystore.denials import Denial, DenyList
from keystore.unregistered import is_let_in, name_of_identity, name_of_secret
from vocabulary.errors import KeyStoreError, UsageError

NAME = "token:0123456789abcdef"
BY = {"actor": "ann", "reason": "a test"}
ISSUER = "https://issuer.example"


@pytest.fixture
def deny(store, clock):
    def call(**said):
        with transaction(store.engine) as connection:
            return denials.deny(connection, Denial(**said), **BY, now=clock.now)

    return call


def listed(store, clock) -> DenyList:
    with reading(store.engine) as connection:
        return DenyList(denials.snapshot(connection, clock.now))


def refused(store, clock, subject="alice", jti="t1", issued_at=1000.0, issuer=ISSUER) -> bool:
    return listed(store, clock).token(issuer, subject, jti, issued_at, clock.now) is not None


def test_a_token_is_refused_by_its_id(store, clock, deny):
    deny(kind="jti", issuer=ISSUER, value="t1")
    assert refused(store, clock)
    assert not refused(store, clock, jti="t2")
    assert not refused(store, clock, issuer="https://another.example")


def test_a_denial_that_names_no_issuer_is_of_all(store, clock, deny):
    deny(kind="jti", value="t1")
    assert refused(store, clock, issuer="https://another.example")


def test_a_subject_is_refused_up_to_a_moment(store, clock, deny):
    deny(kind="subject", issuer=ISSUER, value="alice", issued_before=1000.0)
    assert refused(store, clock, issued_at=999.9)
    assert not refused(store, clock, issued_at=1000.0)
    assert refused(store, clock, issued_at=None)
    assert not refused(store, clock, subject="bob", issued_at=1.0)


def test_all_of_an_issuer_is_refused_up_to_a_moment(store, clock, deny):
    deny(kind="issuer", issuer=ISSUER, issued_before=1000.0)
    assert refused(store, clock, subject="", jti="", issued_at=999.0)
    assert not refused(store, clock, issued_at=1001.0)


def test_certificates_are_refused_however_the_fingerprint_is_written(store, clock, deny):
    fingerprint = "ab" * 32
    deny(kind="fingerprint", value=":".join(["AB"] * 32))
    deny(kind="serial", issuer="CN=ca", value="0x00FF")
    found = listed(store, clock)
    assert found.certificate([fingerprint.upper()], "", "", clock.now)
    assert found.certificate(["cd" * 32], "CN=ca", "ff", clock.now)
    assert not found.certificate(["cd" * 32], "CN=another", "ff", clock.now)
    assert not found.certificate(["cd" * 32], "CN=ca", "fe", clock.now)


def test_a_denial_ends(store, clock, deny):
    deny(kind="jti", value="t1", until=clock.now + 10)
    kept = listed(store, clock)
    clock.now += 10
    assert not refused(store, clock)
    assert kept.token(ISSUER, "alice", "t1", 1.0, clock.now) is None


def test_denying_twice_never_refuses_less(store, clock, deny):
    first = deny(kind="subject", value="alice", issued_before=2000.0, until=clock.now + 100)
    again = deny(kind="subject", value="alice", issued_before=1000.0, until=clock.now + 10)
    assert (again.issued_before, again.until) == (first.issued_before, first.until)
    deny(kind="subject", value="alice")
    assert refused(store, clock, issued_at=5000.0)
    assert len(listed(store, clock)) == 1


def test_a_denial_that_is_over_begins_anew(store, clock, deny):
    deny(kind="subject", value="alice", until=clock.now + 10)
    clock.now += 20
    deny(kind="subject", value="alice", issued_before=1000.0)
    assert refused(store, clock, issued_at=999.0)
    assert not refused(store, clock, issued_at=1001.0)


def test_a_change_is_told_and_audited(store, clock, deny):
    made = deny(kind="jti", value="t1")
    with transaction(store.engine) as connection:
        denials.allow(connection, made.id, **BY, now=clock.now)
    with reading(store.engine) as connection:
        told = [change.key_id for change in feed.changes_since(connection, 0)]
        assert [row.verb for row in rows_of(connection, "jti:t1")] == ["deny", "allow"]
    assert told == [feed.DENIALS, feed.DENIALS]
    assert not refused(store, clock)
    with pytest.raises(KeyStoreError), transaction(store.engine) as connection:
        denials.allow(connection, made.id, **BY, now=clock.now)


@pytest.mark.parametrize(
    "said",
    [
        {"kind": "luck", "value": "x"},
        {"kind": "jti"},
        {"kind": "jti", "value": "x" * 3000},
        {"kind": "fingerprint", "value": "abc"},
        {"kind": "serial", "value": "zz"},
        {"kind": "jti", "value": "x", "until": 1.0},
        {"kind": "subject", "value": "x", "issued_before": -1.0},
        {"kind": "credential", "value": "the secret itself"},
        {"kind": "credential", "value": "token:0123"},
        {"kind": "pace", "value": NAME},
        {"kind": "pace", "value": NAME, "per_min": -1},
        {"kind": "credential", "value": NAME, "per_min": 3},
    ],
)
def test_what_says_nothing_well_is_refused(deny, said):
    with pytest.raises(UsageError):
        deny(**said)


def test_hostile_text_can_be_denied(store, clock, deny):
    deny(kind="jti", value="a\0b")
    assert len(listed(store, clock)) == 1


def test_what_is_no_name_of_a_credential_is_not_repeated(deny):
    with pytest.raises(UsageError) as told:
        deny(kind="credential", value="the secret itself")
    assert "secret itself" not in str(told.value)


def test_a_secret_is_refused_by_its_name_in_logs_or_its_hash(store, clock, deny):
    name = name_of_secret(b"a secret")
    deny(kind="credential", value=f"sha256:{sha256(b'a secret').hexdigest().upper()}")
    found = listed(store, clock)
    assert found.credential([NAME, name], clock.now)
    assert not found.credential([NAME], clock.now)
    assert not DenyList().credential([name], clock.now)
    with reading(store.engine) as connection:
        assert [row.verb for row in rows_of(connection, name)] == ["deny"]


def test_whoever_is_slowed_down_twice_goes_at_the_slower_pace(store, clock, deny):
    deny(kind="pace", value=NAME, per_min=6, until=clock.now + 10)
    deny(kind="pace", value=NAME, per_min=60, until=clock.now + 20)
    found = listed(store, clock).pace([NAME, "token:0000000000000000"], clock.now)
    assert (found.per_min, found.until) == (6, clock.now + 20)
    assert listed(store, clock).pace([NAME], clock.now + 20) is None


@pytest.mark.parametrize(
    ("name", "let_in"),
    [
        (name_of_identity("token", "0123456789abcdef" * 4), True),
        (name_of_identity("certificate", "0123456789abcdef" * 4), True),
        (name_of_secret(b"a secret"), False),
        ("key_1", False),
    ],
)
def test_whom_a_gateway_lets_in_without_knowing_them(name, let_in):
    assert is_let_in(name) == let_in
