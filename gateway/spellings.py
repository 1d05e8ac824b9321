"""Other ways in which a JSON Web Token can be written, and be as good: its hash must not differ.

A token that was found in the open is refused by its hash. What is signed cannot be changed, but
the signature can: by padding and letters that decoders pass over, and, of ECDSA, by its twin
(r, n - s), which is as valid and which whoever has one can work out (SEC 1, 4.1.4).
"""

from base64 import urlsafe_b64decode, urlsafe_b64encode

ORDERS = {
    64: 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551,
    96: 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFC7634D81F4372DDF581A0DB248B0A77A << 64
    | 0xECEC196ACCC52973,
    132: (1 << 521)
    - (1 << 260)
    + 0xA51868783BF2F966B7FCC0148F709A5D03BB5C9B8899C47AEBB6FB71E91386409,
}
"""Bytes of a signature → order of the curve: P-256, P-384 and P-521 (SEC 2)."""


def is_exact(token: bytes) -> bool:
    """Whether each part is written as RFC 7515 (2) has it, without a letter that means nothing."""
    try:
        return all(_encoded(_decoded(part)) == part for part in token.split(b"."))
    except ValueError:
        return False


def spellings(token: bytes) -> tuple[bytes, ...]:
    """Return an exact token, and its twin where its signature may be one of ECDSA."""
    signed, _, signature = token.rpartition(b".")
    raw = _decoded(signature)
    order, half = ORDERS.get(len(raw), 0), len(raw) // 2
    s = int.from_bytes(raw[half:])
    if not 0 < s < order:
        return (token,)
    twin = raw[:half] + (order - s).to_bytes(half)
    return token, signed + b"." + _encoded(twin)


def _decoded(part: bytes) -> bytes:
    return urlsafe_b64decode(part + b"=" * (-len(part) % 4))


def _encoded(raw: bytes) -> bytes:
    return urlsafe_b64encode(raw).rstrip(b"=")
