"""Secrets that are some for where they stand; all values are made up at run time."""

import json
import random
from base64 import b64encode, urlsafe_b64encode
from hashlib import sha256

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from scanner.backtrack import ways
from scanner.context import RULES
from scanner.passing import redacted_text
from scanner.redact import Redactor
from scanner.rule import RUNAWAY
from scanner.rules import load_rules
from streams import formats

chance = random.Random(17)
HEX = chance.randbytes(16).hex()
OPAQUE = urlsafe_b64encode(chance.randbytes(33)).decode()
BASIC = b64encode(b"admin:" + HEX[:9].encode()).decode()


def part(value):
    return urlsafe_b64encode(json.dumps(value).encode()).decode().rstrip("=")


JWT = ".".join([part({"alg": "HS256"}), part({"sub": HEX[:8], "exp": 1_900_000_000}), OPAQUE[:43]])
SPOKEN = "correct horse, battery"


@pytest.fixture(scope="module")
def redactor():
    return Redactor(load_rules())


AWS_ID = "AKIA" + "".join(chance.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567", k=16))
UUID = f"{HEX[:8]}-{HEX[8:12]}-4{HEX[13:16]}-a{HEX[17:20]}-{HEX[20:]}"


@pytest.mark.parametrize("name", [AWS_ID, "17", "partner-a", "svc.billing_eu-42", "acme"])
@pytest.mark.parametrize(
    "line",
    ['{{"api_key":"{}","a":1}}', "ts=1 api_key={} a=1", '{{"m":"{{\\"apiKey\\":\\"{}\\"}}"}}'],
)
def test_ids_that_a_log_calls_api_key_stay(redactor, name, line):
    raw = line.format(name).encode()
    assert redacted_text(redactor.engine.searcher(), raw) == raw


@pytest.mark.parametrize(
    ("value", "line"),
    [
        *[(value, '{{"api_key":"{}"}}') for value in (UUID, HEX, "Hunter", "abcdefghijklmnopqrst")],
        ("hunter2", "api_key={}"),
        ("partner-a!x", "api_key={}"),
        ("partner", "X-Api-Key: {}"),
        ("partner", '{{"http_x_api_key":"{}"}}'),
        ("partner", "GET /v1/a?api_key={} HTTP/1.1"),
        ("partner-a", '{{"password":"{}"}}'),
    ],
)
def test_what_is_plainly_no_id_or_was_sent_as_a_key_goes(redactor, value, line):
    raw = line.format(value).encode()
    assert value.encode() not in redacted_text(redactor.engine.searcher(), raw)


@pytest.mark.parametrize(
    ("secret", "line"),
    [
        (JWT, "Authorization: Bearer {}"),
        (JWT, "the session {} ended"),
        (OPAQUE, "Authorization: Bearer {}"),
        (OPAQUE, '"http_authorization":"Bearer {}","status":200'),
        (OPAQUE, "upstream said 401 to Bearer {}"),
        (HEX, "Authorization: {}"),
        (HEX, "Authorization: Token {}"),
        (BASIC, "Proxy-Authorization: Basic {}"),
        (BASIC, 'authorization="Basic {}"'),
        (HEX, '"GET /v1/a?api_key={} HTTP/1.1" 200'),
        (HEX, '"GET /v1/a?x=1&apikey={}&y=2 HTTP/1.1" 200'),
        (OPAQUE, "GET /cb?access_token={} HTTP/1.1"),
        (OPAQUE, "https://a.example/cb?token={}"),
        (HEX, "https://a.example/maps?key={}&q=1"),
        (HEX, "X-Api-Key: {}"),
        (HEX, "x-auth-token={}"),
        (HEX, "Cookie: a=b; refresh_token={}; c=d"),
        (HEX, "cloning https://user:{}@git.example/x.git"),
        (HEX, "ldap://:{}@dir:389/0"),
        (OPAQUE, '{{"client_secret": "{}", "a": 1}}'),
        (SPOKEN, '{{"password": "{}", "a": 1}}'),
        (SPOKEN, '{{"body": "{{\\"password\\":\\"{}\\",\\"a\\":1}}"}}'),
        (SPOKEN, "{{'db_password': '{}'}}"),
        ("hunter2", "password: {}"),
        ("hunter2", "login password={}, user=me"),
        ("hunter2", "clientSecret => '{}'"),
        (HEX, '{{"token":"{}"}}'),
        (HEX, "retry token={} attempt=2"),
        (HEX, "body=user%3Dme%26password%3D{}"),
    ],
)
def test_a_value_in_a_telling_place_is_replaced_and_nothing_else(redactor, secret, line):
    searcher = redactor.engine.searcher()
    raw = line.format(secret).encode()
    shown = redacted_text(searcher, raw)
    before, after = line.format("\0").encode().split(b"\0")
    assert secret.encode() not in shown
    assert shown.startswith(before)
    assert shown.endswith(after)
    assert shown[len(before) : len(shown) - len(after)] in {b"[REDACTED]", b"eyJ[REDACTED]"}
    cleaned, exposures = redactor.clean([raw])
    assert secret.encode() not in cleaned[0]
    assert cleaned[0] == before + exposures[0].credential.token.encode() + after
    assert len(exposures) == 1
    # What was replaced holds nothing any more.
    assert redactor.clean(cleaned)[0] is cleaned
    assert redacted_text(searcher, shown) == shown


@pytest.mark.parametrize(
    "line",
    [
        'WWW-Authenticate: Bearer realm="api", error="invalid_token"',
        "Bearer authentication is required, not Basic authentication",
        "password: required",
        "GET /v1/password/reset?token=none HTTP/1.1",
        "GET /list?key=name&page_token=17&sort=asc",
        "GET /x?api_key=&password=***",
        '"api_key_id":"key_4shfcy42beokoo7c","request_id":"' + "7f3e" * 8 + '"',
        "GET /v1/a?api_key=key_4shfcy42beokoo7c HTTP/1.1",
        "secret: ${DB_PASSWORD} password=${DB_PASSWORD}",
        "https://host:8080/a@b and http://[::1]:80/@me",
        "commit " + "0a9f" * 10 + " etag=W/" + "9b" * 16,
        "Authorization: AWS4-HMAC-SHA256 Credential=A/20260101, SignedHeaders=host",
    ],
)
def test_words_about_secrets_and_ids_are_let_alone(redactor, line):
    lines = [line.encode()]
    assert redactor.clean(lines) == (lines, ())


def test_no_line_of_any_format_is_changed(redactor):
    lines = [line for name in formats.names() for line in formats.find(name).samples]
    assert len(lines) > 30
    assert redactor.clean(lines)[0] is lines


def test_an_encoded_value_is_known_by_what_it_decodes_to(redactor):
    _, (exposure,) = redactor.clean([b"GET /?api_key=a%2Fb%2B" + HEX.encode()])
    assert exposure.credential.sha256 == sha256(b"a/b+" + HEX.encode()).hexdigest()


def test_a_key_that_is_the_user_of_basic_is_known_as_itself(redactor):
    encoded = b64encode(HEX.encode() + b":")
    _, (exposure,) = redactor.clean([b"Authorization: Basic " + encoded])
    assert exposure.credential.sha256 == sha256(HEX.encode()).hexdigest()


def test_the_word_before_a_secret_does_not_pass_it_off_as_replaced(redactor):
    (line,), _ = redactor.clean([b"GET /?credential:" + JWT.encode()])
    assert JWT.encode() not in line


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_no_text_keeps_a_rule_busy(rule):
    assert ways(rule.pattern, 1 << 10) < RUNAWAY


@given(
    st.lists(
        st.sampled_from(
            [
                "password",
                "api_key",
                "Authorization",
                "Bearer ",
                "token",
                '"',
                "\\",
                ":",
                "=",
                "&",
                "?",
                " ",
                "://",
                "@",
                "\n",
                HEX,
                JWT,
                "credential:",
                "é",
                "%22",
                "\x00",
            ]
        ),
        max_size=40,
    ).map("".join)
)
@example(f"password::{JWT}:")
@example(f"password:password:{JWT}")
@example(f"{JWT}credential:{JWT}")
def test_cleaning_twice_is_cleaning_once(redactor, text):
    lines = text.encode().split(b"\n")
    cleaned, exposures = redactor.clean(lines)
    assert len(cleaned) == len(lines)
    assert bool(exposures) == (cleaned is not lines)
    again, _ = redactor.clean(cleaned)
    assert list(again) == list(cleaned)
