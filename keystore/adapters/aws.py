"""Amazon Web Services: access keys of IAM users, and keys of API Gateway.

Access keys are known by their public part (AKIA…); AWS tells nobody the secret. Keys of API
Gateway are read and hashed. Both are switched off and on again; AWS throttles no single key.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from typing import Any

from keystore.adapters import Adapter, Foreign, Options, cannot, missing
from keystore.adapters._index import Index
from vocabulary.credential import Credential
from vocabulary.errors import ConfigError, KeyNotFoundError, ServiceError

_IAM, _API = "iam:", "api:"


class Aws:
    """Keys of an account.

    Args:
        iam: boto3's client of IAM.
        gateway: boto3's client of API Gateway; None where it is not asked.
        where: how the configuration calls it.
    """

    def __init__(self, iam: Any, gateway: Any, where: str) -> None:  # noqa: ANN401  (boto3)
        self._iam, self._gateway, self._where = iam, gateway, where
        self._index = Index(self._api_keys)

    def find(self, credential: Credential) -> Foreign | None:
        """Return the access key of this public id, or API Gateway's key of this hash."""
        try:
            with self._told(""):
                if credential.public_id:
                    return self._access_key(credential.public_id)
                return self._api_key(credential.sha256) if self._gateway else None
        except KeyNotFoundError:  # it was deleted since the keys were read
            self._index.forget(credential.sha256)
            return None

    def revoke(self, key_id: str) -> None:
        """Make the key inactive."""
        self._switch(key_id, on=False)

    def throttle(self, key_id: str, per_min: int) -> None:
        """AWS cannot: a usage plan throttles all of its keys."""
        del key_id, per_min
        raise cannot("throttle", self._where, "suspend the key, or change its usage plan")

    def restore(self, key_id: str) -> None:
        """Make the key active."""
        self._switch(key_id, on=True)

    def _access_key(self, public_id: str) -> Foreign | None:
        user = self._user(public_id)
        if not user:
            return None
        for page in self._iam.get_paginator("list_access_keys").paginate(UserName=user):
            for key in page["AccessKeyMetadata"]:
                if key["AccessKeyId"] == public_id:
                    active = key["Status"] == "Active"
                    return Foreign(_IAM + public_id, active, public_id, owner=user)
        return None

    def _user(self, public_id: str) -> str:
        try:
            said = self._iam.get_access_key_last_used(AccessKeyId=public_id)
        except Exception as error:
            # AWS forbids to look at keys that are not the account's
            if _code(error) in ("AccessDenied", "NoSuchEntity", "ValidationError"):
                return ""
            raise
        return str(said.get("UserName") or "")

    def _api_key(self, wanted: str) -> Foreign | None:
        key_id = self._index.place(wanted)
        if key_id is None:
            return None
        key = self._gateway.get_api_key(apiKey=key_id)
        return Foreign(_API + key_id, bool(key.get("enabled")), name=str(key.get("name") or ""))

    def _api_keys(self) -> dict[str, str]:
        pages = self._gateway.get_paginator("get_api_keys").paginate(includeValues=True)
        return {
            sha256(key["value"].encode()).hexdigest(): key["id"]
            for page in pages
            for key in page["items"]
        }

    def _switch(self, key_id: str, *, on: bool) -> None:
        kind, name = key_id[: len(_IAM)], key_id[len(_IAM) :]
        with self._told(key_id):
            user = self._user(name) if kind == _IAM else ""
            if user:
                status = "Active" if on else "Inactive"
                self._iam.update_access_key(UserName=user, AccessKeyId=name, Status=status)
                return
            if kind == _API and self._gateway:
                change = {"op": "replace", "path": "/enabled", "value": str(on).lower()}
                self._gateway.update_api_key(apiKey=name, patchOperations=[change])
                return
        raise missing(key_id, self._where)

    @contextmanager
    def _told(self, key_id: str) -> Iterator[None]:
        """Put what boto3 raises into words, without what AWS echoes."""
        try:
            yield
        except Exception as error:  # noqa: BLE001  (boto3 makes its errors at run time)
            code = _code(error)
            if code in ("NoSuchEntity", "NotFoundException"):
                raise missing(key_id, self._where) from None
            raise ServiceError(f"AWS did not do it: {code}", where=self._where) from None


def _code(error: Exception) -> str:
    response = getattr(error, "response", None) or {}
    return str(response.get("Error", {}).get("Code") or type(error).__name__)


def make(options: Options) -> Adapter:
    """Return the account that boto3 finds credentials of; `region` and `url` may be named."""
    where = f"stores.{options['name']}"
    try:
        import boto3  # noqa: PLC0415  (an extra)
    except ModuleNotFoundError:
        raise ConfigError(
            "boto3 is not installed", where=where, remedy="install keywatch[aws]"
        ) from None
    region = options.get("region") or None
    more = {"region_name": region, "endpoint_url": options.get("url") or None}
    gateway = boto3.client("apigateway", **more) if region else None
    return Aws(boto3.client("iam", **more), gateway, where)
