"""Refusals as problem details (RFC 9457), for clients that say they take them.

Everybody else gets the same words in the shape `{"error": {"code", "message", …}}`.
"""

from collections.abc import Awaitable, Callable, Iterable
from http import HTTPStatus
from typing import Any

import msgspec

from gateway.answers import REFUSALS, Refusal
from gateway.extract import Header

MEDIA_TYPE = "application/problem+json"

_QUOTA = "https://iana.org/assignments/http-problem-types#quota-exceeded"
"""Of draft-ietf-httpapi-ratelimit-headers-11, with the names of the policies that refused."""


def suited(refusal: Refusal, headers: Iterable[Header]) -> Refusal:
    """Return the refusal in the shape that the client asked for.

    Args:
        refusal: in the usual shape.
        headers: of the request, names in lower case.
    """
    accepts = any(_takes_problems(value) for name, value in headers if name == b"accept")
    return as_problem(refusal) if accepts else refusal


def as_problem(refusal: Refusal) -> Refusal:
    """Return the refusal as a problem document; `code` and what is known besides extend it."""
    error: dict[str, Any] = msgspec.json.decode(refusal.body)["error"]
    document = {
        "type": "about:blank",
        "title": HTTPStatus(refusal.status).phrase,
        "status": refusal.status,
        "detail": error["message"],
        "code": error["code"],
        **error.get("details", {}),
    }
    if refusal.policy:
        document |= {"type": _QUOTA, "violated-policies": [refusal.policy]}
    body = msgspec.json.encode(document)
    written = {b"content-type": MEDIA_TYPE.encode(), b"content-length": b"%d" % len(body)}
    headers = tuple((name, written.get(name, value)) for name, value in refusal.headers)
    return msgspec.structs.replace(refusal, headers=headers, body=body)


async def refuse(
    send: Callable[[dict[str, Any]], Awaitable[None]], code: str, headers: Iterable[Header]
) -> None:
    """Answer an ASGI request with one of the refusals.

    Args:
        send: of the request.
        code: see `REFUSALS`.
        headers: of the request, names in lower case.
    """
    refusal = suited(REFUSALS[code], headers)
    start = {"status": refusal.status, "headers": list(refusal.headers)}
    await send({"type": "http.response.start", **start})
    await send({"type": "http.response.body", "body": refusal.body})


def _takes_problems(accept: bytes) -> bool:
    """Whether an Accept header (RFC 9110, 12.5.1) names the media type, and not to exclude it."""
    for one in accept.decode("latin-1").lower().split(","):
        media, *parameters = (part.strip() for part in one.split(";"))
        if media == MEDIA_TYPE:
            return not any(part.replace(" ", "").rstrip("0.") == "q=" for part in parameters)
    return False
