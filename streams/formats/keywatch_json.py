"""keywatch's own: an `AccessEvent` as one JSON object a line, for those who write an exporter."""

from collections.abc import Sequence

import msgspec

from streams.addresses import NO_PROXIES, Proxies
from streams.jsonlines import JsonLines
from streams.parsed import Column, Format, Parsed, Words, events
from streams.readers import EPOCH_MS, KEY, METHOD_AND_TARGET, SIZE, STATUS, TOKENS


class _Row(msgspec.Struct, gc=False):
    ts_ms: int
    key: str = ""
    ip: str = ""
    method: str = ""
    path: str = ""
    status: int = 0
    size: int = 0
    agent: str = ""
    tls: str = ""
    tokens: int = 0


_LINES = JsonLines(_Row)


def parse(lines: Sequence[bytes], proxies: Proxies = NO_PROXIES) -> Parsed:
    """Parse the lines."""
    index, rows, rejected = _LINES.rows(lines)
    words = Words(
        line=index,
        time=Column("ts_ms", [row.ts_ms for row in rows], EPOCH_MS),
        key=Column("key", [row.key for row in rows], KEY),
        peer=[row.ip for row in rows],
        request=Column("path", [(row.method, row.path) for row in rows], METHOD_AND_TARGET),
        status=Column("status", [row.status for row in rows], STATUS),
        size=Column("size", [row.size for row in rows], SIZE),
        agent=[row.agent for row in rows],
        tls=[row.tls for row in rows],
        tokens=Column("tokens", [row.tokens for row in rows], TOKENS),
    )
    return events(words, rejected, proxies)


FORMAT = Format(
    name="keywatch-json",
    about="keywatch's own: ts_ms, key, ip, method, path, status, size, agent, tls, tokens",
    log_the_key="Write the key's id, never the key, into `key`.",
    samples=(
        (
            b'{"ts_ms":1762157564123,"key":"key_abcdefgh234567ab","ip":"198.51.100.23",'
            b'"method":"POST","path":"/v1/invoices","status":201,"size":512,"agent":"invoicer/4.2",'
            b'"tls":"t13d1516h2_8daaf6152771_02713d6af862"}'
        ),
    ),
    parse=parse,
)
