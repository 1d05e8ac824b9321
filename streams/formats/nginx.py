"""nginx with a log_format of your own.

https://nginx.org/en/docs/http/ngx_http_log_module.html; without a layout that of ingress-nginx:
https://kubernetes.github.io/ingress-nginx/user-guide/nginx-configuration/log-format/.
"""

import re

from streams.parsed import Format, Shape
from streams.readers import CLF_TIME, EPOCH_S, RFC3339_TIME
from streams.textformat import Dialect, TextFormat, Variable, compiled

_VARIABLE = re.compile(r"\$(?:\{(\w+)\}|(\w+))")
_COLUMNS = {
    "remote_addr": "ip",
    "http_x_forwarded_for": "forwarded",
    "remote_user": "user",
    "request": "request",
    "request_method": "method",
    "request_uri": "target",
    "uri": "target",
    "args": "query",
    "query_string": "query",
    "status": "status",
    "body_bytes_sent": "size",
    "http_user_agent": "agent",
    "api_key_id": "key",
    "keywatch_key_id": "key",
    "http_x_api_key_id": "key",
}
_CLOCKS = {"time_local": CLF_TIME, "time_iso8601": RFC3339_TIME, "msec": EPOCH_S}
INGRESS = (
    '$remote_addr - $remote_user [$time_local] "$request" $status $body_bytes_sent '
    '"$http_referer" "$http_user_agent" $request_length $request_time [$proxy_upstream_name] '
    "[$proxy_alternative_upstream_name] $upstream_addr $upstream_response_length "
    "$upstream_response_time $upstream_status $req_id"
)


def _meaning(match: re.Match[str]) -> Variable:
    name = match[1] or match[2]
    if name in _CLOCKS:
        return Variable(name, "time", "", _CLOCKS[name])
    if name.startswith("upstream_"):  # of several servers: `10.0.0.1:80, 10.0.0.2:80`
        return Variable(name, "", r"(?:[^ ]++(?:, [^ ]++)*+)")
    return Variable(name, _COLUMNS.get(name, ""))


# The parameter escape=default, which is what nginx does unless told otherwise, writes \x22.
NGINX = Dialect(variable=_VARIABLE, meaning=_meaning, escapes=True)


def shaped(shape: Shape) -> TextFormat:
    """Return what reads lines of a log_format string."""
    return compiled(shape.layout or INGRESS, NGINX, shape.fields)


FORMAT = Format(
    name="nginx",
    about="nginx with the log_format that `layout` names; without one ingress-nginx's",
    log_the_key="""
log_format api '$remote_addr [$time_iso8601] "$request" $status $body_bytes_sent "$api_key_id"';
# in keywatch.toml, the same string; a key in another field: fields = { key = "http_x_client" }
layout = '$remote_addr [$time_iso8601] "$request" $status $body_bytes_sent "$api_key_id"'
# ingress-nginx, in its ConfigMap: log-format-upstream""".strip(),
    samples=(
        (
            b'198.51.100.23 - - [03/Nov/2025:09:12:44 +0000] "POST /v1/invoices HTTP/2.0" 201 512 '
            b'"-" "invoicer/4.2" 431 0.012 [shop-api-80] [] 10.8.0.4:8080, 10.8.0.5:8080 0, 512 '
            b"0.001, 0.011 502, 201 9f86d081884c7d65"
        ),
    ),
    parse=shaped(Shape()),
    shaped=shaped,
    takes=("layout", "fields"),
)
