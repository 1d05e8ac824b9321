"""The Common Log Format and what grew out of it.

https://httpd.apache.org/docs/2.4/mod/mod_log_config.html and
https://nginx.org/en/docs/http/ngx_http_log_module.html (`combined`).
"""

from collections.abc import Sequence

from streams.addresses import Proxies
from streams.parsed import Column, Parsed, Words, events
from streams.readers import CLF_TIME, KEY, REQUEST_LINE, SIZE, STATUS
from streams.textlines import TextLines

QUOTED = r'"((?:[^"\\]++|\\.)*+)"'
"""A quoted word; both servers escape the quotes inside."""

COMMON: tuple[tuple[str, str], ...] = (
    ("remote_addr", r"(\S++)"),
    # The identity and the user, who may have blanks and brackets in the name. A quote in it is
    # escaped by both servers, but for an empty name, which Apache writes as two: in the half line
    # of a crash, to which the next one is glued, it would be read as a part of that one's user,
    # and the address of the one request as that of the other's key.
    ("remote_user", r" \S++ (\"\"|(?:[^\"\\]|\\.){1,512}?)"),
    ("time_local", r" \[([^\]\[]{20,40})\]"),
    ("request", rf" {QUOTED}"),
    ("status", r" ([0-9]{1,3}|-)"),
    ("body_bytes_sent", r" ([0-9]++|-)"),
)

COMBINED: tuple[tuple[str, str], ...] = (
    *COMMON,
    ("http_referer", rf" {QUOTED.replace('(', '(?:', 1)}"),
    ("http_user_agent", rf" {QUOTED}"),
)

EXTRAS: tuple[tuple[str, str], ...] = (
    ("http_x_forwarded_for", rf"(?: {QUOTED})?"),
    ("api_key_id", rf"(?: {QUOTED})?"),
)
"""What many append: the forwarded addresses, and then, for keywatch, the key id."""

_FIELDS = 9


def common(lines: TextLines, chunk: Sequence[bytes], proxies: Proxies) -> Parsed:
    """Parse lines of `COMMON` and, where the layout has them, the fields that follow it.

    A key id beats one in the query string, which beats the name of a user.
    """
    index, rows, rejected = lines.words(chunk)
    columns: list[Sequence[str]] = list(zip(*rows, strict=True)) if rows else [()] * _FIELDS
    blank: Sequence[str] = [""] * len(rows)
    columns += [blank] * (_FIELDS - len(columns))
    peer, user, time, request, status, size, agent, forwarded, key = columns
    words = Words(
        line=index,
        time=Column("time_local", time, CLF_TIME),
        key=Column("api_key_id", key, KEY),
        peer=peer,
        request=Column("request", request, REQUEST_LINE),
        status=Column("status", status, STATUS),
        size=Column("body_bytes_sent", size, SIZE),
        agent=["" if word == "-" else word for word in agent],
        forwarded=forwarded,
        user=user,
    )
    return events(words, rejected, proxies)
