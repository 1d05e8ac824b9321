"""A name for a finding that outlives moved lines and renamed files, and proves no guess.

It is a keyed BLAKE2 of the secret. The key is the operator's, or else the oldest root commit of
the repository, which every clone shares. Whoever reads a fingerprint can try guesses against it,
so a secret that could be guessed gives 12 bits only, told apart by the name it is assigned to.
"""

from hashlib import blake2b

from scanner.entropy import shannon

_GUESSABLE = 64.0  # bits, by Shannon's measure: a generous bound on what can be tried
_SHORT_BITS = 12
_PERSON = b"keywatch-finding"


def fingerprint(secret: bytes, label: str, key: bytes) -> str:
    """Return the fingerprint of a secret.

    Args:
        secret: the value in full.
        label: the name that it is assigned to, or the rule's provider.
        key: operator's key or the repository's salt, at most 64 bytes.
    """
    digest = blake2b(secret, key=key[:64], person=_PERSON, digest_size=16).hexdigest()
    if shannon(secret) * len(secret) >= _GUESSABLE:
        return digest
    named = blake2b(label.lower().encode(), key=key[:64], person=_PERSON, digest_size=10)
    return named.hexdigest() + "-" + digest[: _SHORT_BITS // 4]
