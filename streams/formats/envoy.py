"""Envoy's text log, in its default form or with a format string of your own.

https://www.envoyproxy.io/docs/envoy/latest/configuration/observability/access_log/usage
"""

import re

from streams.assemble import appended
from streams.clocks import strptime
from streams.parsed import Format, Shape
from streams.readers import RFC3339_TIME
from streams.textformat import Dialect, TextFormat, Variable, compiled

_OPERATOR = re.compile(r"%([A-Z_0-9]+)(?:\(([^)]*)\))?(?::[0-9]+)?%")
_PLAIN = {
    "RESPONSE_CODE": "status",
    "BYTES_SENT": "size",
    "DOWNSTREAM_REMOTE_ADDRESS": "ip",
    "DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT": "ip",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS": "ip",
    "DOWNSTREAM_DIRECT_REMOTE_ADDRESS_WITHOUT_PORT": "ip",
}
_HEADERS = {
    "user-agent": "agent",
    "x-forwarded-for": "forwarded",
    "x-api-key-id": "key",
}
# Envoy escapes nothing: quotes that a client sends stand in the line as they are, and may not
# have it refused. What they stand in reaches as far as the fields behind it let it.
_LOOSE = {"agent": r"(.*)", "forwarded": r"(.{0,1024}?)"}
DEFAULT = (
    '[%START_TIME%] "%REQ(:METHOD)% %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%" '
    "%RESPONSE_CODE% %RESPONSE_FLAGS% %BYTES_RECEIVED% %BYTES_SENT% %DURATION% "
    '%RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% "%REQ(X-FORWARDED-FOR)%" "%REQ(USER-AGENT)%" '
    '"%REQ(X-REQUEST-ID)%" "%REQ(:AUTHORITY)%" "%UPSTREAM_HOST%"'
)
WITH_KEY = f'{DEFAULT} "%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%" "%REQ(X-API-KEY-ID)%"'


def _meaning(match: re.Match[str]) -> Variable:
    name, argument = match[1], match[2] or ""
    if name == "START_TIME":
        return Variable("START_TIME", "time", "", strptime(argument) if argument else RFC3339_TIME)
    header = argument.lower()
    if name != "REQ":
        return Variable(name, _PLAIN.get(name, ""))
    if header.endswith(":path"):
        return Variable(":path", "target", r"([^ ]*+)")
    column = "method" if header == ":method" else _HEADERS.get(header, "")
    return Variable(header, column, _LOOSE.get(column, ""))


ENVOY = Dialect(variable=_OPERATOR, meaning=_meaning, escapes=False, adjust=appended)


def shaped(shape: Shape) -> TextFormat:
    """Return what reads lines of a format string."""
    return compiled(shape.layout.removesuffix("\\n").rstrip("\n") or DEFAULT, ENVOY, shape.fields)


FORMAT = Format(
    name="envoy",
    about="Envoy's text log with the format string that `layout` names, or the default one",
    log_the_key=f"""
# access_log, log_format, text_format_source; envoy-json is the better choice where it may be
inline_string: '{WITH_KEY}'
# in keywatch.toml the same string (behind the filters of deploy/envoy, which set the header):
layout = '{WITH_KEY}'""".strip(),
    samples=(
        (
            b'[2025-11-03T09:12:44.310Z] "POST /v1/invoices?draft=1 HTTP/2" 201 - 154 512 226 100 '
            b'"203.0.113.7, 198.51.100.23" "invoicer "4.2"" "cc21d9b0-cf5c-432b-8c7e-98aeb7988cd2" '
            b'"shop.example" "10.0.2.1:80"'
        ),
    ),
    parse=shaped(Shape()),
    shaped=shaped,
    takes=("layout", "fields"),
)
