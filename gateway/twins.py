"""The other certificate that says the same: ECDSA signatures come in pairs, (r, s) and (r, n - s).

Whoever has a certificate can write it with the other signature, and every server takes it (SEC 1,
4.1.4). Its fingerprint is another one, so both are looked for where one is refused or registered.
"""

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.utils import (
    decode_dss_signature,
    encode_dss_signature,
)

from gateway.spellings import ORDERS

_ECDSA = ("1.2.840.10045.4.", "2.16.840.1.101.3.4.3.9", "2.16.840.1.101.3.4.3.10")
"""How the OIDs of such signatures begin (RFC 5758; SHA-3: FIPS 202)."""
_SEQUENCE, _BIT_STRING = 0x30, 0x03
_SHORT = 0x80


def twin_of(der: bytes, whole: x509.Certificate) -> bytes | None:
    """Return the certificate with the other signature (DER); None where there is no other.

    The CA's curve is not written in it: it is taken to be the smallest of those that fit.

    Args:
        der: the certificate.
        whole: the same, read.
    """
    if not whole.signature_algorithm_oid.dotted_string.startswith(_ECDSA):
        return None
    try:
        r, s = decode_dss_signature(whole.signature)
    except ValueError:
        return None
    order = min((n for n in ORDERS.values() if n > max(r, s)), default=0)
    if not (order and s):
        return None
    signed = whole.tbs_certificate_bytes
    begin = der.index(signed)
    algorithm = der[begin + len(signed) : -len(_bits(whole.signature))]
    other = _bits(encode_dss_signature(r, order - s))
    return _tagged(_SEQUENCE, signed + algorithm + other)


def _bits(signature: bytes) -> bytes:
    return _tagged(_BIT_STRING, b"\0" + signature)


def _tagged(tag: int, content: bytes) -> bytes:
    """Return the content as DER with its length in front (X.690, 8.1.3)."""
    size = len(content)
    if size < _SHORT:
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, _SHORT | len(length)]) + length + content
