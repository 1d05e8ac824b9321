"""Which endpoint a request asks for, whatever spelling of its path it chose.

Patterns are `[METHOD ]/path`, where `*` stands for any characters: `GET /v1/*`, `/v1/*/export`.
A path is compared as the server behind us would read it: percent-decoded once, without `//`, `.`
and `..`, so that another spelling neither opens nor evades anything.
"""

import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from urllib.parse import unquote_to_bytes

import msgspec

from gateway.limits import Limit
from vocabulary.errors import ConfigError

_PATTERN = re.compile(r"(?:([A-Z]+) )?(/[\x21-\x7e]*|\*)")

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
        ConfigError: for what is no pattern.
    """
    methods = [_parsed(pattern) for pattern in patterns]

    def matches(method: str, path: bytes) -> bool:
        plain = plain_path(path)
        return any(wanted in ("", method) and found(plain) for wanted, found in methods)

    return matches


def applying(endpoints: Iterable[Endpoint]) -> Callable[[str, bytes], tuple[Endpoint, ...]]:
    """Return the function that tells which of the endpoints a request is for.

    Raises:
        ConfigError: for what is no pattern.
    """
    known = [(matcher((one.pattern,)), one) for one in endpoints]

    @lru_cache(maxsize=4096)
    def found(method: str, path: bytes) -> tuple[Endpoint, ...]:
        return tuple(one for matches, one in known if matches(method, path))

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


def _parsed(pattern: str) -> tuple[str, Callable[[str], object]]:
    found = _PATTERN.fullmatch(pattern)
    if found is None:
        raise ConfigError(
            "this is no endpoint", where=repr(pattern), remedy="write it like GET /v1/*"
        )
    method, path = found.groups()
    # Without DOTALL a line feed in a path would end what `*` stands for.
    regex = ".*".join(re.escape(part) for part in path.split("*"))
    return method or "", re.compile(regex, re.DOTALL).fullmatch
