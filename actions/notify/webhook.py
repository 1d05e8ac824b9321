"""A signed POST to an address, as Standard Webhooks 1.0 asks.

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import binascii
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
from standardwebhooks import Webhook as Signer

from actions.telling.web import TIMEOUT_S, Site
from vocabulary.errors import ConfigError

_SHORTEST_SECRET = 24


def make(options: Mapping[str, Any]) -> "Webhook":
    """Return the notifier of a configured `url` and `secret`."""
    return Webhook(options["url"], options["secret"], where=f"notify.{options['name']}")


class Webhook:
    """Posts messages to one receiver.

    Args:
        url: https, or http on this machine.
        secret: `whsec_` and base64 of 24 bytes or more.
        where: how the configuration calls it.
        timeout_s: for a whole attempt.
    """

    def __init__(
        self, url: str, secret: str, where: str = "webhook", timeout_s: float = TIMEOUT_S
    ) -> None:
        self._site = Site(url, where, timeout_s)
        self._signer = _signer(secret, where)

    def __repr__(self) -> str:
        """Return where it posts to, without what an address may carry beyond the host."""
        return f"Webhook({self._site!r})"

    def __call__(self, message: Mapping[str, Any], idempotency_key: str, now: float) -> None:
        """Post the message.

        Raises:
            ServiceError: when the receiver did not take it.
            ConfigError: when it says that it is gone for good.
        """
        body = msgspec.json.encode(message)
        moment = datetime.fromtimestamp(int(now), UTC)
        headers = {
            "Content-Type": "application/json",
            "webhook-id": idempotency_key,
            "webhook-timestamp": str(int(now)),
            "webhook-signature": self._signer.sign(idempotency_key, moment, body.decode()),
        }
        self._site.send(body, headers)


def _signer(secret: str, where: str) -> Signer:
    problem = ConfigError(
        "`secret` is no signing secret of 24 bytes or more",
        where=where,
        remedy="make one: whsec_ and the output of `openssl rand -base64 32`",
    )
    try:
        raw = binascii.a2b_base64(secret.removeprefix("whsec_"))
    except (binascii.Error, ValueError):
        raise problem from None
    if len(raw) < _SHORTEST_SECRET:
        raise problem
    return Signer(raw)
