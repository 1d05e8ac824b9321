"""What logs call somebody whom the key store does not know.

`credential:` and the beginning of the secret's SHA-256; `token:` or `certificate:` and the
beginning of the hash of a name, of one whom the gateway lets in without being registered.
"""

import re
from hashlib import sha256

from vocabulary.errors import UsageError

CREDENTIAL = "credential:"
_DIGITS = 16
_NAME = re.compile(rf"(?:credential|token|certificate):[0-9a-f]{{{_DIGITS}}}")
_WHOLE = re.compile(r"(?:credential:|sha256:)?([0-9a-f]{64})")


def is_one(subject: str) -> bool:
    """Whether that is what logs call somebody who is not in the key store."""
    return _NAME.fullmatch(subject) is not None


def is_let_in(subject: str) -> bool:
    """Whether it is somebody whom a gateway lets in all the same, by a token or certificate."""
    return is_one(subject) and not subject.startswith(CREDENTIAL)


def name_of(text: str) -> str:
    """Return the name that is meant: as it stands in a log, or the SHA-256 of a secret.

    Raises:
        UsageError: when it is neither.
    """
    plain = text.strip().lower()
    if is_one(plain):
        return plain
    whole = _WHOLE.fullmatch(plain)
    if whole is None:
        # Not repeated: it may be the secret itself.
        raise UsageError(
            "this is no name of a credential",
            remedy="credential:…, token:… or certificate:… as the log has it, or a SHA-256 in hex",
        )
    return CREDENTIAL + whole[1][:_DIGITS]


def name_of_secret(secret: bytes) -> str:
    """Return what logs call a secret that the key store does not know."""
    return CREDENTIAL + sha256(secret).hexdigest()[:_DIGITS]


def name_of_digest(digest: bytes) -> str:
    """Return what logs call the secret of this SHA-256."""
    return CREDENTIAL + digest[: _DIGITS // 2].hex()


def name_of_identity(kind: str, name_hash: str) -> str:
    """Return what logs call an identity that is not registered.

    Args:
        kind: token or certificate.
        name_hash: see `keystore.identities.Name.hash`.
    """
    return f"{kind}:{name_hash[:_DIGITS]}"
