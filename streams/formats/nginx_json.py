"""nginx, one JSON object a line.

Variables: https://nginx.org/en/docs/varindex.html; `log_format … escape=json`:
https://nginx.org/en/docs/http/ngx_http_log_module.html.
"""

from collections.abc import Sequence

import msgspec

from streams.addresses import NO_PROXIES, Proxies
from streams.jsonlines import JsonLines
from streams.parsed import Column, Format, Parsed, Reader, Words, events
from streams.readers import KEY, REQUEST_LINE, RFC3339_TIME, SIZE, STATUS, TOKENS
from streams.requestline import request, request_line
from streams.timestamps import epoch_s_ms, rfc3339_ms


class _Row(msgspec.Struct, gc=False):
    time_iso8601: str = ""
    msec: str | float = ""
    remote_addr: str = ""
    request: str = ""
    request_method: str = ""
    request_uri: str = ""
    status: int | str = 0
    body_bytes_sent: int | str = 0
    http_user_agent: str = ""
    http_x_forwarded_for: str = ""
    api_key_id: str | None = ""
    tokens: int | str = 0


_LINES = JsonLines(_Row)


def _time(word: tuple[str, str | float]) -> int | None:
    text, msec = word
    return rfc3339_ms(text) if msec == "" else epoch_s_ms(msec)


def _request(word: tuple[str, str, str]) -> tuple[str, str, str]:
    line, method, target = word
    return request_line(line) if line else request(method, target)


_TIME: Reader[int] = Reader("an RFC 3339 time with an offset", _time)
_REQUEST: Reader[tuple[str, str, str]] = Reader("a request line", _request)


def parse(lines: Sequence[bytes], proxies: Proxies = NO_PROXIES) -> Parsed:
    """Parse the lines; where both are logged, `msec` is finer than `time_iso8601`."""
    index, rows, rejected = _LINES.rows(lines)
    words = Words(
        line=index,
        time=_times(rows),
        key=Column("api_key_id", [row.api_key_id or "" for row in rows], KEY),
        peer=[row.remote_addr for row in rows],
        request=_requests(rows),
        status=Column("status", [row.status for row in rows], STATUS),
        size=Column("body_bytes_sent", [row.body_bytes_sent for row in rows], SIZE),
        agent=[row.http_user_agent for row in rows],
        tokens=Column("tokens", [row.tokens for row in rows], TOKENS),
        forwarded=[row.http_x_forwarded_for for row in rows] if proxies else (),
    )
    return events(words, rejected, proxies)


def _times(rows: Sequence[_Row]) -> Column[int]:
    if any(row.msec != "" for row in rows):
        return Column("time_iso8601", [(row.time_iso8601, row.msec) for row in rows], _TIME)
    return Column("time_iso8601", [row.time_iso8601 for row in rows], RFC3339_TIME)


def _requests(rows: Sequence[_Row]) -> Column[tuple[str, str, str]]:
    lines = [row.request for row in rows]
    if all(lines):
        return Column("request", lines, REQUEST_LINE)
    parts = [(row.request, row.request_method, row.request_uri) for row in rows]
    return Column("request", parts, _REQUEST)


FORMAT = Format(
    name="nginx-json",
    about="nginx, one JSON object a line (log_format … escape=json)",
    log_the_key="""\
log_format keywatch escape=json '{"time_iso8601":"$time_iso8601","remote_addr":"$remote_addr",'
  '"request":"$request","status":$status,"body_bytes_sent":$body_bytes_sent,'
  '"http_user_agent":"$http_user_agent","http_x_forwarded_for":"$http_x_forwarded_for",'
  '"request_id":"$request_id","api_key_id":"$keywatch_key_id"}';
access_log /var/log/nginx/api.json keywatch;
# in the location, beside auth_request; behind the gateway use $http_x_api_key_id instead:
auth_request_set $keywatch_key_id $upstream_http_x_api_key_id;""",
    samples=(
        (
            b'{"time_iso8601":"2025-11-03T09:12:44+01:00","remote_addr":"198.51.100.23",'
            b'"request":"POST /v1/invoices?draft=1 HTTP/1.1","status":201,"body_bytes_sent":512,'
            b'"http_user_agent":"invoicer/4.2","request_id":"9f86d081884c7d65",'
            b'"api_key_id":"key_abcdefgh234567ab"}'
        ),
    ),
    parse=parse,
)
