"""Which endpoint a request asks for, whatever spelling of its path it chose.

Patterns are those of `keystore.narrow`: `GET /v1/*`, `/v1/*/export`.
A path is compared as the server behind us would read it: percent-decoded once, without `//`, `.`
and `..`, so that another spelling neither opens nor evades anything.
"""

from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec

from gateway.limits import Limit
from keystore.narrow import endpoint_matcher, endpoints

PER = ("endpoint", "key", "account", "ip")
"""Whose requests a limit of an endpoint counts together: everybody's, or those of each key, …"""


class Endpoint(msgspec.Struct, frozen=True):
    """What some endpoints ask for.

    Attributes:
        pattern: such as `POST /v1/*`.
        scopes: a key needs all of them.
        limits: of level `endpoint`.
        per: one of `PER`.
    """

    pattern: str
    scopes: tuple[str, ...] = ()
    limits: tuple[Limit, ...] = ()
    per: str = "endpoint"


Matcher = Callable[[str, bytes], bool]
"""Method and path as it was sent → whether the endpoint is meant."""


@lru_cache(maxsize=1024)
def matcher(patterns: tuple[str, ...]) -> Matcher:
    """Return the test whether a request is for one of the endpoints.

    Raises:
        UsageError: for what is no pattern.
    """
    matches = endpoint_matcher(endpoints(patterns))
    return lambda method, path: matches(method, plain_path(path))


def applying(known: Iterable[Endpoint]) -> Callable[[str, bytes], tuple[Endpoint, ...]]:
    """Return the function that tells which of the endpoints a request is for.

    Raises:
        UsageError: for what is no pattern.
    """
    compiled = [(matcher((one.pattern,)), one) for one in known]

    @lru_cache(maxsize=4096)
    def found(method: str, path: bytes) -> tuple[Endpoint, ...]:
        return tuple(one for matches, one in compiled if matches(method, path))

    return found


def plain_path(path: bytes) -> str:
    """Return the path as a server reads it: decoded once, every detour taken out."""
    segments: list[str] = []
    decoded = unquote_to_bytes(path).decode("utf-8", "replace").replace("\\", "/")
    for part in decoded.split("/"):
        # What follows `;` is a parameter to some servers, which drop it before they look for dots.
        segment = part.partition(";")[0]
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    tail = "/" if segments and decoded.endswith("/") else ""
    return "/" + "/".join(segments) + tail
