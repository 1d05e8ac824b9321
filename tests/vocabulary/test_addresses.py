"""Addresses are shown without what is secret in them, and otherwise as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocabulary.addresses import without_secrets


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("postgresql://me:{}@db:5432/x", "postgresql://me:***@db:5432/x"),
        ("postgresql://db/x?user=me&password={}", "postgresql://db/x?user=me&password=***"),
        ("postgresql://db/x?sslpassword={}&sslmode=require", "sslpassword=***&sslmode=require"),
        ("redis://:{}@cache/0", "redis://:***@cache/0"),
        ("https://{}@example.org/1", "https://***@example.org/1"),
        ("https://example.org/in?Token={}#part", "https://example.org/in?Token=***#part"),
        ("smtp://me:{}@mail:587", "smtp://me:***@mail:587"),
    ],
)
@pytest.mark.parametrize("secret", ["hush", "hu:sh", "a/hush?b@c", "hush%40"])
def test_passwords_and_tokens_are_hidden(address, shown, secret):
    if "@" not in address or address.startswith("https"):
        secret = secret.partition("@")[0].partition(":")[0].replace("/", "").replace("?", "")
    said = without_secrets(address.format(secret))
    assert said.endswith(shown)
    assert "hush" not in said


@pytest.mark.parametrize(
    "address",
    [
        "sqlite:///keywatch.db",
        "postgresql://me@db/x?sslmode=require&application_name=key",
        "https://example.org:8443/a/b?page=2",
        "/var/log/nginx/*.log",
        "owner@example.org",
    ],
)
def test_what_holds_no_secret_is_shown_as_it_is(address):
    assert without_secrets(address) == address


@given(st.text(max_size=60))
def test_what_was_cleaned_is_clean(text):
    once = without_secrets(text)
    assert without_secrets(once) == once
