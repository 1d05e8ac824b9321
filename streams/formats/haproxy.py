"""HAProxy's HTTP log (`option httplog`), with or without syslog's words before it.

https://docs.haproxy.org/3.2/configuration.html#8.2.3
"""

import re

from streams.assemble import COLUMNS, Found
from streams.parsed import Format, Reader, Shape
from streams.textformat import Field, TextFormat
from streams.timestamps import clf_ms
from vocabulary.credential import STAND_IN
from vocabulary.errors import ConfigError

_ID = re.compile(rf"key_[a-z2-7]{{16}}|{STAND_IN}")


def _time(word: str) -> int | None:
    return clf_ms(word) or clf_ms(f"{word} +0000")


_CLOCK: Reader[int] = Reader("a time like 31/Dec/2025:23:59:59.123", _time)

# HAProxy spells `"`, `#`, `{`, `|` and `}` of a client as # and two digits. Where one stands in a
# header or a request, half a line has the next glued to it: nobody was there, whatever they say.
_FIELDS = (
    Field(
        "client_ip:port",
        r"(?:.{0,256}?\[[0-9]{1,10}\]: |)"
        r"((?:[0-9]{1,3}\.){3}[0-9]{1,3}|[0-9A-Fa-f:]{0,44}:[0-9A-Fa-f:.]{1,45}):[0-9]{1,5}(?= )",
        "ip",
    ),
    Field("request_date", r" \[([^\]\[]{20,40}+)\]", "time"),
    Field("frontend", r" \S++"),
    Field("backend/server", r" \S++"),
    Field("timers", r" [0-9/+-]++"),
    Field("status_code", r" ([0-9]{1,3}|-1)", "status"),
    Field("bytes_read", r" \+?([0-9]++)", "size"),
    Field("cookies", r" \S++ \S++"),
    Field("termination_state", r" \S{4}"),
    Field("connections", r" [0-9/+]++ [0-9/]++"),
    Field("captured_headers", r"(?: \{([^{}\"]*+)\})?(?: \{[^{}\"]*+\})?(?= \")", "key"),
    Field("request", r' "([^"]*+)"', "request"),
)


def _by_name(names: list[str]) -> "_Captured":
    if wrong := [name for name in names if name not in {*COLUMNS, ""}]:
        raise ConfigError(
            f"an event has no {wrong[0][:64]!r}",
            where="layout",
            remedy="name what each captured header is, such as key|forwarded|agent",
        )
    return _Captured(names)


class _Captured:
    """Makes columns of the captured headers, which stand in braces with bars between them."""

    def __init__(self, names: list[str]) -> None:
        self._names = names

    def __call__(self, found: Found) -> Found:
        captured = found.get("key", ())
        if not self._names:
            # Nobody told what was captured: only what looks like an id of ours is one.
            return {**found, "key": [_id(words) for words in captured]}
        rows = [words.split("|") for words in captured]
        columns = {
            name: [row[at] if at < len(row) else "" for row in rows]
            for at, name in enumerate(self._names)
            if name
        }
        return {**found, "key": [""] * len(captured), **columns}


def _id(words: str) -> str:
    return next((word for word in words.split("|") if _ID.fullmatch(word)), "")


def _positive(found: Found) -> Found:
    return {**found, "status": ["0" if word == "-1" else word for word in found.get("status", ())]}


def shaped(shape: Shape) -> TextFormat:
    """Return what reads lines whose captured headers the configuration names."""
    names = shape.layout.split("|") if shape.layout else []
    captured = _by_name([name.strip() for name in names])
    return TextFormat(_FIELDS, _CLOCK, lambda found: _positive(captured(found)))


FORMAT = Format(
    name="haproxy",
    about="HAProxy's HTTP log, plain or as syslog wrote it; `layout` names its captured headers",
    log_the_key="""
option httplog                                # HAProxy writes no zone: let it run in UTC
http-request del-header X-Api-Key-Id          # before what checks the keys and sets it,
http-request capture req.hdr(X-Api-Key-Id) len 64    # behind it; `capture request header`
http-request capture req.hdr(X-Forwarded-For) len 64 # would log what the client wrote
http-request capture req.hdr(User-Agent) len 128
# in keywatch.toml, what the captured headers are, in their order:
layout = "key|forwarded|agent\"""".strip(),
    samples=(
        (
            b"198.51.100.23:33317 [03/Nov/2025:09:12:44.655] https-in~ shop/srv1 1/0/30/69/109 201 "
            b'2750 - - ---- 1/1/1/1/0 0/0 {key_abcdefgh234567ab|curl} "POST /v1/invoices HTTP/1.1"'
        ),
        (
            b"Nov  3 09:12:44 lb haproxy[14389]: 2001:db8::7:33317 [03/Nov/2025:09:12:44.655] in "
            b'shop/<NOSRV> -1/-1/-1/-1/109 400 187 - - PR-- 1/1/0/0/0 0/0 "<BADREQ>"'
        ),
    ),
    parse=shaped(Shape()),
    shaped=shaped,
    takes=("layout",),
)
