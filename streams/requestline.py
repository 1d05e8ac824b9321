"""Requests as logs tell them: `GET /v1/things?page=2 HTTP/1.1`."""

import re

from vocabulary.credential import STAND_IN

MAX_PATH = 2048
"""Characters; the rest of a longer path is cut off."""

_METHOD = re.compile(r"[A-Za-z][A-Za-z_-]{0,31}")
_ABSOLUTE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]{0,31}://[^/?#]*")
# A key in a query string was replaced by its token before the line came here. Other values are
# not taken: `?key=name` is no credential, and an unknown secret must not become a key's name.
_KEY = re.compile(
    r"(?:^|[&;])(?:api[_-]?key|key|access_token|token)="
    rf"({STAND_IN}|key_[a-z2-7]{{16}})(?=[&;#]|$)",
    re.IGNORECASE,
)

GARBAGE = ("", "", "")


def request_line(text: str) -> tuple[str, str, str]:
    """Return (method, path, key) of a request line; all empty when it is none.

    What is no HTTP (a TLS handshake on a plain port, a scanner's probe) was a request all the
    same: the event counts, without method and path.
    """
    method, _, rest = text.partition(" ")
    target, _, protocol = rest.rpartition(" ")
    if not target or not protocol.startswith("HTTP/"):
        target = rest
    return request(method, target) if _METHOD.fullmatch(method) and target else GARBAGE


def request(method: str, target: str) -> tuple[str, str, str]:
    """Return (method, path, key): the path without host and query string.

    Args:
        method: in any case.
        target: in any form of RFC 9112, 3.2.
    """
    prefix = _ABSOLUTE.match(target)
    if prefix is not None:
        target = target[prefix.end() :] or "/"
    path, _, query = target.partition("?")
    found = _KEY.search(query) if query else None
    key = found[1] if found else ""
    return _method(method), path.partition("#")[0][:MAX_PATH], key


def _method(text: str) -> str:
    return text.upper() if _METHOD.fullmatch(text) else ""
