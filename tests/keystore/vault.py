"""A stand-in for Vault's HTTP API: a KV version 2 engine, and tokens by accessor.

Paths, fields and status codes as https://developer.hashicorp.com/vault/api-docs has them.
"""

import json
from urllib.parse import unquote


class Vault:
    """Answers for `tests.httpd.serving`; secrets are place → list of [fields, is deleted]."""

    def __init__(self, token):
        self.token, self.secrets, self.accessors = token, {}, {}
        self.forbidden = set()
        self.destroyed = set()

    def put(self, place, **fields):
        self.secrets.setdefault(place, []).append([fields, False])
        return place

    def lets_in(self, place):
        return not self.secrets[place][-1][1]

    def destroy(self, place):
        """Destroy the newest version for good, as `vault kv destroy` does."""
        self.secrets[place][-1][1] = True
        self.destroyed.add((place, len(self.secrets[place])))

    def __call__(self, asked):
        if asked.headers.get("x-vault-token") != self.token:
            return 403, {}, b'{"errors":["permission denied"]}'
        said = json.loads(asked.body) if asked.body else {}
        path = unquote(asked.path).removeprefix("/v1/")
        status, data = self.answer(asked.method, path, said)
        wrapped = {"errors": []} if data is None else {"data": data}
        return status, {}, b"" if status == 204 else json.dumps(wrapped).encode()

    def answer(self, method, path, said):  # noqa: PLR0911  (one a path)
        if path.startswith("auth/token/"):
            return self.token_answer(path.removeprefix("auth/token/"), said["accessor"])
        mount, what, place = [*path.split("/", 2), ""][:3]
        if mount != "secret":
            return 404, None
        versions = self.secrets.get(place)
        match method, what:
            case "LIST", "metadata":
                return self.listed(place)
            case "GET", "metadata" if versions:
                told = {str(n): self.version(place, n) for n in range(1, len(versions) + 1)}
                return 200, {"current_version": len(versions), "versions": told}
            case "GET", "data" if versions:
                # Of a deleted version the metadata is told all the same, and 404 beside it.
                fields, is_deleted = versions[-1]
                told = {"metadata": self.version(place, len(versions))}
                told["data"] = None if is_deleted else fields
                return 404 if is_deleted else 200, told
            case "DELETE", "data":
                if versions:
                    versions[-1][1] = True
                return 204, None
            case "POST", "undelete":
                # It says that it is done, too, where nothing is left to come back.
                for number in said["versions"]:
                    versions[number - 1][1] = (place, number) in self.destroyed
                return 204, None
        return 404, None

    def version(self, place, number):
        is_deleted = self.secrets[place][number - 1][1]
        return {
            "created_time": "2026-01-01T00:00:00.0Z",
            "deletion_time": "2026-01-02T00:00:00.0Z" if is_deleted else "",
            "destroyed": (place, number) in self.destroyed,
        }

    def token_answer(self, what, accessor):
        if accessor not in self.accessors:
            return 400, None
        if what in self.forbidden:
            return 403, None
        if what == "revoke-accessor":
            del self.accessors[accessor]
            return 204, None
        return 200, {"accessor": accessor, "display_name": self.accessors[accessor]}

    def listed(self, folder):
        start = f"{folder}/" if folder else ""
        below = [place.removeprefix(start) for place in self.secrets if place.startswith(start)]
        names = {name.split("/", 1)[0] + ("/" if "/" in name else "") for name in below}
        return (200, {"keys": sorted(names)}) if names else (404, None)
