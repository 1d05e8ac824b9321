"""Which AI model a request asks, and whether its key may: for this alone a body is read."""

import json
from collections.abc import Awaitable, Callable, MutableMapping
from functools import lru_cache
from typing import Any

from keystore.narrow import model_matcher

MAX_BODY_BYTES = 4 * 1024 * 1024
"""A longer body of a key that is narrowed to models is refused: it cannot be read."""

_BODILESS = frozenset({"GET", "HEAD", "OPTIONS", "DELETE"})

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]


async def whole(receive: Receive) -> tuple[bytes | None, Receive]:
    """Read the body; return it, None when it is too long, and what gives it once more."""
    messages: list[Message] = []
    size, more = 0, True
    while more and size <= MAX_BODY_BYTES:
        message = await receive()
        messages.append(message)
        size += len(message.get("body", b""))
        more = message["type"] == "http.request" and message.get("more_body", False)

    async def again() -> Message:
        return messages.pop(0) if messages else await receive()

    if more:
        return None, again
    return b"".join(message.get("body", b"") for message in messages), again


def fault_of(body: bytes | None, patterns: tuple[str, ...], method: str = "POST") -> str:
    """Return the code of the refusal, empty when the key may ask this model.

    A body that names no model, or cannot be read as JSON, is refused: who is behind us may find
    one in it. So is one that names two, which servers read differently.

    Args:
        body: None when it is too long to be read.
        patterns: see `Key.models`.
        method: of the request; without a body only one passes that usually has none. A model that
            is named by path or query alone is not seen: narrow the endpoints of such a key, too.
    """
    if body is None:
        return "model_unknown"
    if not body:
        return "" if method in _BODILESS else "model_unknown"
    try:
        asked = _models(body)
    except (ValueError, RecursionError):
        return "model_unknown"
    if len(asked) != 1 or not isinstance(asked[0], str):
        return "model_unknown"
    return "" if _matcher(patterns)(asked[0]) else "model_not_allowed"


def _models(body: bytes) -> list[Any]:
    """Return every value of the field `model` of the outermost object.

    Raises:
        ValueError: when the body is no JSON object.
    """
    found: list[Any] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        # Called for the inner objects first: what is left in the end is the outermost one's.
        # Whatever the case: there are readers of JSON to whom `Model` is the same field.
        found[:] = [value for name, value in items if name.casefold() == "model"]
        return dict(items)

    if not isinstance(json.loads(body, object_pairs_hook=pairs), dict):
        raise ValueError  # noqa: TRY004  (what json raises for a body that is none)
    return found


@lru_cache(maxsize=1024)
def _matcher(patterns: tuple[str, ...]) -> Callable[[str], bool]:
    return model_matcher(patterns)
