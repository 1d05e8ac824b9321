"""Client certificates as proxies tell of them."""

import time
from base64 import b64encode
from hashlib import sha1, sha256
from urllib.parse import quote

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from gateway.certificates import CertificateError, check, shown
from gateway.spellings import ORDERS
from keystore.denials import Denial, DenyList
from tests.gateway.issuer import certificate, der, pem

CERT = certificate(name="robot", spiffe="spiffe://prod/robot", dns=("robot.example",))
TWICE = certificate(spiffe=("spiffe://prod/robot", "spiffe://prod/admin"))
PRINT = sha256(der(CERT)).hexdigest()
NGINX = {
    b"x-ssl-client-cert": quote(pem(CERT)).encode(),
    b"x-ssl-client-verify": b"SUCCESS",
}
RFC_9440 = {b"client-cert": b":" + b64encode(der(CERT)) + b":"}
ENVOY = {
    b"x-forwarded-client-cert": (
        f'By=spiffe://prod/gateway;Hash={PRINT};Subject="CN=robot,O=Ours";'
        f"URI=spiffe://prod/robot;DNS=robot.example"
    ).encode()
}


@pytest.mark.parametrize("told", [NGINX, RFC_9440, ENVOY], ids=["nginx", "rfc9440", "envoy"])
def test_whoever_tells_of_it_it_has_the_same_names(told):
    found = shown(told, hash_suffices=True)
    own, *others = found.names
    if told is not ENVOY:  # which tells of no signature
        assert others.pop(0) == f"sha256:{sha256(twin(CERT)).hexdigest()}"
    assert (own, *others) == (
        f"sha256:{PRINT}",
        "spiffe://prod/robot",
        "dns:robot.example",
        "cn:robot",
    )
    assert found.fingerprints[0] == PRINT


def test_envoys_whole_certificate_is_read_where_it_is_sent():
    element = f'Hash={PRINT};Cert="{quote(pem(CERT))}"'
    assert shown({b"x-forwarded-client-cert": element.encode()}).serial == f"{CERT.serial_number:x}"


def test_of_several_elements_our_own_proxys_counts():
    forged = f"Hash={'a' * 64};URI=spiffe://prod/admin"
    told = forged.encode() + b"," + ENVOY[b"x-forwarded-client-cert"]
    found = shown({b"x-forwarded-client-cert": told}, hash_suffices=True)
    assert found.names[1] == "spiffe://prod/robot"


def test_a_comma_in_a_quoted_subject_begins_no_element():
    element = f'Hash={PRINT};Subject="CN=\\"x\\",Hash={"a" * 64}"'
    found = shown({b"x-forwarded-client-cert": element.encode()}, hash_suffices=True)
    assert found.fingerprints == (PRINT,)


def test_a_hash_alone_shows_no_certificate_unless_that_is_allowed():
    with pytest.raises(CertificateError) as error:
        shown(ENVOY)
    assert error.value.code == "certificate_not_shown"


@pytest.mark.parametrize(
    "told",
    [
        {b"x-ssl-client-cert": NGINX[b"x-ssl-client-cert"]},
        {**NGINX, b"x-ssl-client-verify": b"FAILED:self signed certificate"},
        {**NGINX, b"x-ssl-client-verify": b"NONE"},
        {**NGINX, b"x-ssl-client-verify": b"SUCCESS, SUCCESS"},
        {b"x-ssl-client-verify": b"FAILED:expired"},
        {**NGINX, **RFC_9440},
        {**ENVOY, **RFC_9440},
        {b"client-cert": b64encode(der(CERT))},
        {b"client-cert": b":!!!:"},
        {b"client-cert": b":" + b64encode(der(TWICE)) + b":"},
        {b"client-cert": b":" + b64encode(der(CERT)[:-1]) + b":"},
        {b"client-cert": b":" + b64encode(b"\x30\x80" * 50) + b":"},
        {b"client-cert": b":" + b"A" * 40_000 + b":"},
        {b"x-forwarded-client-cert": b"URI=spiffe://prod/robot"},
        {b"x-forwarded-client-cert": b"Hash=abc"},
        {b"x-forwarded-client-cert": b"\xff\xfe"},
        {b"x-forwarded-client-cert": b'Hash="'},
        {b"x-forwarded-client-cert": f"Hash={PRINT};URI=spiffe://a/b;URI=spiffe://c/d".encode()},
        {b"x-forwarded-client-cert": b"," * 100},
    ],
)
def test_what_cannot_be_read_or_was_not_verified_is_refused(told):
    with pytest.raises(CertificateError) as error:
        shown(told)
    assert error.value.code == "certificate_invalid"


