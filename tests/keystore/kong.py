"""A stand-in for Kong's Admin API: consumers, their key-auth keys and plugins, paged.

Paths, fields and status codes as https://developer.konghq.com/api/gateway/admin-ee/ has them.
"""

import json
from itertools import count
from urllib.parse import parse_qs, unquote, urlsplit

PAGE = 2


class Kong:
    """Answers for `tests.httpd.serving`."""

    def __init__(self, token):
        self.token, self.numbers = token, count(1)
        self.consumers, self.keys, self.plugins = {}, {}, {}

    def add(self, username, key):
        consumer, key_id = f"c{next(self.numbers)}", f"k{next(self.numbers)}"
        self.consumers[consumer] = {"id": consumer, "username": username}
        self.keys[key_id] = {"id": key_id, "key": key, "consumer": {"id": consumer}}
        return key_id

    def lets_in(self, key_id):
        names = {p["name"] for p in self.of(self.keys[key_id]["consumer"]["id"]) if p["enabled"]}
        return "request-termination" not in names

    def limit(self, key_id):
        for plugin in self.of(self.keys[key_id]["consumer"]["id"]):
            if plugin["name"] == "rate-limiting":
                return plugin["config"]["minute"]
        return None

    def of(self, consumer):
        return [p for p in self.plugins.values() if p["consumer"]["id"] == consumer]

    def __call__(self, asked):
        if asked.headers.get("kong-admin-token") != self.token:
            return 401, {}, b'{"message":"Unauthorized"}'
        address = urlsplit(asked.path)
        parts = [unquote(part) for part in address.path.strip("/").split("/")]
        said = json.loads(asked.body) if asked.body else {}
        offset = int(parse_qs(address.query).get("offset", ["0"])[0])
        status, found = self.answer(asked.method, parts, said, offset)
        return status, {}, json.dumps(found).encode() if found is not None else b""

    def answer(self, method, parts, said, offset):  # noqa: PLR0911  (one a path)
        match method, parts:
            case "GET", ["key-auths"]:
                return 200, self.page(list(self.keys.values()), offset)
            case "GET", ["key-auths", key] if key in self.keys:
                return 200, self.keys[key]
            case "GET", ["consumers", consumer] if consumer in self.consumers:
                return 200, self.consumers[consumer]
            case "GET", ["consumers", consumer, "plugins"]:
                return 200, self.page(self.of(consumer), offset)
            case "POST", ["consumers", consumer, "plugins"]:
                if any(p["name"] == said["name"] for p in self.of(consumer)):
                    return 409, {"name": "unique constraint violation"}
                plugin = f"p{next(self.numbers)}"
                self.plugins[plugin] = {**said, "id": plugin, "consumer": {"id": consumer}}
                return 201, self.plugins[plugin]
            case "PATCH", ["plugins", plugin] if plugin in self.plugins:
                self.plugins[plugin] |= said
                return 200, self.plugins[plugin]
            case "DELETE", ["plugins", plugin]:
                self.plugins.pop(plugin, None)
                return 204, None
        return 404, {"message": "Not found"}

    def page(self, rows, offset):
        rest = str(offset + PAGE) if len(rows) > offset + PAGE else None
        return {"data": rows[offset : offset + PAGE], "offset": rest, "next": rest}
