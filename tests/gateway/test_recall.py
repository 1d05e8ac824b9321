"""Certificates that their CA took back: lists and responders, genuine, forged, old and away."""

import asyncio
import time

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509.oid import ExtendedKeyUsageOID

from database.transaction import transaction
from gateway.app import Gateway
from gateway.authorities import Authorities, authorities_in
from gateway.certificates import CertificateError, shown
from gateway.crl import LOOK_S, RevocationLists
from gateway.ocsp import FROM_CERTIFICATE, LONGEST_S, PAUSE_S, Responders
from gateway.options import Options
from gateway.reader import Reader
from gateway.recall import Recall
from keystore import identities
from keystore.identities import Name
from keystore.issue import KeyOrder
from keystore.keys import Kind
from tests.gateway.authority import DAY, Authority, Responder, header
from tests.gateway.issuer import rsa_key
from tests.gateway.test_app import ask, echo, scope_of
from tests.httpd import serving
from vocabulary.errors import ConfigError

BY = {"actor": "test", "reason": ""}


@pytest.fixture(scope="module")
def authority():
    return Authority()


def read(certificate):
    return shown(dict([header(certificate)]))


def code_of(checker, certificate, now=None):
    try:
        checker.check(read(certificate), time.time() if now is None else now)
    except CertificateError as error:
        return error.code
    return ""


@pytest.fixture
def listed(tmp_path, authority):
    """Return a function that writes a list and reads it, and the file."""
    file, ticks = tmp_path / "ours.crl", [0.0]

    def make(raw):
        file.write_bytes(raw)
        known = Authorities([authority.certificate])
        return RevocationLists([str(file)], known, lambda: ticks[0])

    make.file, make.ticks = file, ticks
    return make


def test_what_is_on_the_list_of_its_ca_is_refused(listed, authority):
    bad, good = authority.issue("bad"), authority.issue("good")
    lists = listed(authority.revocation_list(bad))
    assert (code_of(lists, bad), code_of(lists, good)) == ("certificate_revoked", "")


def test_what_no_good_list_covers_is_not_let_in(listed, authority):
    good = authority.issue("good")
    lists = listed(authority.revocation_list(ends=1))
    assert code_of(lists, good, time.time() + 2 * 86_400) == "certificate_unchecked"
    assert code_of(lists, Authority("Another").issue("x")) == "certificate_unchecked"
    hash_ = {b"x-forwarded-client-cert": b"Hash=" + b"a" * 64}
    only_hash = shown(hash_, hash_suffices=True)
    with pytest.raises(CertificateError, match="certificate_unchecked"):
        lists.check(only_hash, time.time())


def test_a_renewed_list_is_taken_and_a_broken_one_leaves_the_old(listed, authority, caplog):
    one, other = authority.issue("one"), authority.issue("other")
    lists = listed(authority.revocation_list(one))
    listed.file.write_bytes(authority.revocation_list(one, other))
    lists.look()
    assert code_of(lists, other) == ""
    listed.ticks[0] += LOOK_S
    lists.look()
    assert code_of(lists, other) == "certificate_revoked"
    listed.file.write_bytes(b"half a li")
    listed.ticks[0] += LOOK_S
    lists.look()
    assert code_of(lists, other) == "certificate_revoked"
    assert "ours.crl" in caplog.text
    listed.file.unlink()
    listed.ticks[0] += LOOK_S
    lists.look()
    assert code_of(lists, one) == "certificate_revoked"


def test_a_list_that_nobody_known_signed_is_no_list(listed, authority):
    forged = authority.revocation_list(key=ec.generate_private_key(ec.SECP256R1()))
    partial = x509.DeltaCRLIndicator(1)
    for raw in (
        forged,
        Authority("Another").revocation_list(),
        authority.revocation_list(extension=partial),
        b"",
        b"\x30\x80" * 100,
        b"-----BEGIN X509 CRL-----\n",
    ):
        with pytest.raises(ConfigError):
            listed(raw)


def test_a_list_beyond_the_limit_is_no_list(listed, authority, monkeypatch):
    monkeypatch.setattr("gateway.crl._MOST_BYTES", 50)
    with pytest.raises(ConfigError, match="no revocation list"):
        listed(authority.revocation_list())


def test_what_a_list_says_beside_is_no_reason_to_refuse_it(listed, authority):
    bad = authority.issue("bad")
    number = x509.CRLNumber(7)
    lists = listed(authority.revocation_list(bad, extension=number, critical=False))
    assert code_of(lists, bad) == "certificate_revoked"


def test_the_gateway_looks_for_renewed_lists_and_asks_once_while_an_answer_holds(
    listed, authority, talk
):
    one, other = authority.issue("one"), authority.issue("other")
    lists = listed(authority.revocation_list(one))
    talk.responder.issued[other.serial_number] = other
    recall = Recall(lists, talk.of)

    async def code():
        try:
            await recall.check(read(other), talk.now)
        except CertificateError as error:
            return error.code
        return ""

    async def go():
        assert [await code() for _ in range(2)] == ["", ""]
        listed.ticks[0] += LOOK_S  # nothing was renewed
        assert await code() == ""
        listed.file.write_bytes(authority.revocation_list(one, other))
        listed.ticks[0] += LOOK_S
        return await code()

    assert asyncio.run(go()) == "certificate_revoked"
    assert len(talk.server.asked) == 1


