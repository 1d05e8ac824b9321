"""Key containers: that they hold a key, and whether a password opens them that everybody knows."""

import base64
from datetime import datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives import serialization as forms
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import pkcs12
from cryptography.x509.oid import NameOID

from scanner import scan
from scanner.pkcs12 import container
from tests.scanner.secrets import password

OPEN, CLOSED = "private-key-container-open", "private-key-container"
MACS = (hashes.SHA1(), hashes.SHA256(), hashes.SHA512())


@pytest.fixture(scope="module")
def pair():
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "acme")])
    begun = datetime(2024, 1, 1)  # noqa: DTZ001  (what the library asks for)
    cert = (
        x509.CertificateBuilder().subject_name(name).issuer_name(name).serial_number(7)
        .public_key(key.public_key()).not_valid_before(begun)
        .not_valid_after(begun + timedelta(days=9999)).sign(key, hashes.SHA256())
    )  # fmt: skip
    return key, cert


def sealed(pair, word, rounds=2048, mac=hashes.SHA256()):  # noqa: B008  (it holds no state)
    way = forms.PrivateFormat.PKCS12.encryption_builder().kdf_rounds(rounds).hmac_hash(mac)
    return pkcs12.serialize_key_and_certificates(b"acme", *pair, None, way.build(word.encode()))


@pytest.mark.parametrize(
    ("word", "rule"), [("changeit", OPEN), ("notasecret", OPEN), (password(4), CLOSED)]
)
@pytest.mark.parametrize("mac", MACS, ids=lambda mac: mac.name)
def test_a_password_that_everybody_knows_is_none(tmp_path, pair, word, rule, mac):
    raw = sealed(pair, word, mac=mac)
    (tmp_path / "key.p12").write_bytes(raw)
    (tmp_path / "key.txt").write_bytes(b"p12: " + base64.b64encode(raw) + b"\n")
    (finding,) = scan(tmp_path)
    assert {place.path for place in finding.places} == {"key.p12", "key.txt"}
    assert (finding.rule, finding.verdict.checksum) == (rule, "valid")


def test_a_key_that_lies_open_in_a_container_is_the_same_as_in_pem(tmp_path, pair):
    none, pkcs8 = forms.NoEncryption(), forms.PrivateFormat.PKCS8
    raw = pkcs12.serialize_key_and_certificates(b"acme", *pair, None, none)
    (tmp_path / "key.pfx").write_bytes(raw)
    (tmp_path / "key.pem").write_bytes(pair[0].private_bytes(forms.Encoding.PEM, pkcs8, none))
    (finding,) = scan(tmp_path)
    assert {place.path for place in finding.places} == {"key.pfx", "key.pem"}


def test_a_container_that_would_take_long_to_try_is_not_tried(tmp_path, pair):
    (tmp_path / "key.p12").write_bytes(sealed(pair, "changeit", rounds=20_000))
    (finding,) = scan(tmp_path)
    assert finding.rule == OPEN  # its MAC is made with fewer rounds than its keys
    text = bytearray(sealed(pair, "changeit"))
    text[-2:] = b"\x7f\xff"
    (tmp_path / "key.p12").write_bytes(text)
    (finding,) = scan(tmp_path)
    assert finding.rule == CLOSED


def test_of_many_containers_in_a_row_the_first_are_tried(engine, pair):
    text = b"".join(sealed(pair, "changeit") for _ in range(20))
    kinds = [match.rule.id for match in engine.search(text)]
    assert kinds == [OPEN] * 8 + [CLOSED] * 12


def test_a_container_of_certificates_alone_is_nothing(tmp_path, pair):
    raw = pkcs12.serialize_java_truststore(
        [pkcs12.PKCS12Certificate(pair[1], b"acme")], forms.BestAvailableEncryption(b"changeit")
    )
    (tmp_path / "trust.p12").write_bytes(raw)
    assert not len(scan(tmp_path))


def test_bytes_of_any_kind_are_read_within_bounds(pair):
    raw = sealed(pair, "changeit")
    for cut in range(0, len(raw), 7):
        broken = raw[:cut] + b"\xff" + raw[cut + 1 :]
        for text in (broken, raw[:cut]):
            region = container(text, 22, 0, len(text))
            assert region is None or region.end <= len(text)
