"""Asking a CA whether it took a certificate back (OCSP, RFC 6960).

An answer is believed when the CA signed it, or somebody whom the CA made its responder, and for
as long as it says. No answer, or one that does not know the certificate, leaves it unchecked, and
it is refused.
"""

import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha1
from threading import Lock

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed448, ed25519, padding, rsa
from cryptography.hazmat.primitives.hashes import SHA1
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509 import ocsp
from cryptography.x509.oid import ExtendedKeyUsageOID

from gateway.authorities import Authorities, has_signed
from gateway.cache import Generations
from gateway.certificates import Certificate, CertificateError
from keystore.web import Site
from vocabulary.errors import KeywatchError, ServiceError

FROM_CERTIFICATE = "certificate"
"""In place of a URL: the responder that the certificate itself names."""

LONGEST_S = 3600.0
"""No answer is believed longer, whatever it says."""
PAUSE_S = 10.0
"""Seconds before a responder that had no good answer is asked again about a certificate."""

_SKEW_S = 300.0
_TIMEOUT_S = 2.0
_MOST_BYTES = 1 << 16
_MOST_HELD = 50_000


class Responders:
    """What the responders said of certificates; may be asked from any thread.

    Args:
        url: of the responder; `FROM_CERTIFICATE` for the one that each certificate names.
        authorities: whose word counts.
        clock: epoch seconds.
    """

    def __init__(
        self, url: str, authorities: Authorities, clock: Callable[[], float] = time.time
    ) -> None:
        self._url, self._authorities, self._clock = url, authorities, clock
        self._held: Generations[tuple[str, float]] = Generations(_MOST_HELD)
        self._lock = Lock()

    def needs_ask(self, certificate: Certificate, now: float) -> bool:
        """Whether nothing is held of it that holds now."""
        with self._lock:
            held = self._held.get(_name(certificate))
        return held is None or now >= held[1]

    def ask(self, certificate: Certificate) -> None:
        """Ask, and hold the answer; this can wait for some seconds."""
        try:
            held = self._asked(certificate)
        except (KeywatchError, ValueError, TypeError, UnsupportedAlgorithm):
            held = ("certificate_unchecked", self._clock() + PAUSE_S)
        with self._lock:
            self._held.put(_name(certificate), held)

    def check(self, certificate: Certificate, now: float) -> None:
        """Refuse what was taken back, or of which nothing is held.

        Args:
            certificate: what a trusted proxy told of.
            now: epoch seconds.

        Raises:
            CertificateError: with why.
        """
        with self._lock:
            code, until = self._held.get(_name(certificate)) or ("certificate_unchecked", now + 1)
        if code or now >= until:
            raise CertificateError(code or "certificate_unchecked")

    def _asked(self, certificate: Certificate) -> tuple[str, float]:
        for issuer in self._authorities.named(certificate.issuer):
            answer = self._answer(certificate, issuer)
            if answer is not None:
                return answer
        raise ServiceError("no responder answers for it")

    def _answer(
        self, certificate: Certificate, issuer: x509.Certificate
    ) -> tuple[str, float] | None:
        url = certificate.responder if self._url == FROM_CERTIFICATE else self._url
        # What answers is signed, and what is asked is no secret: RFC 6960 uses plain HTTP.
        site = Site(
            url, "gateway.ocsp", plain_http=True, timeout_s=_TIMEOUT_S, most_bytes=_MOST_BYTES
        )
        builder = ocsp.OCSPRequestBuilder().add_certificate_by_hash(
            *_hashes(issuer),
            int(certificate.serial, 16),
            SHA1(),  # noqa: S303  (RFC 6960's name)
        )
        told = site.ask(
            "POST",
            body=builder.build().public_bytes(Encoding.DER),
            headers={"Content-Type": "application/ocsp-request"},
        )
        if not told.is_ok:
            return None
        response = ocsp.load_der_ocsp_response(told.body)
        if response.response_status != ocsp.OCSPResponseStatus.SUCCESSFUL:
            return None
        if not _is_signed(response, issuer, self._clock()):
            return None
        return self._of(response, certificate, issuer)

    def _of(
        self, response: ocsp.OCSPResponse, certificate: Certificate, issuer: x509.Certificate
    ) -> tuple[str, float] | None:
        now = self._clock()
        name_hash, key_hash = _hashes(issuer)
        told = (response.serial_number, response.issuer_name_hash, response.issuer_key_hash)
        if told != (int(certificate.serial, 16), name_hash, key_hash):
            return None
        begins = response.this_update_utc.timestamp()
        ends = min(
            response.next_update_utc.timestamp() if response.next_update_utc else now + PAUSE_S,
            now + LONGEST_S,
        )
        # One without an end says: ask again each time. Old ones are how a thief replays a "good".
        fresh = response.next_update_utc is not None or now - begins < _SKEW_S
        if not (begins <= now + _SKEW_S and now < ends and fresh):
            return None
        if response.certificate_status == ocsp.OCSPCertStatus.REVOKED:
            return "certificate_revoked", ends
        return ("", ends) if response.certificate_status == ocsp.OCSPCertStatus.GOOD else None


def _name(certificate: Certificate) -> bytes:
    return f"{certificate.serial}\n{certificate.issuer}".encode()


def _hashes(issuer: x509.Certificate) -> tuple[bytes, bytes]:
    """Return the hashes of a CA's name and key, by which RFC 6960 calls it."""
    key = x509.SubjectKeyIdentifier.from_public_key(issuer.public_key()).digest
    return sha1(issuer.subject.public_bytes(), usedforsecurity=False).digest(), key


def _is_signed(response: ocsp.OCSPResponse, issuer: x509.Certificate, now: float) -> bool:
    """Whether the CA signed it, or a responder whom the CA appointed (RFC 6960, 4.2.2.2)."""
    signers = [issuer, *(one for one in response.certificates if _is_appointed(one, issuer, now))]
    return any(_verifies(one, response) for one in signers)


def _is_appointed(one: x509.Certificate, issuer: x509.Certificate, now: float) -> bool:
    moment = datetime.fromtimestamp(now, UTC)
    if not one.not_valid_before_utc <= moment <= one.not_valid_after_utc:
        return False
    try:
        usage = one.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except (x509.ExtensionNotFound, x509.DuplicateExtension, ValueError):
        return False
    return ExtendedKeyUsageOID.OCSP_SIGNING in usage and has_signed(issuer, one)


def _verifies(signer: x509.Certificate, response: ocsp.OCSPResponse) -> bool:
    key, chosen = signer.public_key(), response.signature_hash_algorithm
    signature, signed = response.signature, response.tbs_response_bytes
    try:
        match key:
            case rsa.RSAPublicKey() if chosen is not None:
                key.verify(signature, signed, padding.PKCS1v15(), chosen)
            case ec.EllipticCurvePublicKey() if chosen is not None:
                key.verify(signature, signed, ec.ECDSA(chosen))
            case ed25519.Ed25519PublicKey() | ed448.Ed448PublicKey():
                key.verify(signature, signed)
            case _:
                return False
    except InvalidSignature:
        return False
    return True
