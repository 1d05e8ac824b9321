"""Addresses are shown without what is secret in them, and otherwise as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocabulary.addresses import of_hook, without_secrets


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


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://hooks.slack.com/services/{}/{}", "https://hooks.slack.com/***"),
        ("https://discord.com/api/webhooks/123/{}", "https://discord.com/api/webhooks/***"),
        (
            "https://canary.discordapp.com/api/v10/webhooks/1/{}",
            "discordapp.com/api/v10/webhooks/***",
        ),
        ("https://acme.webhook.office.com/webhookb2/{}@x/y", "https://acme.webhook.office.com/***"),
        ("https://prod-1.westus.logic.azure.com:443/workflows/{}?sig={}", "443/***?sig=***"),
        ("https://api.telegram.org/bot{}/sendMessage", "https://api.telegram.org/***"),
    ],
)
def test_the_path_of_an_incoming_hook_is_hidden_wherever_it_stands(address, shown):
    secret = "hush" + "AbC123" * 4
    for said in (
        without_secrets(address.format(secret, secret)),
        of_hook(address.format(secret, secret)),
    ):
        assert said.endswith(shown)
        assert secret not in said


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("https://chat.example.org/hooks/{}", "https://chat.example.org/hooks/***"),
        ("https://example.org/api/v3/{}/post?x=1", "https://example.org/api/v3/***/post?x=1"),
        ("https://me:{}@example.org/{}", "https://me:***@example.org/***"),
    ],
)
@pytest.mark.parametrize(
    "secret", ["xyz1", "a" * 26, "00000000-1111-2222-3333-444444444444", "A%2Fb"]
)
def test_of_where_messages_are_posted_plain_words_are_shown(address, shown, secret):
    assert of_hook(address.format(secret, secret)) == shown


@pytest.mark.parametrize(
    "address",
    [
        "https://example.org/hooks/key-watch", "https://github.example.org/api/v3",
        "file:///var/log/alerts-2026.json", "kafka://broker1:9092/alerts1", "smtp://mail1:587",
        "https://example.org", "",
    ],
)  # fmt: skip
def test_of_where_messages_are_posted_what_is_no_secret_is_shown(address):
    assert of_hook(address) == address


@given(st.text(max_size=60))
def test_a_hook_that_was_cleaned_is_clean(text):
    assert of_hook(of_hook(text)) == of_hook(text)
