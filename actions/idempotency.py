"""Names of effects and messages that the same cause always leads to."""

from hashlib import sha256


def idempotency_key(kind: str, *cause: str) -> str:
    """Return a name that the same cause always leads to; safe as a `webhook-id` (no dots)."""
    return f"{kind}_" + sha256("\n".join(cause).encode()).hexdigest()[:32]
