"""Kong Gateway, by its Admin API: keys of the key-auth plugin.

Kong keeps those keys in clear and cannot switch one off: deleting it could not be taken back. So
its consumer is stopped by a `request-termination` plugin, and throttled by a `rate-limiting` one,
both tagged `keywatch`; restoring takes the two away. All keys of the consumer are in the same
boat, which for a leak is what one wants.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import msgspec

from keystore.adapters import Adapter, Foreign, Options, missing, needed
from keystore.adapters._index import Index
from keystore.web import Answer, Site, segment
from vocabulary.credential import Credential
from vocabulary.errors import ServiceError

_TAG = "keywatch"
_STOPPED, _THROTTLED = "request-termination", "rate-limiting"
_PAGE = 1000
_NOT_FOUND = 404


class Kong:
    """Keys of a Kong.

    Args:
        site: its Admin API.
        where: how the configuration calls it.
    """

    def __init__(self, site: Site, where: str) -> None:
        self._site, self._where = site, where
        self._index = Index(self._all)

    def find(self, credential: Credential) -> Foreign | None:
        """Return the key of a credential; Kong's keys are hashed as they come, and not kept."""
        key_id = self._index.place(credential.sha256)
        found = self._get(f"/key-auths{segment(key_id)}") if key_id else None
        if found is None or _hash(found) != credential.sha256:
            if key_id:
                self._index.forget(credential.sha256)
            return None
        consumer = self._get(f"/consumers{segment(found['consumer']['id'])}") or {}
        stopped = _STOPPED in self._ours(found["consumer"]["id"])
        name = str(consumer.get("username") or consumer.get("custom_id") or "")
        return Foreign(id=found["id"], active=not stopped, name=name, owner=name)

    def revoke(self, key_id: str) -> None:
        """Stop the key's consumer."""
        self._put(key_id, _STOPPED, {"status_code": 401, "message": "Unauthorized"})

    def throttle(self, key_id: str, per_min: int) -> None:
        """Throttle the key's consumer."""
        self._put(
            key_id, _THROTTLED, {"minute": per_min, "policy": "local", "limit_by": "consumer"}
        )

    def restore(self, key_id: str) -> None:
        """Take away what we put on the key's consumer."""
        consumer = self._consumer(key_id)
        for plugin_id in self._ours(consumer).values():
            self._must_be_ok(self._ask("DELETE", f"/plugins{segment(plugin_id)}"))

    def _all(self) -> dict[str, str]:
        return {_hash(each): each["id"] for each in self._pages("/key-auths")}

    def _put(self, key_id: str, plugin: str, config: dict[str, Any]) -> None:
        consumer = self._consumer(key_id)
        known = self._ours(consumer).get(plugin)
        said = {"name": plugin, "config": config, "tags": [_TAG], "enabled": True}
        if known:
            answer = self._ask("PATCH", f"/plugins{segment(known)}", said)
        else:
            answer = self._ask("POST", f"/consumers{segment(consumer)}/plugins", said)
        self._must_be_ok(answer)

    def _consumer(self, key_id: str) -> str:
        found = self._get(f"/key-auths{segment(key_id)}")
        if found is None:
            raise missing(key_id, self._where)
        return str(found["consumer"]["id"])

    def _ours(self, consumer: str) -> dict[str, str]:
        """Return plugins of ours on the consumer: name → id."""
        plugins = self._pages(f"/consumers{segment(consumer)}/plugins")
        return {each["name"]: each["id"] for each in plugins if _TAG in (each.get("tags") or ())}

    def _pages(self, path: str) -> Iterator[dict[str, Any]]:
        offset = ""
        while True:
            more = f"&offset={quote(offset, safe='')}" if offset else ""
            page = self._get(f"{path}?size={_PAGE}{more}") or {}
            yield from page.get("data", ())
            offset = page.get("offset") or ""
            if not offset:
                return

    def _get(self, path: str) -> dict[str, Any] | None:
        answer = self._ask("GET", path)
        if answer.status == _NOT_FOUND:
            return None
        self._must_be_ok(answer)
        try:
            return msgspec.json.decode(answer.body, type=dict[str, Any])
        except (msgspec.DecodeError, RecursionError):
            raise ServiceError("Kong's answer cannot be read", where=self._where) from None

    def _must_be_ok(self, answer: Answer) -> None:
        if not answer.is_ok:
            raise ServiceError(f"Kong answered {answer.status}", where=self._where)

    def _ask(self, method: str, path: str, said: dict[str, Any] | None = None) -> Answer:
        body = msgspec.json.encode(said) if said else b""
        headers = {"Content-Type": "application/json"} if said else {}
        return self._site.ask(method, path, body, headers)


def _hash(found: dict[str, Any]) -> str:
    return sha256(str(found["key"]).encode()).hexdigest()


def make(options: Options) -> Adapter:
    """Return the Kong whose Admin API is at `url`; `secret` is its admin token, if it has one."""
    (url,) = needed(options, "url")
    where = f"stores.{options['name']}"
    token = {"Kong-Admin-Token": options["secret"]} if options.get("secret") else {}
    plain = options.get("plain_http", False)
    return Kong(Site(url, where, plain_http=plain, headers=token, most_bytes=64 << 20), where)
