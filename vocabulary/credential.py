"""A credential without its secret: what is left of a key once it has passed the door."""

from collections.abc import Callable, Mapping, Sequence

import msgspec

STAND_IN = r"credential:[0-9a-f]{16}"
"""What a `Credential.token` looks like, as a pattern of `re`."""


class Credential(msgspec.Struct, frozen=True):
    """All by which a key can be found again, and nothing by which it could be used.

    Attributes:
        sha256: SHA-256 of the full secret, hex.
        public_id: the part that is public by design (an AWS access key id), else empty.
        hmacs: HMAC-SHA-256 of the secret, hex, per pepper id.
        redacted: what a person may see, such as `sk_live_[REDACTED]`.
    """

    sha256: str
    public_id: str = ""
    hmacs: Mapping[str, str] = {}
    redacted: str = "[REDACTED]"

    @property
    def token(self) -> str:
        """The name under which an unknown credential is followed through logs."""
        return f"credential:{self.sha256[:16]}"


def credential_of(
    secret: str,
    *,
    peppers: Mapping[str, bytes] | None = None,
    public_id: str = "",
    redacted: str = "[REDACTED]",
) -> Credential:
    """Hash `secret`, so that it need not travel further.

    Args:
        secret: the key in full.
        peppers: pepper id → pepper, for stores of imported low-entropy keys.
        public_id: the public part, where the format has one.
        redacted: what a person may see of it.
    """
    from hashlib import sha256  # noqa: PLC0415  (a scan that finds nothing does without)
    from hmac import digest  # noqa: PLC0415

    raw = secret.encode()
    macs = {name: digest(pepper, raw, "sha256").hex() for name, pepper in (peppers or {}).items()}
    return Credential(sha256(raw).hexdigest(), public_id, macs, redacted)


class KnownKey(msgspec.Struct, frozen=True):
    """What the key store tells of a credential it knows.

    Attributes:
        verdict: live, test, deprecated, suspended, expired or revoked.
        key_class: human, service, cron, mobile or ai, where declared.
        created_at: epoch seconds.
        tz: IANA time zone of the owner, empty where unknown.
    """

    key_id: str
    state: str
    verdict: str
    environment: str
    owner: str = ""
    key_class: str = ""
    publishable: bool = False
    created_at: float = 0.0
    tz: str = ""


Lookup = Callable[[Sequence[Credential]], Sequence[KnownKey | None]]
"""Credentials → what the key store knows of each, in the same order."""


class Exposure(msgspec.Struct, frozen=True):
    """A secret that stood in clear in a log line, before the line was redacted.

    Attributes:
        line: index of the line within the lines that were cleaned.
        rule: id of the rule that found it.
    """

    line: int
    rule: str
    credential: Credential


Cleaner = Callable[[Sequence[bytes]], tuple[Sequence[bytes], Sequence[Exposure]]]
"""Lines → the same lines with every secret replaced by its credential's token, and what was found.

Where no line holds a secret the very same sequence comes back.
"""
