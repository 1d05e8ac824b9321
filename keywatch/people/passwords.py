"""Passwords: what is asked of them, and their argon2id hashes (RFC 9106)."""

import secrets
from functools import cache
from typing import TYPE_CHECKING

from vocabulary.errors import ConfigError, UsageError

if TYPE_CHECKING:
    from argon2 import PasswordHasher

SHORTEST = 12
LONGEST = 1024
"""Characters; longer ones would only cost time."""


def check(password: str, name: str) -> None:
    """Refuse a password that is guessed at once.

    Raises:
        UsageError: for one that is too short, too long, or of hardly any characters.
    """
    if not SHORTEST <= len(password) <= LONGEST:
        raise UsageError(f"a password has {SHORTEST} to {LONGEST} characters")
    if len(set(password)) < 5 or (name and name.lower() in password.lower()):  # noqa: PLR2004
        raise UsageError("this password is guessed at once", remedy="take a few unrelated words")


def generated() -> str:
    """Return a password that nobody guesses."""
    return secrets.token_urlsafe(18)


def hashed(password: str) -> str:
    """Return the argon2id hash, with its parameters and salt in it."""
    return _hasher().hash(password)


def matches(password: str, known: str) -> bool:
    """Whether the password is the one of the hash; an empty hash costs as much and matches none."""
    from argon2.exceptions import InvalidHashError, VerificationError  # noqa: PLC0415  (an extra)

    try:
        _hasher().verify(known or _nobodys(), password[:LONGEST])
    except (VerificationError, InvalidHashError):
        return False
    return bool(known)


def is_outdated(known: str) -> bool:
    """Whether a hash was made with weaker parameters than today's."""
    return _hasher().check_needs_rehash(known)


@cache
def _hasher() -> "PasswordHasher":
    try:
        from argon2 import PasswordHasher  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError:
        raise ConfigError(
            "accounts need a package that is not installed", remedy="install keywatch[console]"
        ) from None
    return PasswordHasher()


@cache
def _nobodys() -> str:
    return _hasher().hash(secrets.token_hex())
