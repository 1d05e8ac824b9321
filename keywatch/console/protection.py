"""What every answer of the site carries, and where a request comes from."""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from gateway.clients import is_within

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

_SOURCES = {
    "default": "none",
    "script": "self",
    "style": "self",
    "img": "self",
    "font": "self",
    "connect": "self",
}
_LIMITS = "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
CONTENT_POLICY = "; ".join([*(f"{kind}-src '{who}'" for kind, who in _SOURCES.items()), _LIMITS])
_HEADERS = {
    b"content-security-policy": CONTENT_POLICY.encode(),
    b"x-content-type-options": b"nosniff",
    b"x-frame-options": b"DENY",
    b"referrer-policy": b"same-origin",
    b"cross-origin-opener-policy": b"same-origin",
    b"cross-origin-resource-policy": b"same-origin",
    b"permissions-policy": b"camera=(), geolocation=(), microphone=()",
}
_HSTS = (b"strict-transport-security", b"max-age=31536000")
LOOPBACK = ("127.0.0.0/8", "::1/128")


def protected(inner: App, *, is_https: bool) -> App:
    """Return the application with headers that let a browser do nothing it need not."""
    always = [*_HEADERS.items(), *([_HSTS] if is_https else [])]

    async def app(scope: Scope, receive: Receive, send: Send) -> None:
        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                known = {name.lower() for name, _ in message.get("headers", ())}
                more = [(name, value) for name, value in always if name not in known]
                message = {**message, "headers": [*message.get("headers", ()), *more]}
            await send(message)

        await inner(scope, receive, sent if scope["type"] == "http" else send)

    return app


def is_loopback(host: str) -> bool:
    """Whether an address, or a name, is this machine alone."""
    return host == "localhost" or is_within(host, LOOPBACK)
