import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from database.schema import keys
from keystore.issue import Issued
from keystore.keys import Key, key_of
from keystore.keys import row_of as row
from keystore.scheme import BASE62, KeyScheme, base62, checksum, hash_of, new_key_id
from scanner import checksum as scanner_checksum
from vocabulary.credential import credential_of
from vocabulary.errors import ConfigError

SCHEME = KeyScheme()
NOW = 1_750_000_000.0


def a_key(**fields) -> Key:
    given_fields = {"id": "key_a", "hash": "0" * 64, "prefix": "sk", "environment": "live"}
    return Key(**(given_fields | {"created_at": NOW} | fields))


@given(st.sampled_from(["live", "test"]), st.booleans(), st.binary(min_size=32, max_size=32))
def test_a_generated_key_says_what_it_is(environment, publishable, entropy):
    text = SCHEME.generate(environment, publishable=publishable, random=lambda n: entropy[:n])
    shape = SCHEME.parse(text)
    assert shape is not None
    assert (shape.environment, shape.publishable) == (environment, publishable)
    assert shape.checksum == "valid"
    assert len(text) == len(shape.prefix) + len(environment) + 2 + (33 if publishable else 43) + 6


@given(st.data())
def test_a_changed_character_is_noticed(data):
    text = SCHEME.generate("live")
    place = data.draw(st.integers(len("sk_live_"), len(text) - 1))
    other = data.draw(st.sampled_from([c for c in BASE62 if c != text[place]]))
    shape = SCHEME.parse(text[:place] + other + text[place + 1 :])
    assert shape is not None
    assert shape.checksum == "invalid"


@given(st.text())
def test_other_text_is_not_a_key(text):
    assert SCHEME.parse(text) is None
    assert SCHEME.parse("sk_live_" + text) is None or len(text) in (43, 49)


def test_keys_without_checksum_are_read_whatever_the_scheme_says():
    text = KeyScheme(checksum=False).generate("test")
    shape = SCHEME.parse(text)
    assert shape is not None
    assert shape.checksum == "none"


@given(st.integers(0, 2**256 - 1))
def test_base62_reads_back(number):
    digits = base62(number, 43)
    alphabet = string.digits + string.ascii_uppercase + string.ascii_lowercase
    assert len(digits) == 43
    value = 0
    for digit in digits:
        value = value * 62 + alphabet.index(digit)
    assert value == number


@pytest.mark.parametrize("publishable", [False, True])
def test_the_scanner_proves_the_same_checksum(publishable):
    text = SCHEME.generate("live", publishable=publishable)
    assert scanner_checksum.check("keywatch", text)
    assert not scanner_checksum.check("keywatch", text[:-1] + ("0" if text[-1] != "0" else "1"))
    assert text[:-6] + scanner_checksum.append("keywatch", text[:-6]) == text


def test_a_checksum_is_six_digits_of_crc_32():
    # CRC-32 of "123456789" is 0xCBF43926, its check value in every catalogue
    assert checksum("123456789") == base62(0xCBF43926, 6)


def test_the_store_and_a_credential_hash_alike():
    assert hash_of("abc") == credential_of("abc").sha256


def test_ids_are_short_random_and_lower_case():
    ids = {new_key_id() for _ in range(1000)}
    assert len(ids) == 1000
    assert {len(each) for each in ids} == {len("key_") + 16}
    assert set("".join(each.removeprefix("key_") for each in ids)) <= set(
        string.ascii_lowercase + "234567"
    )


@pytest.mark.parametrize(
    "wrong",
    [
        {"prefix": "SK"},
        {"prefix": ""},
        {"prefix": "a-b"},
        {"environments": ("live", "Test")},
        {"environments": ()},
        {"publishable_prefix": "sk"},
        {"prefix": "a_b", "publishable_prefix": "a", "environments": ("b_live", "live")},
        {"life_s": 100.0, "max_life_s": 99.0},
        {"life_s": 0.0},
    ],
)
def test_a_scheme_that_would_confuse_is_refused(wrong):
    with pytest.raises(ConfigError):
        KeyScheme(**wrong)


def test_neither_secret_nor_hash_is_in_a_repr():
    issued = Issued(a_key(hash="f" * 64), "the secret")
    assert "the secret" not in repr(issued)
    assert "f" * 64 not in repr(issued)


def test_a_key_has_the_columns_of_its_table():
    key = a_key(scopes=("a",))
    assert list(row(key)) == [column.name for column in keys.columns]
    assert key_of(row(key) | {"scopes": ["a"]}) == key


@pytest.mark.parametrize(
    ("fields", "state", "verdict"),
    [
        ({}, "active", "live"),
        ({"environment": "test"}, "active", "test"),
        ({"environment": "eu_prod"}, "active", "live"),
        ({"expires_at": NOW + 1}, "active", "live"),
        ({"expires_at": NOW}, "expired", "expired"),
        ({"state": "deprecated", "grace_until": NOW + 1}, "deprecated", "deprecated"),
        ({"state": "deprecated", "grace_until": NOW}, "revoked", "revoked"),
        ({"state": "deprecated", "grace_until": NOW, "expires_at": NOW}, "expired", "expired"),
        ({"state": "revoked", "expires_at": NOW}, "revoked", "revoked"),
        ({"suspended": True}, "active", "suspended"),
        ({"suspended": True, "suspended_until": NOW}, "active", "live"),
        ({"suspended": True, "expires_at": NOW}, "expired", "expired"),
    ],
)
def test_state_and_verdict_follow_from_the_row_and_the_time(fields, state, verdict):
    key = a_key(**fields)
    assert key.effective_state(NOW) == state
    assert key.verdict(NOW) == verdict
    assert key.known(NOW).verdict == verdict
