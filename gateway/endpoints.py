"""Which endpoint a request asks for, whatever spelling of its path it chose.

Patterns are those of `keystore.narrow`: `GET /v1/*`, `/v1/*/export`.
A path is compared as the server behind us would read it: percent-decoded once, without `//`, `.`
and `..`, so that another spelling neither opens nor evades anything. Servers differ in what they
take out, so what a key is allowed must be allowed in every reading, letter by letter; and what an
endpoint asks for is asked for in each, in upper and lower case, with a slash at the end, HEAD for
GET.
"""

import re
from collections.abc import Callable, Iterable
from fnmatch import translate
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
    """Return the test whether a request is for the endpoints, however a server reads its path.

    Raises:
        UsageError: for what is no pattern.
    """
    matches = endpoint_matcher(endpoints(patterns))

    def is_for(method: str, path: bytes) -> bool:
        plain = plain_path(path)
        if _DETOURS.search(path) is None:
            return matches(method, plain)
        return all(matches(method, one) for one in (plain, *_spelled(path)))

    return is_for


_DETOURS = re.compile(rb"[%;\\]|/\.|//")
"""Without one of these every server reads a path alike."""


def applying(known: Iterable[Endpoint]) -> Callable[..., tuple[Endpoint, ...]]:
    """Return the function that tells which of the endpoints a request may be for.

    It is asked with the method, the path as it was sent, and methods that the application may take
    in the place of that one.

    Raises:
        UsageError: for what is no pattern.
    """
    compiled = [(*_covering(one.pattern), one) for one in known]

    def found(method: str, path: bytes, *overrides: str) -> tuple[Endpoint, ...]:
        methods = {"*", method.upper(), *(other.upper() for other in overrides)}
        if "HEAD" in methods:
            methods.add("GET")
        paths = readings(path)
        return tuple(
            one
            for of, is_meant, one in compiled
            if of in methods and any(is_meant(path) for path in paths)
        )

    remembered = lru_cache(maxsize=4096)(found)

    def applies(method: str, path: bytes, *overrides: str) -> tuple[Endpoint, ...]:
        # What somebody invents must not fill memory.
        if len(path) + sum(map(len, overrides)) > _LONGEST_REMEMBERED:
            return found(method, path, *overrides)
        return remembered(method, path, *overrides)

    return applies


_LONGEST_REMEMBERED = 512


def _covering(pattern: str) -> tuple[str, Callable[[str], object]]:
    """Return the method of a pattern, and the test for `readings` of a path: `/x/*` covers `/x`."""
    (plain,) = endpoints((pattern,))
    method, _, path = plain.partition(" ")
    path = path.lower().rstrip("/") or "/"
    either = {path, path.removesuffix("/*") or "/"}
    return method, re.compile("|".join(translate(one) for one in either)).match


def readings(path: bytes) -> frozenset[str]:
    """Return the path in every way in which a server may read it: lower case, no slash at its end.

    Some servers decode before they look for dots, some after it, and some look for none; some
    leave out control characters.
    """
    found = (plain_path(path), *_spelled(path))
    return frozenset(one.lower().rstrip("/") or "/" for one in found)


def _spelled(path: bytes) -> tuple[str, str, str]:
    """Return the path as other servers than that of `plain_path` read it.

    One looks for no dots, one decodes after it, and one leaves out control characters.
    """
    sent = path.replace(b"\\", b"/")
    late = _resolved(_decoded(part) for part in sent.split(b"/"))
    late += "/" if late != "/" and sent.endswith(b"/") else ""
    bare = plain_path(_CONTROLS.sub(b"", sent))
    return re.sub("/+", "/", _decoded(sent)), re.sub("/+", "/", late), bare


_CONTROLS = re.compile(rb"%(?:[01][0-9a-fA-F]|7[fF])")


def plain_path(path: bytes) -> str:
    """Return the path as a server reads it: decoded once, every detour taken out."""
    decoded = _decoded(path)
    plain = _resolved(decoded.split("/"))
    return plain + "/" if plain != "/" and decoded.endswith("/") else plain


def _decoded(path: bytes) -> str:
    return unquote_to_bytes(path).decode("utf-8", "replace").replace("\\", "/")


def _resolved(parts: Iterable[str]) -> str:
    """Return the path of these segments, without a slash at its end."""
    segments: list[str] = []
    for part in parts:
        # What follows `;` is a parameter to some servers, which drop it before they look for dots.
        segment = part.partition(";")[0]
        if segment == "..":
            del segments[-1:]
        elif segment not in ("", "."):
            segments.append(segment)
    return "/" + "/".join(segments)
