"""Any store that takes a signed POST: how to reach one that keywatch knows nothing of.

The request is signed as Standard Webhooks 1.0 asks; the body is JSON: `{"type": "key.revoke",
"id": …}`, with a `credential` (sha256, public_id, hmacs) in place of the id for `key.find`, and
`per_min` for `key.throttle`. 404 means that there is no such key, 501 that the store cannot do it.
`key.find` answers `{"id": …, "active": …}`, and `public_id`, `name`, `owner` where it likes.
"""

import binascii
import time
from collections.abc import Callable
from datetime import UTC, datetime
from hashlib import sha256
from typing import Any

import msgspec
from standardwebhooks import Webhook as Signer

from keystore.adapters import Adapter, Foreign, Options, cannot, missing, needed
from keystore.web import Site
from vocabulary.credential import Credential
from vocabulary.errors import ConfigError, ServiceError

_SHORTEST_SECRET = 24
_NOT_FOUND, _NOT_IMPLEMENTED = 404, 501


class Http:
    """A store behind a URL.

    Args:
        site: where it is.
        signer: signs what is sent.
        where: how the configuration calls it.
        clock: epoch seconds.
    """

    def __init__(
        self, site: Site, signer: Signer, where: str, clock: Callable[[], float] = time.time
    ) -> None:
        self._site, self._signer, self._where, self._clock = site, signer, where, clock

    def find(self, credential: Credential) -> Foreign | None:
        """Ask for the key of a credential."""
        said = {
            "sha256": credential.sha256,
            "public_id": credential.public_id,
            "hmacs": dict(credential.hmacs),
        }
        status, body = self._send({"type": "key.find", "credential": said})
        if status == _NOT_FOUND:
            return None
        self._must_be_ok(status, "find keys")
        try:
            return msgspec.json.decode(body, type=Foreign)
        except (msgspec.DecodeError, RecursionError):
            raise ServiceError("the answer is no key", where=self._where) from None

    def revoke(self, key_id: str) -> None:
        """Have the key revoked."""
        self._change("revoke", {"id": key_id})

    def throttle(self, key_id: str, per_min: int) -> None:
        """Have the key throttled."""
        self._change("throttle", {"id": key_id, "per_min": per_min})

    def restore(self, key_id: str) -> None:
        """Have the key let in as before."""
        self._change("restore", {"id": key_id})

    def _change(self, verb: str, said: dict[str, Any]) -> None:
        status, _ = self._send({"type": f"key.{verb}", **said})
        if status == _NOT_FOUND:
            raise missing(said["id"], self._where)
        self._must_be_ok(status, verb)

    def _must_be_ok(self, status: int, what: str) -> None:
        if status == _NOT_IMPLEMENTED:
            raise cannot(what, self._where, "it answered 501")
        if status // 100 != 2:  # noqa: PLR2004
            raise ServiceError(f"the store answered {status}", where=self._where)

    def _send(self, said: dict[str, Any]) -> tuple[int, bytes]:
        body = msgspec.json.encode(said)
        at = datetime.fromtimestamp(int(self._clock()), UTC)
        # the same order twice within a second is the same message: a receiver may drop one
        message = f"msg_{sha256(b'%d' % at.timestamp() + body).hexdigest()[:32]}"
        headers = {
            "Content-Type": "application/json",
            "webhook-id": message,
            "webhook-timestamp": str(int(at.timestamp())),
            "webhook-signature": self._signer.sign(message, at, body.decode()),
        }
        answer = self._site.ask("POST", "", body, headers)
        return answer.status, answer.body


def make(options: Options) -> Adapter:
    """Return the store at `url`; `secret` signs what is sent."""
    url, secret = needed(options, "url", "secret")
    where = f"stores.{options['name']}"
    try:
        raw = binascii.a2b_base64(secret.removeprefix("whsec_"))
    except (binascii.Error, ValueError):
        raw = b""
    if len(raw) < _SHORTEST_SECRET:
        raise ConfigError(
            "`secret` is no signing secret of 24 bytes or more",
            where=where,
            remedy="make one: whsec_ and the output of `openssl rand -base64 32`",
        )
    return Http(Site(url, where, plain_http=options.get("plain_http", False)), Signer(raw), where)
