"""Secrets that others found: what is read of a report, and whose signature is believed."""

import base64
import json
import sys

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa

from streams.disclosure import PublicKeys, disclosures, labels, verify
from vocabulary.credential import credential_of
from vocabulary.errors import FormatError, ServiceError, SignatureError, UsageError

URL = "https://keys.example/"
BODY = b"[]"
SIGNER = ec.generate_private_key(ec.SECP256R1())


def published(*keys):
    told = [
        {
            "key_identifier": f"k{number}",
            "key": key
            if isinstance(key, str)
            else key.public_bytes(
                serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
            ).decode(),
        }
        for number, key in enumerate(keys)
    ]
    return PublicKeys(URL, lambda _: json.dumps({"public_keys": told}).encode())


def signed(body=BODY, *, by="k0", signer=SIGNER):
    mark = base64.b64encode(signer.sign(body, ec.ECDSA(hashes.SHA256()))).decode()
    return {"github-public-key-identifier": by, "github-public-key-signature": mark}


def test_a_report_is_read_without_its_secrets_and_without_what_could_hold_one():
    token = "not-a-secret-of-anybody"
    told = {
        "token": f" {token}\n",
        "type": "acme\x1b[31m_key",
        "url": f"https://git.example/a?token={token}",
        "source": "content\n",
    }
    for body in (told, [told]):
        (one,) = disclosures(json.dumps(body).encode())
        assert one.credential == credential_of(token)
        assert (one.kind, one.url, one.source) == (
            "acme[31m_key",
            "https://git.example/a",
            "content",
        )
        assert token not in repr(one)


@pytest.mark.parametrize(
    "told",
    [
        "[1]",
        "[[",
        "{" * 9999,
        '"x"',
        '{"token": ""}',
        {"token": "x" * 8193},
        {"token": "x", "url": "u" * 2049},
        [{"token": "x"}] * 10_001,
    ],
)
def test_refuses_what_is_no_report_without_repeating_it(told):
    body = told if isinstance(told, str) else json.dumps(told)
    with pytest.raises(FormatError) as refused:
        disclosures(body.encode())
    assert str(refused.value).startswith("report: no array of {token, type, url, source}")


def test_says_which_are_real_by_their_hashes():
    reported = disclosures(json.dumps([{"token": "a", "type": "t"}, {"token": "b"}]).encode())
    assert labels(reported, [True, False]) == [
        {
            "token_hash": credential_of("a").sha256,
            "token_type": "t",
            "label": "true_positive",
        },
        {"token_hash": credential_of("b").sha256, "token_type": "", "label": "false_positive"},
    ]


def test_believes_a_published_key():
    verify(signed(), BODY, published(SIGNER.public_key()))


STRANGER = ec.generate_private_key(ec.SECP256R1())


@pytest.mark.parametrize(
    ("headers", "keys", "said"),
    [
        ({}, [SIGNER.public_key()], "no signature"),
        (signed() | {"github-public-key-identifier": ""}, [SIGNER.public_key()], "no signature"),
        (signed(signer=STRANGER), [SIGNER.public_key()], "does not fit"),
        (signed(b"[{}]"), [SIGNER.public_key()], "does not fit"),
        (signed() | {"github-public-key-signature": "!"}, [SIGNER.public_key()], "does not fit"),
        (signed(by="k9"), [SIGNER.public_key()], "unknown key"),
        (signed(), [rsa.generate_private_key(65537, 2048).public_key()], "another kind of key"),
        (signed(), [ed25519.Ed25519PrivateKey.generate().public_key()], "another kind of key"),
        (signed(), ["no PEM"], "does not fit"),
    ],
)
def test_believes_nobody_else(headers, keys, said):
    with pytest.raises(SignatureError, match=said):
        verify(headers, BODY, published(*keys))


def test_without_the_package_nobody_is_believed(monkeypatch):
    monkeypatch.setitem(sys.modules, "cryptography.exceptions", None)
    with pytest.raises(UsageError, match=r"install keywatch\[tokens\]"):
        verify(signed(), BODY, published(SIGNER.public_key()))


def test_keys_that_cannot_be_had_are_asked_for_once_a_minute_and_believed_for_an_hour():
    now, asked, away = [0.0], [], [False]

    def fetch(url):
        asked.append(url)
        if away[0]:
            raise ServiceError("away", where=url)
        return json.dumps({"public_keys": [{"key_identifier": "k0", "key": "pem"}]}).encode()

    keys = PublicKeys(URL, fetch, lambda: now[0])
    assert keys.find("k0") == "pem"
    away[0], now[0] = True, 3600.0
    assert keys.find("k0") == "pem"
    now[0] = 3601.0
    for said in ("away", "could not be had"):  # the second time nobody asks
        with pytest.raises(ServiceError, match=said):
            keys.find("k0")
    away[0], now[0] = False, 3700.0
    assert keys.find("k0") == "pem"
    assert asked == [URL] * 3
