"""Forward authentication: a proxy asks about each request before it passes it on.

nginx's `auth_request` understands 2xx, 401 and 403 alone and answers 500 to its client for
anything else, so for nginx all other refusals become 403 with the real status beside it;
deploy/nginx maps it back. Traefik, Caddy and Envoy hand the answer on whole.
"""

from urllib.parse import unquote

from gateway.app import App, Message, Receive, Scope, Send
from gateway.clients import Trust

_IDENTITY = frozenset({b"x-api-key-id", b"x-api-key-environment"})
_UNDERSTOOD = frozenset({*range(200, 300), 401, 403})


async def allowed(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request that the gateway let through: 200, and who it is, for the proxy."""
    del receive
    if scope["type"] != "http":
        return
    identity = [header for header in scope["headers"] if header[0] in _IDENTITY]
    headers = [*identity, (b"content-length", b"0"), (b"cache-control", b"no-store")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def original(inner: App, is_trusted: Trust) -> App:
    """Let `inner` see the request that the proxy asks about instead of the question.

    Args:
        inner: a gateway.
        is_trusted: whose word about the original request is believed; of others the question
            itself is judged, with the key in it.
    """

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        peer = scope.get("client")
        if scope["type"] == "http" and peer and is_trusted(peer[0]):
            scope = _original_of(scope)
        await inner(scope, receive, send)

    return app


def for_nginx(inner: App) -> App:
    """Let nginx understand every answer of `inner`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def narrowed(message: Message) -> None:
            if message["type"] == "http.response.start":
                message = _narrowed(message)
            await send(message)

        await inner(scope, receive, narrowed)

    return app


def _narrowed(message: Message) -> Message:
    status = message["status"]
    headers = [*message["headers"], (b"x-keywatch-status", b"%d" % status)]
    return {**message, "status": status if status in _UNDERSTOOD else 403, "headers": headers}


def _original_of(scope: Scope) -> Scope:
    """Return the scope with method and target as nginx (X-Original-) or others tell them."""
    told = dict(scope["headers"])
    target = told.get(b"x-original-uri") or told.get(b"x-forwarded-uri")
    method = told.get(b"x-original-method") or told.get(b"x-forwarded-method")
    changed = dict(scope)
    if target:
        raw_path, _, query = target.partition(b"?")
        changed["raw_path"], changed["query_string"] = raw_path, query
        changed["path"] = unquote(raw_path.decode("latin-1"))
    if method and method.isalpha():
        changed["method"] = method.decode("latin-1").upper()
    return changed
