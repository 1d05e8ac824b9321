"""GitHub's push webhook.

Signature: https://docs.github.com/en/webhooks/using-webhooks/validating-webhook-deliveries.
Payload: https://docs.github.com/en/webhooks/webhook-events-and-payloads#push.
"""

import hmac
from collections.abc import Mapping, Sequence
from hashlib import sha256
from urllib.parse import parse_qs

import msgspec

from streams.repository import checked
from vocabulary.errors import FormatError, SignatureError
from vocabulary.repository import RepoEvent

MAX_BODY = 25 * 1024 * 1024
"""Bytes; GitHub sends no larger payload."""

_WHERE = "GitHub webhook"
SIGNATURE = "x-hub-signature-256"
_FORM = b"payload="


class _Repository(msgspec.Struct):
    clone_url: str
    private: bool


class _Push(msgspec.Struct):
    ref: str
    before: str
    after: str
    repository: _Repository


_DECODER = msgspec.json.Decoder(_Push)


def verify(headers: Mapping[str, str], body: bytes, secrets: Sequence[str]) -> None:
    """Check that the body was signed with one of the secrets, in constant time.

    Args:
        headers: with lower-case names.
        body: as it was received, byte for byte.
        secrets: the webhook's, and while it is being changed also the new one.

    Raises:
        SignatureError: when it was not, or there is no secret to check with.
    """
    if not any(secrets):
        raise SignatureError(
            "no secret is configured", where=_WHERE, remedy="set the one that GitHub signs with"
        )
    kind, _, given = headers.get(SIGNATURE, "").partition("=")
    if kind != "sha256" or not given.isascii():
        raise SignatureError("no signature", where=_WHERE, remedy="set the same secret at GitHub")
    # Every secret is tried, whichever fits: the time tells nothing.
    fits = [
        hmac.compare_digest(hmac.digest(secret.encode(), body, sha256).hex(), given)
        for secret in secrets
        if secret
    ]
    if not any(fits):
        raise SignatureError(
            "the signature does not fit", where=_WHERE, remedy="set the same secret at GitHub"
        )


def repo_event(
    headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: float
) -> RepoEvent | None:
    """Return the push that a delivery tells of, or None for any other event, such as a ping.

    Args:
        headers: with lower-case names.
        body: as it was received.
        secrets: see `verify`.
        now: epoch seconds.

    Raises:
        SignatureError: when it is not from GitHub.
        FormatError: when it is, and not what GitHub documents.
    """
    verify(headers, body, secrets)
    if headers.get("x-github-event") != "push":
        return None
    push = _push(body)
    event = checked(
        RepoEvent(
            # X-GitHub-Delivery is not signed: with another one a delivery could be replayed.
            delivery=sha256(body).hexdigest(),
            forge="github",
            repository=push.repository.clone_url,
            ref=push.ref,
            before=push.before,
            after=push.after,
            private=push.repository.private,
            received_at=now,
        )
    )
    if isinstance(event, str):
        raise FormatError(event, where=_WHERE)
    return event


def _push(body: bytes) -> _Push:
    try:
        if body.startswith(_FORM):  # content type application/x-www-form-urlencoded
            body = parse_qs(body.decode("ascii"), max_num_fields=9)["payload"][0].encode()
        return _DECODER.decode(body)
    except msgspec.ValidationError as error:
        raise FormatError(str(error), where=_WHERE) from None
    except (msgspec.MsgspecError, ValueError, RecursionError, KeyError):
        raise FormatError("the payload is not JSON", where=_WHERE) from None
