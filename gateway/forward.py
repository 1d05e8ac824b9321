"""Forward authentication: a proxy asks about each request before it passes it on.

nginx's `auth_request` understands 2xx, 401 and 403 alone and answers 500 to its client for
anything else, so for nginx all other refusals become 403 with the real status beside it;
deploy/nginx maps it back. Traefik, Caddy and Envoy hand the answer on whole.
"""

import logging
from collections.abc import Sequence
from urllib.parse import unquote

import msgspec

from gateway.app import App, Message, Receive, Scope, Send, asked_of, identity_of
from gateway.asked import Asked, Verdict
from gateway.clients import Trust
from gateway.extract import Header
from gateway.instant import written
from gateway.problems import refuse
from gateway.quota import lines_of

_log = logging.getLogger(__name__)
_IDENTITY = frozenset({b"x-api-key-id", b"x-api-key-environment"})
_UNDERSTOOD = frozenset({*range(200, 300), 401, 403})


async def allowed(scope: Scope, receive: Receive, send: Send) -> None:
    """Answer a request that the gateway let through: 200, and who it is, for the proxy."""
    del receive
    if scope["type"] != "http":
        return
    identity = [header for header in scope["headers"] if header[0] in _IDENTITY]
    headers = [*identity, *_BODILESS]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b""})


def original_of(asked: Asked, place: str) -> Asked | None:
    """Return the request that a proxy asks about; its word is believed.

    nginx tells it in X-Original-*, Traefik and Caddy in X-Forwarded-*, Envoy behind the path.
    Only the names of the face that was asked are read: the other ones may be the client's.

    Args:
        asked: the question.
        place: `/auth` for nginx, `/verify` for the others.

    Returns:
        None when it is told twice, so that the proxy and we may read it differently.
    """
    names = _TOLD[place]
    told = [header for header in asked.headers if header[0] in names]
    behind = asked.path[len(place) :]
    if not (told or behind):
        return asked
    by_name = {names[name]: value for name, value in told}
    if len(by_name) < len(told):
        return None
    if behind:
        return msgspec.structs.replace(asked, path=behind)
    path, _, query = by_name.get("target", asked.path + b"?" + asked.query).partition(b"?")
    method = by_name.get("method", b"")
    return Asked(
        method.decode("ascii").upper() if method.isalpha() and method.isascii() else asked.method,
        path,
        query,
        asked.headers,
        asked.peer,
        asked.version,
        asked.has_body,
    )


def asks_for_another(asked: Asked, place: str) -> bool:
    """Whether a question tells of another request than itself."""
    return len(asked.path) > len(place) or any(name in _TELLING for name, _ in asked.headers)


_TELLING = frozenset(
    {
        *(b"x-original-uri", b"x-original-url", b"x-original-method"),
        *(b"x-forwarded-uri", b"x-forwarded-method"),
    }
)
_MOST_SAID = 1000
_TOLD = {
    "/auth": {b"x-original-uri": "target", b"x-original-method": "method"},
    "/verify": {b"x-forwarded-uri": "target", b"x-forwarded-method": "method"},
}


def original(inner: App, is_trusted: Trust, place: str) -> App:
    """Let `inner` see the request that the proxy asks about instead of the question.

    A question itself is judged only if it asks about no other request: were a proxy's that nobody
    trusts, no endpoint's scopes would be asked for.

    Args:
        inner: a gateway.
        is_trusted: whose word about the original request is believed; others are refused who ask
            about one.
        place: see `original_of`.
    """
    said: set[str] = set()

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        asked = asked_of(scope)
        is_http = scope["type"] == "http"
        if is_http and not is_trusted(asked.peer) and asks_for_another(asked, place):
            if asked.peer not in said and len(said) < _MOST_SAID:
                said.add(asked.peer)
                _log.warning(
                    "%s asks on %s about requests of others and is refused: add it to "
                    "gateway.trusted_proxies if it is your proxy",
                    asked.peer or "an unknown peer",
                    place,
                )
            await refuse(send, "proxy_not_trusted", scope["headers"])
            return
        if is_http and is_trusted(asked.peer):
            told = original_of(asked, place)
            if told is None:
                await refuse(send, "ambiguous_request", scope["headers"])
                return
            scope = _changed(scope, told)
        await inner(scope, receive, send)

    return app


def for_nginx(inner: App) -> App:
    """Let nginx understand every answer of `inner`."""

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def told(message: Message) -> None:
            if message["type"] == "http.response.start":
                status, headers = narrowed(message["status"], message["headers"])
                message = {**message, "status": status, "headers": headers}
            await send(message)

        await inner(scope, receive, told)

    return app


def narrowed(status: int, headers: Sequence[Header]) -> tuple[int, list[Header]]:
    """Return an answer as nginx understands it."""
    told = [*headers, (b"x-keywatch-status", b"%d" % status)]
    return (status if status in _UNDERSTOOD else 403), told


def allowed_headers(verdict: Verdict) -> list[Header]:
    """Return the headers of the answer that lets a request through."""
    return [*identity_of(verdict), *_BODILESS, *verdict.headers]


def passed(verdict: Verdict, place: str) -> bytes | None:
    """Return that answer as HTTP/1.1 writes it, made of lines that many have in common.

    Args:
        verdict: of a request that may pass.
        place: see `original_of`.

    Returns:
        None when it carries more than most do.
    """
    standing, left = verdict.standing, verdict.left
    grant = standing.grant
    if verdict.plain is not grant.headers:
        return None
    quota = b"" if left is None else lines_of(left, verdict.at)
    return b"%bx-api-key-id: %b\r\n%b%b\r\n" % (
        _PASSED[place],
        standing.key_id.encode(),
        grant.lines,
        quota,
    )


_BODILESS = ((b"content-length", b"0"), (b"cache-control", b"no-store"))
_OK = written(200, _BODILESS, b"")[:-2]
_PASSED = {"/auth": _OK + b"x-keywatch-status: 200\r\n", "/verify": _OK}


def _changed(scope: Scope, told: Asked) -> Scope:
    return {
        **scope,
        "method": told.method,
        "path": unquote(told.path.decode("latin-1")),
        "raw_path": told.path,
        "query_string": told.query,
    }
