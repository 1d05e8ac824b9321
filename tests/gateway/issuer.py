"""An issuer of tokens on this machine, with keys that turn, and certificates of a CA of its own."""

import datetime as dt
import json
import time
from contextlib import contextmanager

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import NameOID

from keystore.issuers import Issuer
from tests.httpd import serving

ISS, AUD = "https://issuer.example", "https://api.example"


def rsa_key():
    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def jwk_of(key, kid, **more):
    algorithm = {
        rsa.RSAPrivateKey: jwt.algorithms.RSAAlgorithm,
        ec.EllipticCurvePrivateKey: jwt.algorithms.ECAlgorithm,
        ed25519.Ed25519PrivateKey: jwt.algorithms.OKPAlgorithm,
    }
    kind = next(kind for of, kind in algorithm.items() if isinstance(key, of))
    return {**json.loads(kind.to_jwk(key.public_key())), "kid": kid, **more}


class LocalIssuer:
    """Signs tokens and shows its keys at `url`."""

    def __init__(self):
        self.key, self.kid, self.shown = rsa_key(), "one", None
        self.url = ""
        self.is_down = False
        self.fetches = 0

    def answer(self, _asked):
        self.fetches += 1
        if self.is_down:
            return 503, {}, b""
        keys = self.shown if self.shown is not None else [jwk_of(self.key, self.kid)]
        return 200, {"Content-Type": "application/json"}, json.dumps({"keys": keys}).encode()

    def token(self, key=None, algorithm="RS256", headers=None, **claims):
        now = time.time()
        said = {"iss": ISS, "aud": AUD, "sub": "alice", "iat": now, "exp": now + 600} | claims
        told = {"kid": self.kid} | (headers or {})
        told = {name: value for name, value in told.items() if value is not None}
        said = {name: value for name, value in said.items() if value is not None}
        return jwt.encode(said, key or self.key, algorithm=algorithm, headers=told)

    def issuer(self, **more):
        given = {"name": "ours", "issuer": ISS, "audiences": (AUD,), "jwks_url": f"{self.url}/keys"}
        return Issuer(**(given | more))


@contextmanager
def local_issuer():
    local = LocalIssuer()
    with serving(local.answer) as server:
        local.url = server.url
        yield local


def certificate(days=90, begun=1, name="robot", spiffe="", dns=(), key=None):
    """Return a certificate that somebody signed; the chain is the proxy's affair."""
    key = key or ec.generate_private_key(ec.SECP256R1())
    now = dt.datetime.now(dt.UTC)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    names = [x509.DNSName(one) for one in dns]
    uris = [spiffe] if isinstance(spiffe, str) and spiffe else spiffe
    names += [x509.UniformResourceIdentifier(uri) for uri in uris]
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "Our CA")]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(days=begun))
        .not_valid_after(now + dt.timedelta(days=days))
    )
    if names:
        builder = builder.add_extension(x509.SubjectAlternativeName(names), critical=False)
    return builder.sign(key, hashes.SHA256())


def der(cert):
    return cert.public_bytes(serialization.Encoding.DER)


def pem(cert):
    return cert.public_bytes(serialization.Encoding.PEM)
