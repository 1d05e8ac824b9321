"""A certificate authority made on the spot: certificates, revocation lists, a responder."""

import datetime as dt
from base64 import b64encode

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.x509 import ocsp
from cryptography.x509.oid import AuthorityInformationAccessOID, ExtendedKeyUsageOID, NameOID

DAY = dt.timedelta(days=1)
SHA256 = hashes.SHA256()


def now():
    return dt.datetime.now(dt.UTC)


def named(name):
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def hash_for(key):
    return None if isinstance(key, ed25519.Ed25519PrivateKey) else SHA256


class Authority:
    def __init__(self, name="Our CA", key=None):
        self.name, self.key = named(name), key or ec.generate_private_key(ec.SECP256R1())
        self.certificate = self.issue(name, self.key, serial=1, is_ca=True)

    def issue(self, name, key=None, *, serial=None, responder="", usage=None, days=90, is_ca=False):
        key = key or ec.generate_private_key(ec.SECP256R1())
        builder = (
            x509.CertificateBuilder()
            .subject_name(named(name))
            .issuer_name(self.name)
            .public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(now() - DAY)
            .not_valid_after(now() + days * DAY)
        )
        if responder:
            place = x509.UniformResourceIdentifier(responder)
            told = [x509.AccessDescription(AuthorityInformationAccessOID.OCSP, place)]
            builder = builder.add_extension(x509.AuthorityInformationAccess(told), critical=False)
        if is_ca:
            constraints = x509.BasicConstraints(ca=True, path_length=None)
            builder = builder.add_extension(constraints, critical=True)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
        return builder.sign(self.key, hash_for(self.key))

    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def revocation_list(self, *revoked, ends=1, key=None, extension=None, critical=True):
        """Return a list as DER; `ends` in days from now."""
        builder = (
            x509.CertificateRevocationListBuilder()
            .issuer_name(self.name)
            .last_update(now() - 30 * DAY)
            .next_update(now() + ends * DAY)
        )
        if extension:
            builder = builder.add_extension(extension, critical=critical)
        for one in revoked:
            entry = x509.RevokedCertificateBuilder().serial_number(one.serial_number)
            builder = builder.add_revoked_certificate(entry.revocation_date(now()).build())
        made = builder.sign(key or self.key, SHA256)
        return made.public_bytes(serialization.Encoding.DER)


class Responder:
    """Answers as told; `answer` is for `tests.httpd.serving`.

    Attributes:
        revoked: serial numbers.
        signer: certificate and key of an appointed responder; None for the CA itself.
        of: another certificate that the answer is about; None for the one that was asked about.
        until: days from now at which the answer ends; None for an answer without an end.
    """

    def __init__(self, authority):
        self.authority = authority
        self.issued = {}
        self.revoked = set()
        self.signer = self.of = None
        self.unknown = self.is_down = self.is_busy = False
        self.begins, self.until = dt.timedelta(), DAY

    def answer(self, asked):
        if self.is_down:
            return 503, {}, b""
        if self.is_busy:
            busy = ocsp.OCSPResponseBuilder.build_unsuccessful(ocsp.OCSPResponseStatus.TRY_LATER)
            return 200, {}, busy.public_bytes(serialization.Encoding.DER)
        request = ocsp.load_der_ocsp_request(asked.body)
        found = self.of or self.issued[request.serial_number]
        taken = found.serial_number in self.revoked
        status = ocsp.OCSPCertStatus.REVOKED if taken else ocsp.OCSPCertStatus.GOOD
        if self.unknown:
            status = ocsp.OCSPCertStatus.UNKNOWN
        signer, key = self.signer or (self.authority.certificate, self.authority.key)
        builder = ocsp.OCSPResponseBuilder().add_response(
            cert=found,
            issuer=self.authority.certificate,
            algorithm=hashes.SHA1(),
            cert_status=status,
            this_update=now() + self.begins,
            next_update=None if self.until is None else now() + self.until,
            revocation_time=now() if taken and not self.unknown else None,
            revocation_reason=None,
        )
        builder = builder.responder_id(ocsp.OCSPResponderEncoding.HASH, signer)
        if self.signer:
            builder = builder.certificates([signer])
        made = builder.sign(key, hash_for(key)).public_bytes(serialization.Encoding.DER)
        return 200, {"Content-Type": "application/ocsp-response"}, made

    def appoint(self, usage=ExtendedKeyUsageOID.OCSP_SIGNING, by=None, days=90):
        key = ec.generate_private_key(ec.SECP256R1())
        made = (by or self.authority).issue("responder", key, usage=usage, days=days)
        self.signer = made, key


def header(certificate):
    encoded = b64encode(certificate.public_bytes(serialization.Encoding.DER))
    return b"client-cert", b":" + encoded + b":"
