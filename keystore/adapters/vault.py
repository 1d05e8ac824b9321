"""HashiCorp Vault: keys in a KV version 2 engine, and tokens by their accessor.

A key that stands in Vault is revoked by deleting its newest version, which Vault can undelete: who
fetches the key gets none, and its consumer cannot start with it. A token is revoked for good.
"""

from collections.abc import Iterator
from hashlib import sha256
from typing import Any
from urllib.parse import quote

import msgspec

from keystore.adapters import Adapter, Foreign, Options, cannot, missing, needed
from keystore.adapters._index import Index
from keystore.web import Answer, Site
from vocabulary.credential import Credential
from vocabulary.errors import ServiceError

_ACCESSOR = "accessor:"
_NOT_FOUND, _BAD_REQUEST, _FORBIDDEN = 404, 400, 403
_DEEPEST = 20


class Vault:
    """Keys and tokens of a Vault.

    Args:
        site: its API, with the token that may list, read, delete and undelete.
        mount: of the KV engine.
        path: below which keys are looked for; empty for all of the mount.
        where: how the configuration calls it.
    """

    def __init__(self, site: Site, mount: str, path: str, where: str) -> None:
        self._site, self._mount, self._path = site, mount.strip("/"), path.strip("/")
        self._where = where
        self._index = Index(self._all)

    def find(self, credential: Credential) -> Foreign | None:
        """Return the token of an accessor, or the place whose value is the credential's.

        A value whose newest version is deleted is remembered from before only.
        """
        if credential.public_id:
            said = self._said("POST", "/v1/auth/token/lookup-accessor", credential.public_id)
            if said:
                name = str(said.get("display_name") or "")
                return Foreign(_ACCESSOR + credential.public_id, True, credential.public_id, name)
        place = self._index.place(credential.sha256)
        if place is None:
            return None
        hashes = {sha256(value.encode()).hexdigest() for value in self._values(place)}
        if hashes and credential.sha256 not in hashes:  # it was rotated
            self._index.forget(credential.sha256)
            return None
        return Foreign(id=place, active=bool(hashes), name=place)

    def revoke(self, key_id: str) -> None:
        """Delete the newest version, or revoke the token."""
        if key_id.startswith(_ACCESSOR):
            said = {"accessor": key_id.removeprefix(_ACCESSOR)}
            answer = self._ask("POST", "/v1/auth/token/revoke-accessor", said)
            if answer.status in (_BAD_REQUEST, _NOT_FOUND):
                raise missing(key_id, self._where)
            if answer.status == _FORBIDDEN:  # of a token that lives on nobody may think it is gone
                raise ServiceError(
                    "Vault refuses to revoke by accessor",
                    where=self._where,
                    remedy="let keywatch's token update auth/token/revoke-accessor",
                )
            self._must_be_ok(answer)
            return
        self._newest(key_id)
        self._must_be_ok(self._ask("DELETE", self._at("data", key_id)))

    def throttle(self, key_id: str, per_min: int) -> None:
        """Vault cannot."""
        del key_id, per_min
        raise cannot("throttle", self._where, "revoke the key there, throttle it at your gateway")

    def restore(self, key_id: str) -> None:
        """Undelete the newest version."""
        if key_id.startswith(_ACCESSOR):
            raise cannot("restore a token", self._where, "issue another")
        newest, is_destroyed = self._newest(key_id)
        if is_destroyed:  # Vault would answer that it is done
            raise cannot("restore what was destroyed in it", self._where, "put the key there anew")
        said = {"versions": [newest]}
        self._must_be_ok(self._ask("POST", self._at("undelete", key_id), said))

    def _all(self) -> dict[str, str]:
        return {
            sha256(value.encode()).hexdigest(): place
            for place in self._leaves(self._path, 0)
            for value in self._values(place)
        }

    def _newest(self, place: str) -> tuple[int, bool]:
        """Return the number of the newest version, and whether it is gone for good."""
        answer = self._ask("GET", self._at("metadata", place))
        if answer.status == _NOT_FOUND:
            raise missing(place, self._where)
        said = self._read(answer)
        version: int = said["current_version"]
        told = (said.get("versions") or {}).get(str(version)) or {}
        return version, bool(told.get("destroyed"))

    def _values(self, place: str) -> list[str]:
        answer = self._ask("GET", self._at("data", place))
        if answer.status == _NOT_FOUND:
            return []
        fields = self._read(answer).get("data") or {}
        return [value for value in fields.values() if isinstance(value, str) and value]

    def _leaves(self, folder: str, depth: int) -> Iterator[str]:
        if depth > _DEEPEST:
            return
        answer = self._ask("LIST", self._at("metadata", folder))
        if answer.status == _NOT_FOUND:
            return
        for name in self._read(answer).get("keys", ()):
            place = f"{folder}/{name}".strip("/")
            if name.endswith("/"):
                yield from self._leaves(place, depth + 1)
            else:
                yield place

    def _at(self, what: str, place: str) -> str:
        return f"/v1/{quote(self._mount)}/{what}/{quote(place)}".rstrip("/")

    def _said(self, method: str, path: str, accessor: str) -> dict[str, Any] | None:
        answer = self._ask(method, path, {"accessor": accessor})
        if answer.status in (_BAD_REQUEST, _FORBIDDEN, _NOT_FOUND):
            return None
        return self._read(answer)

    def _read(self, answer: Answer) -> dict[str, Any]:
        self._must_be_ok(answer)
        try:
            found = msgspec.json.decode(answer.body, type=dict[str, Any]).get("data")
        except (msgspec.DecodeError, RecursionError):
            found = None
        if not isinstance(found, dict):
            raise ServiceError("Vault's answer cannot be read", where=self._where)
        return found

    def _must_be_ok(self, answer: Answer) -> None:
        if not answer.is_ok:
            raise ServiceError(f"Vault answered {answer.status}", where=self._where)

    def _ask(self, method: str, path: str, said: dict[str, Any] | None = None) -> Answer:
        body = msgspec.json.encode(said) if said else b""
        headers = {"Content-Type": "application/json"} if said else {}
        return self._site.ask(method, path, body, headers)


def make(options: Options) -> Adapter:
    """Return the Vault at `url`; `secret` is its token, `mount` and `path` say where keys are."""
    url, secret = needed(options, "url", "secret")
    where = f"stores.{options['name']}"
    headers = {"X-Vault-Token": secret, "X-Vault-Request": "true"}
    site = Site(url, where, plain_http=options.get("plain_http", False), headers=headers)
    return Vault(site, options.get("mount") or "secret", options.get("path") or "", where)
