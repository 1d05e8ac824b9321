"""Client certificates as proxies tell of them: whose, until when, and whether they may be used.

The proxy has verified the chain; nobody but a trusted proxy is believed, and it only in the one
header that it sets itself: whatever else it hands on may be its client's invention. Understood are
Envoy's X-Forwarded-Client-Cert, nginx's escaped PEM beside its verdict, and RFC 9440 Client-Cert,
which Caddy and others can be told to send.
"""

import re
from base64 import b64decode
from collections.abc import Mapping
from functools import lru_cache
from hashlib import sha1, sha256
from urllib.parse import unquote_to_bytes

import msgspec
from cryptography import x509
from cryptography.x509.oid import AuthorityInformationAccessOID, NameOID

from gateway.extract import CERTIFICATE_HEADERS
from gateway.twins import twin_of
from keystore.denials import DenyList
from keystore.identities import certificate_names
from keystore.keys import DAY_S
from vocabulary.errors import KeywatchError

LONG_LIFE_S = 398 * DAY_S
"""A certificate that lives longer is warned of: what public CAs may issue."""
SOON_S = 30 * DAY_S
_TO_THE_SECOND = 1.0
"""A certificate holds in its last second, too: one of 90 days may say so with one less or more."""

_NAMES = frozenset().union(*CERTIFICATE_HEADERS.values())
_LONGEST = 32 * 1024
_OCSP = AuthorityInformationAccessOID.OCSP
_HASH = re.compile(r"[0-9a-f]{64}")


class CertificateError(KeywatchError):
    """A certificate is refused; `code` is what the client is told."""

    def __init__(self, code: str) -> None:
        super().__init__(code)
        self.code = code


class Certificate(msgspec.Struct, frozen=True):
    """What is known of a client certificate; times are epoch seconds.

    Attributes:
        names: by which the key store may know it, its own fingerprint first.
        fingerprints: SHA-256 of the whole, and SHA-1 where the whole is known; hex. Behind them
            those of its twin, see `gateway.twins`.
        issuer: the CA's name (RFC 4514); empty when only the fingerprint is known.
        serial: hex; empty likewise.
        begins, ends: None likewise.
        responder: URL at which its CA says whether it took it back (OCSP); empty for none.
    """

    names: tuple[str, ...]
    fingerprints: tuple[str, ...]
    issuer: str = ""
    serial: str = ""
    begins: float | None = None
    ends: float | None = None
    responder: str = ""

    def warnings(self, now: float) -> tuple[str, ...]:
        """Return what its owner should see to."""
        if self.begins is None or self.ends is None:
            return ()
        found = ["certificate-lives-long"] if self.ends - self.begins > LONG_LIFE_S else []
        found += ["certificate-ends-soon"] if self.ends - now < SOON_S else []
        return tuple(found)


def shown(noted: Mapping[bytes, bytes], *, hash_suffices: bool = False) -> Certificate | None:
    """Return the certificate that a trusted proxy tells of, None where it tells of none.

    Args:
        noted: headers; see `CERTIFICATE_HEADERS`.
        hash_suffices: whether X-Forwarded-Client-Cert is believed without `Cert`: then nobody but
            the proxy knows when the certificate ends and whether its CA took it back.

    Raises:
        CertificateError: when the proxy refused it, or what it tells cannot be read.
    """
    told = {name: noted[name] for name in _NAMES if noted.get(name)}
    verdict = told.pop(b"x-ssl-client-verify", None)
    if b"x-ssl-client-cert" in told:
        # nginx hands on what it did not verify, too.
        if verdict != b"SUCCESS":
            raise CertificateError("certificate_invalid")
    elif verdict is not None and verdict not in (b"NONE", b"SUCCESS"):
        raise CertificateError("certificate_invalid")
    if not told:
        return None
    if len(told) > 1 or any(len(value) > _LONGEST for value in told.values()):
        raise CertificateError("certificate_invalid")
    ((name, value),) = told.items()
    found = _READERS[name](value)
    if not (found.serial or hash_suffices):
        raise CertificateError("certificate_not_shown")
    return found


def check(
    certificate: Certificate, denied: DenyList, now: float, *, max_life_s: float = 0.0
) -> None:
    """Refuse a certificate that is over, not begun, made to live too long, or on the deny list.

    Args:
        certificate: what a trusted proxy told of.
        denied: what is refused although it is genuine.
        now: epoch seconds.
        max_life_s: longest life from its begin to its end; 0 for any.

    Raises:
        CertificateError: with why.
    """
    if max_life_s:
        if certificate.begins is None or certificate.ends is None:
            raise CertificateError("certificate_not_shown")
        if certificate.ends - certificate.begins > max_life_s + _TO_THE_SECOND:
            raise CertificateError("certificate_lives_too_long")
    if certificate.ends is not None and now >= certificate.ends:
        raise CertificateError("certificate_expired")
    if certificate.begins is not None and now < certificate.begins:
        raise CertificateError("certificate_not_yet_valid")
    told = (certificate.fingerprints, certificate.issuer, certificate.serial, now)
    if denied.certificate(*told, certificate.names, certificate.begins):
        raise CertificateError("certificate_revoked")