@given(st.binary(max_size=200))
def test_no_header_breaks_it(value):
    for name in (b"x-forwarded-client-cert", b"client-cert"):
        try:
            found = shown({name: value}, hash_suffices=True)
        except CertificateError:
            continue
        assert found is None or found.fingerprints


def test_none_is_told_where_there_is_none():
    assert shown({}) is None
    assert shown({b"x-ssl-client-verify": b"NONE", b"x-ssl-client-cert": b""}) is None


@pytest.mark.parametrize(
    ("days", "begun", "code"),
    [(90, 1, ""), (-1, 30, "certificate_expired"), (90, -1, "certificate_not_yet_valid")],
)
def test_its_time_is_kept(days, begun, code):
    found = shown({b"client-cert": b":" + b64encode(der(certificate(days, begun))) + b":"})
    if not code:
        check(found, DenyList(), time.time())
        return
    with pytest.raises(CertificateError) as error:
        check(found, DenyList(), time.time())
    assert error.value.code == code


def test_its_owner_is_warned_of_its_age_and_its_end():
    def warnings(days, begun):
        encoded = b64encode(der(certificate(days, begun)))
        return shown({b"client-cert": b":" + encoded + b":"}).warnings(time.time())

    assert warnings(90, 1) == ()
    assert shown(ENVOY, hash_suffices=True).warnings(time.time()) == ()  # it tells of no times
    assert warnings(10, 1) == ("certificate-ends-soon",)
    assert warnings(800, 1) == ("certificate-lives-long",)
    assert warnings(10, 800) == ("certificate-lives-long", "certificate-ends-soon")


@pytest.mark.parametrize("kind", ["sha256", "sha1", "serial", "serial of its issuer"])
def test_deny_lists_hold(kind):
    found = shown(NGINX)
    denial = {
        "sha256": Denial(kind="fingerprint", value=PRINT),
        "sha1": Denial(kind="fingerprint", value=found.fingerprints[1]),
        "serial": Denial(kind="serial", value=found.serial),
        "serial of its issuer": Denial(kind="serial", value=found.serial, issuer="CN=Our CA"),
    }[kind]
    with pytest.raises(CertificateError) as error:
        check(found, DenyList([denial]), time.time())
    assert error.value.code == "certificate_revoked"
    check(found, DenyList([Denial(kind="serial", value=found.serial, issuer="CN=X")]), time.time())


def twin(cert):
    """Return the certificate with the other signature, put together by hand."""
    r, s = decode_dss_signature(cert.signature)
    bits = b"\0" + encode_dss_signature(r, ORDERS[64] - s)
    rest = der(cert)[4 : -len(cert.signature) - 3] + bytes([3, len(bits)]) + bits
    return b"\x30\x82" + len(rest).to_bytes(2) + rest


@pytest.mark.parametrize("kind", ["sha256", "sha1", "name"])
def test_a_certificate_is_refused_with_either_of_its_signatures(kind):
    other = twin(CERT)
    read = x509.load_der_x509_certificate(other)
    CERT.public_key().verify(read.signature, CERT.tbs_certificate_bytes, ec.ECDSA(SHA256()))
    assert read.tbs_certificate_bytes == CERT.tbs_certificate_bytes
    found = shown({b"client-cert": b":" + b64encode(other) + b":"})
    assert found.fingerprints[0] == sha256(other).hexdigest() != PRINT
    denial = {
        "sha256": Denial(kind="fingerprint", value=PRINT),
        "sha1": Denial(kind="fingerprint", value=sha1(der(CERT)).hexdigest()),
        "name": Denial(kind="name", value=f"sha256:{PRINT}"),
    }[kind]
    with pytest.raises(CertificateError) as error:
        check(found, DenyList([denial]), time.time())
    assert error.value.code == "certificate_revoked"
