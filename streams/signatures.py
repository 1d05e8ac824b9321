"""Who sent a webhook: signatures and tokens, compared in constant time."""

import hmac
from collections.abc import Sequence
from hashlib import sha256

from vocabulary.errors import SignatureError


def check_hmac(given: str, body: bytes, secrets: Sequence[str], where: str) -> None:
    """Check that a body was signed with one of the secrets (HMAC-SHA-256, hex).

    Args:
        given: the signature, without what stands before the hex digits.
        body: as it was received, byte for byte.
        secrets: the webhook's, and while it is being changed also the new one.
        where: for the error.

    Raises:
        SignatureError: when it was not, or there is no secret to check with.
    """
    _expect_secret(secrets, where)
    _expect(given, where)
    macs = [hmac.digest(secret.encode(), body, sha256).hex() for secret in secrets if secret]
    _fit(given.encode(), [mac.encode() for mac in macs], where)


def check_token(given: str, secrets: Sequence[str], where: str) -> None:
    """Check that one of the secrets itself was sent.

    Raises:
        SignatureError: when it was not, or there is no secret to check with.
    """
    _expect_secret(secrets, where)
    _expect(given, where)
    # Hashed, so that the time does not even tell how long they are.
    hashes = [sha256(secret.encode()).digest() for secret in secrets if secret]
    _fit(sha256(given.encode()).digest(), hashes, where)


def _expect_secret(secrets: Sequence[str], where: str) -> None:
    if not any(secrets):
        raise SignatureError("no secret is configured", where=where, remedy=_REMEDY)


def _expect(given: str, where: str) -> None:
    if not given or not given.isascii():
        raise SignatureError("no signature", where=where, remedy=_REMEDY)


def _fit(given: bytes, known: Sequence[bytes], where: str) -> None:
    # Every secret is tried, whichever fits: the time tells nothing.
    fits = [hmac.compare_digest(one, given) for one in known]
    if not any(fits):
        raise SignatureError("the signature does not fit", where=where, remedy=_REMEDY)


_REMEDY = "set the same secret on both sides"