def _of_pem(escaped: bytes) -> Certificate:
    text = unquote_to_bytes(escaped)
    begin, end = b"-----BEGIN CERTIFICATE-----", b"-----END CERTIFICATE-----"
    inside = text.strip().removeprefix(begin).removesuffix(end)
    return _of_base64(b"".join(inside.split()))


def _of_rfc_9440(value: bytes) -> Certificate:
    value = value.strip()
    if len(value) < 2 or value[:1] != b":" or value[-1:] != b":":  # noqa: PLR2004
        raise CertificateError("certificate_invalid")
    return _of_base64(value[1:-1])


def _of_base64(encoded: bytes) -> Certificate:
    try:
        return _parsed(b64decode(encoded, validate=True))
    except ValueError:
        raise CertificateError("certificate_invalid") from None


@lru_cache(maxsize=1024)
def _parsed(der: bytes) -> Certificate:
    """Read a certificate; whatever is wrong with it is a ValueError to `cryptography`."""
    try:
        whole = x509.load_der_x509_certificate(der)
        spiffe, dns = _alternative_names(whole)
        common = whole.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
        fingerprints = _fingerprints(der, whole)
        name = str(common[0].value) if common else ""
        exact = [f"sha256:{one}" for one in fingerprints[2::2]]
        own, *others = certificate_names(fingerprints[0], spiffe, dns, name)
        return Certificate(
            names=(own, *exact, *others),
            fingerprints=fingerprints,
            issuer=whole.issuer.rfc4514_string(),
            serial=f"{whole.serial_number:x}",
            begins=whole.not_valid_before_utc.timestamp(),
            ends=whole.not_valid_after_utc.timestamp(),
            responder=_responder(whole),
        )
    except (ValueError, TypeError, x509.InvalidVersion, x509.DuplicateExtension):
        raise CertificateError("certificate_invalid") from None


def _fingerprints(der: bytes, whole: x509.Certificate) -> tuple[str, ...]:
    """Return SHA-256 and SHA-1 of the certificate, and those of its twin where it has one."""
    twin = twin_of(der, whole)
    both = [der] if twin is None else [der, twin]
    return tuple(
        found
        for one in both
        for found in (sha256(one).hexdigest(), sha1(one).hexdigest())  # noqa: S324  (a name)
    )


def _alternative_names(whole: x509.Certificate) -> tuple[str, tuple[str, ...]]:
    """Return the SPIFFE id and the DNS names; a certificate has at most one SPIFFE id."""
    try:
        extension = whole.extensions.get_extension_for_class(x509.SubjectAlternativeName)
    except x509.ExtensionNotFound:
        return "", ()
    uris = extension.value.get_values_for_type(x509.UniformResourceIdentifier)
    spiffe = [uri for uri in uris if uri.startswith("spiffe://")]
    if len(spiffe) > 1:
        raise CertificateError("certificate_invalid")
    return "".join(spiffe), tuple(extension.value.get_values_for_type(x509.DNSName))


def _responder(whole: x509.Certificate) -> str:
    try:
        told = whole.extensions.get_extension_for_class(x509.AuthorityInformationAccess).value
    except x509.ExtensionNotFound:
        return ""
    places = (one.access_location for one in told if one.access_method == _OCSP)
    urls = (one.value for one in places if isinstance(one, x509.UniformResourceIdentifier))
    return next(urls, "")


def _of_xfcc(value: bytes) -> Certificate:
    """Read X-Forwarded-Client-Cert: of several elements the last is our own proxy's."""
    try:
        pairs = _pairs(value.decode("utf-8"))
    except ValueError:
        raise CertificateError("certificate_invalid") from None
    told: dict[str, list[str]] = {}
    for name, text in pairs:
        told.setdefault(name.lower(), []).append(text)
    if "cert" in told:
        return _of_pem(told["cert"][-1].encode())
    fingerprint = "".join(told.get("hash", [])).lower()
    uris = [uri for uri in told.get("uri", []) if uri.startswith("spiffe://")]
    if not _HASH.fullmatch(fingerprint) or len(uris) > 1:
        raise CertificateError("certificate_invalid")
    common = re.search(r"(?:^|[,/])CN=([^,/]+)", "".join(told.get("subject", [])))
    names = certificate_names(
        fingerprint, "".join(uris), told.get("dns", []), common[1] if common else ""
    )
    return Certificate(names, (fingerprint,))


_PAIR = re.compile(r'([A-Za-z]+)=("(?:[^"\\]|\\.)*"|[^";,]*)([;,]|$)')


def _pairs(text: str) -> list[tuple[str, str]]:
    """Return name and value of the last element.

    Raises:
        ValueError: when it is not written as Envoy writes it.
    """
    found: list[tuple[str, str]] = []
    place = 0
    while place < len(text):
        match = _PAIR.match(text, place)
        if match is None:
            raise ValueError
        name, value, end = match.groups()
        if value.startswith('"'):
            value = re.sub(r"\\(.)", r"\1", value[1:-1])
        found.append((name, value))
        place = match.end()
        if end == ",":
            found = []
    return found


_READERS = {
    b"x-forwarded-client-cert": _of_xfcc,
    b"x-ssl-client-cert": _of_pem,
    b"client-cert": _of_rfc_9440,
}
