"""The certificate authorities whose word on their certificates is believed."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature

from vocabulary.errors import ConfigError

_WHERE = "gateway.certificate_authorities"


class Authorities:
    """Certificates of CAs, by the name (RFC 4514) that they issue under.

    Args:
        certificates: of the CAs themselves.
    """

    def __init__(self, certificates: Iterable[x509.Certificate] = ()) -> None:
        self._by_name: dict[str, list[x509.Certificate]] = {}
        for one in certificates:
            self._by_name.setdefault(one.subject.rfc4514_string(), []).append(one)

    def named(self, issuer: str) -> Sequence[x509.Certificate]:
        """Return those that issue under this name; a CA that renewed its key has several."""
        return self._by_name.get(issuer, ())


def authorities_in(paths: Iterable[str]) -> Authorities:
    """Read bundles of certificates (PEM).

    Raises:
        ConfigError: when a file cannot be read, or holds none.
    """
    found: list[x509.Certificate] = []
    for path in paths:
        try:
            found += x509.load_pem_x509_certificates(Path(path).read_bytes())
        except OSError as error:
            raise ConfigError(f"{path}: {error.strerror}", where=_WHERE) from None
        except ValueError:
            raise ConfigError(f"{path}: no certificates in PEM", where=_WHERE) from None
    return Authorities(found)


def has_signed(issuer: x509.Certificate, certificate: x509.Certificate) -> bool:
    """Whether the issuer's key signed the certificate; dates are not looked at."""
    try:
        certificate.verify_directly_issued_by(issuer)
    except (ValueError, TypeError, InvalidSignature):
        return False
    return True
