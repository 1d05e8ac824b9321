"""One HTTP/1.1 request written out, and its answer taken in (RFC 9112)."""

from collections.abc import Iterable

import httptools

from gateway.app import Scope
from gateway.clients import Trust
from gateway.extract import Header, tells_of_origin

_HOP_BY_HOP = frozenset(
    {
        *(b"connection", b"keep-alive", b"proxy-connection", b"proxy-authenticate", b"te"),
        *(b"proxy-authorization", b"trailer", b"transfer-encoding", b"upgrade", b"expect"),
    }
)
_MESSAGE = frozenset({b"content-length", b"host"})
"""They are the whole message's, whatever Connection says: without its length a body would be read
as a request of its own, past the gateway."""
_FRAMING = _HOP_BY_HOP | _MESSAGE
_FORWARDED = frozenset({b"x-forwarded-for", b"x-forwarded-proto"})


def head_of(scope: Scope, is_trusted: Trust) -> tuple[bytes, bool]:
    """Return the request's head as it is sent on, and whether its body is sent in chunks.

    Args:
        scope: of the request.
        is_trusted: whose X-Forwarded-For is continued; that of others is left out.

    Raises:
        ValueError: when servers could read the request in two ways: the target cannot stand in a
            request line, there is not one host, or the body is in a coding beside chunks.
    """
    target = scope["raw_path"] + (b"?" + scope["query_string"] if scope["query_string"] else b"")
    if not target.startswith(b"/") or any(byte <= 0x20 or byte == 0x7F for byte in target):  # noqa: PLR2004
        raise ValueError
    headers = list(scope["headers"])
    chunked = _is_chunked(headers)
    headers += _missing_host(scope)
    # Two lengths are how requests are smuggled; servers refuse both, and so nothing is left over.
    dropped = _named_by_connection(headers) | ({b"content-length"} if chunked else set())
    # Some servers read `_` as `-`.
    dropped |= {n for n, _ in headers if b"_" in n and n.replace(b"_", b"-") in _FRAMING}
    if not is_trusted(_peer(scope)):
        dropped |= {name for name, _ in headers if tells_of_origin(name.replace(b"_", b"-"))}
    lines = [b"%s %s HTTP/1.1" % (scope["method"].encode("ascii"), target)]
    lines += [b"%s: %s" % header for header in headers if header[0] not in dropped | _FORWARDED]
    lines += [b"%s: %s" % header for header in _forwarded(scope, is_trusted)]
    if chunked:
        lines.append(b"transfer-encoding: chunked")
    return b"\r\n".join(lines) + b"\r\n\r\n", chunked


def _is_chunked(headers: Iterable[Header]) -> bool:
    codings = [value.strip().lower() for name, value in headers if name == b"transfer-encoding"]
    if codings not in ([], [b"chunked"]):
        raise ValueError
    return bool(codings)


def _missing_host(scope: Scope) -> list[Header]:
    """Return the empty host that an old client did not need to send (RFC 9112, 3.2)."""
    hosts = sum(name == b"host" for name, _ in scope["headers"])
    if hosts == 1:
        return []
    if hosts or scope["http_version"] != "1.0":
        raise ValueError
    return [(b"host", b"")]


def chunk_of(body: bytes) -> bytes:
    """Return a part of a body as one chunk; the empty one ends the body."""
    return b"%x\r\n%s\r\n" % (len(body), body)


def _peer(scope: Scope) -> str:
    return scope["client"][0] if scope.get("client") else ""


def _forwarded(scope: Scope, is_trusted: Trust) -> list[Header]:
    peer = _peer(scope)
    before = [value for name, value in scope["headers"] if name == b"x-forwarded-for"]
    hops = [*(before if is_trusted(peer) else ()), peer.encode("ascii")]
    return [
        (b"x-forwarded-for", b", ".join(hop for hop in hops if hop)),
        (b"x-forwarded-proto", scope.get("scheme", "http").encode("ascii")),
    ]


def _named_by_connection(headers: Iterable[Header]) -> frozenset[bytes]:
    """Return the headers that are meant for this connection alone (RFC 9110, 7.6.1)."""
    named = {
        token.strip().lower()
        for name, value in headers
        if name == b"connection"
        for token in value.split(b",")
    }
    # A client may not have the identity removed that the gateway has just added.
    named = {name for name in named if not name.startswith(b"x-api-key-")}
    return _HOP_BY_HOP | (named - _MESSAGE)


class Incoming:
    """An answer as it comes in: bytes are fed, head and body are taken out.

    Args:
        method: of the request: an answer to HEAD has no body, whatever its length says.
    """

    def __init__(self, method: str) -> None:
        self._parser = httptools.HttpResponseParser(self)
        self._bodiless = method == "HEAD"
        self._headers: list[Header] = []
        self._body: list[bytes] = []
        self._has_length = self._overrun = self._keeps_alive = False
        self.has_head = self.is_complete = False
        self.status = 0

    @property
    def is_reusable(self) -> bool:
        """Whether another request may follow on the same connection."""
        return self._keeps_alive and not self._bodiless and not self._overrun

    @property
    def is_cut_off(self) -> bool:
        """Whether the answer would be incomplete if nothing more came."""
        return not self.is_complete and (not self.has_head or self._has_length)

    @property
    def headers(self) -> list[Header]:
        """The headers that are handed on."""
        # The date is written by the server that hands the answer on: one is enough.
        dropped = _named_by_connection(self._headers) | {b"date"}
        return [header for header in self._headers if header[0] not in dropped]

    def feed(self, raw: bytes) -> None:
        """Take in what was received.

        Raises:
            httptools.HttpParserError: when it is no HTTP.
        """
        if self.is_complete:
            self._overrun = True
        else:
            self._parser.feed_data(raw)

    def take_body(self) -> bytes:
        """Return the part of the body that has come since this was asked last."""
        body, self._body = b"".join(self._body), []
        return body

    def on_message_begin(self) -> None:
        """Begin: after an informational answer the real one comes, after that nothing may."""
        if self.is_complete:
            self._overrun = True
        else:
            self._headers, self._has_length = [], False

    def on_header(self, name: bytes, value: bytes) -> None:
        """Note a header."""
        if self._overrun or self.has_head:  # a trailer
            return
        name = name.lower()
        self._has_length |= name in {b"content-length", b"transfer-encoding"}
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Note that the head is there, unless it is an informational one."""
        if self._overrun:
            return
        self.status = self._parser.get_status_code()
        self.has_head = self.status >= 200  # noqa: PLR2004
        self.is_complete = self.has_head and self._bodiless

    def on_body(self, body: bytes) -> None:
        """Note a part of the body."""
        if not self.is_complete:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """Note the end."""
        if self.has_head and not self.is_complete:
            self.is_complete = True
            self._keeps_alive = self._parser.should_keep_alive()