def test_authorities_are_read_from_bundles(tmp_path, authority):
    file, other = tmp_path / "ca.pem", Authority("Other")
    file.write_bytes(authority.pem() + other.pem())
    known = authorities_in([str(file)])
    assert known.named("CN=Our CA") == [authority.certificate]
    assert known.named("CN=Nobody") == ()
    for raw in (b"", b"no certificate"):
        file.write_bytes(raw)
        with pytest.raises(ConfigError, match="PEM"):
            authorities_in([str(file)])
    with pytest.raises(ConfigError, match="No such file"):
        authorities_in([str(tmp_path / "none")])


class Talk:
    def __init__(self, authority, url, responder):
        self.responder, self.now = responder, time.time()
        self.of = Responders(url, Authorities([authority.certificate]), lambda: self.now)

    def code(self, certificate):
        self.responder.issued[certificate.serial_number] = certificate
        if self.of.needs_ask(read(certificate), self.now):
            self.of.ask(read(certificate))
        return code_of(self.of, certificate, self.now)


@pytest.fixture
def talk(authority):
    responder = Responder(authority)
    with serving(responder.answer) as server:
        made = Talk(authority, server.url, responder)
        made.server = server
        yield made


def test_the_responder_is_asked_once_while_its_answer_holds(talk, authority):
    good = authority.issue("good")
    assert [talk.code(good) for _ in range(3)] == [""] * 3
    assert len(talk.server.asked) == 1
    talk.responder.revoked.add(good.serial_number)
    assert talk.code(good) == ""
    talk.now += LONGEST_S
    assert talk.code(good) == "certificate_revoked"


def test_an_appointed_responder_is_believed_and_no_other(talk, authority):
    talk.responder.appoint()
    assert talk.code(authority.issue("a")) == ""
    talk.responder.appoint(usage=ExtendedKeyUsageOID.SERVER_AUTH)
    assert talk.code(authority.issue("b")) == "certificate_unchecked"
    talk.responder.appoint(by=Authority())
    assert talk.code(authority.issue("c")) == "certificate_unchecked"
    talk.responder.appoint(usage=None)
    assert talk.code(authority.issue("d")) == "certificate_unchecked"
    talk.responder.appoint(days=-0.5)  # its time is over
    assert talk.code(authority.issue("e")) == "certificate_unchecked"


@pytest.mark.parametrize("make", [rsa_key, ed25519.Ed25519PrivateKey.generate])
def test_answers_of_cas_with_other_keys_are_believed_and_forged_ones_not(make):
    theirs = Authority(key=make())
    responder = Responder(theirs)
    with serving(responder.answer) as server:
        talk = Talk(theirs, server.url, responder)
        assert talk.code(theirs.issue("good")) == ""
        responder.signer = theirs.certificate, make()
        assert talk.code(theirs.issue("stolen")) == "certificate_unchecked"


@pytest.mark.parametrize(
    "fault",
    [
        {"is_down": True},
        {"is_busy": True},
        {"unknown": True},
        {"until": -DAY, "begins": -2 * DAY},
        {"until": None, "begins": -DAY},
        {"begins": DAY, "until": 2 * DAY},
    ],
    ids=["away", "busy", "unknown", "old", "old without end", "of tomorrow"],
)
def test_without_a_good_answer_nobody_is_let_in(talk, authority, fault):
    for name, value in fault.items():
        setattr(talk.responder, name, value)
    bad = authority.issue("robot")
    assert talk.code(bad) == "certificate_unchecked"
    assert talk.code(bad) == "certificate_unchecked"
    assert len(talk.server.asked) == 1
    talk.responder.__init__(authority)
    talk.now += PAUSE_S
    assert talk.code(bad) == ""


def test_an_answer_about_another_certificate_is_no_answer(talk, authority):
    talk.responder.of = authority.issue("good")
    assert talk.code(authority.issue("stolen")) == "certificate_unchecked"


def test_a_certificate_may_name_its_responder(talk, authority):
    own = authority.issue("robot", responder=talk.server.url)
    mute = authority.issue("mute")
    strange = authority.issue("strange", responder="ldap://127.0.0.1/x")
    named = Talk(authority, FROM_CERTIFICATE, talk.responder)
    assert named.code(own) == ""
    assert named.code(mute) == named.code(strange) == "certificate_unchecked"


def test_the_gateway_asks_both(place, tmp_path, authority):
    responder = Responder(authority)
    bad, good, later = (authority.issue("robot") for _ in range(3))
    responder.issued = {one.serial_number: one for one in (bad, good, later)}
    responder.revoked.add(later.serial_number)
    (tmp_path / "ca.pem").write_bytes(authority.pem())
    (tmp_path / "ca.crl").write_bytes(authority.revocation_list(bad))
    with transaction(place.store.engine) as connection:
        name = Name(Kind.CERTIFICATE, "cn:robot")
        identities.register(connection, name, KeyOrder(), **BY, now=place.store.clock())

    async def talk(url):
        options = Options(
            certificate_header="client-cert",
            certificate_authorities=(str(tmp_path / "ca.pem"),),
            revocation_lists=(str(tmp_path / "ca.crl"),),
            ocsp=url,
            trusted_proxies=("10.0.0.0/8",),
        )
        app = Gateway(echo, Reader(place.store.engine), options)
        try:
            scopes = [scope_of(header(one), client="10.0.0.1") for one in (bad, good, good, later)]
            answers = await asyncio.gather(*(ask(app, scope) for scope in scopes))
            return [start["status"] for start, _ in answers]
        finally:
            await app.close()

    with serving(responder.answer) as server:
        assert asyncio.run(talk(server.url)) == [401, 200, 200, 401]
        assert len(server.asked) == 2
        responder.is_down = True
        assert asyncio.run(talk(server.url)) == [401, 503, 503, 503]
