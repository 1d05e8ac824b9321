"""Caddy's access log, one JSON object a line.

https://caddyserver.com/docs/caddyfile/directives/log
"""

from streams.clocks import ANY_TIME
from streams.jsonformat import json_format

FORMAT = json_format(
    name="caddy",
    about="Caddy, one JSON object a line",
    log_the_key="""
log {
  output file /var/log/caddy/api.json
  format json
}
# in the route, behind `import keywatch` (request>headers are the client's own words):
log_append api_key_id {http.request.header.X-Api-Key-Id}
# where Caddy is reached through `keywatch serve --upstream` alone, which sets the header, instead:
fields = { key = "request.headers.X-Api-Key-Id[0]" }""",
    samples=(
        (
            b'{"level":"info","ts":1762157564.8608,"logger":"http.log.access","msg":"handled",'
            b'"request":{"remote_ip":"10.0.0.2","remote_port":"50786","client_ip":"198.51.100.23",'
            b'"proto":"HTTP/2.0","method":"GET","host":"shop.example","uri":"/v1/invoices?page=2",'
            b'"headers":{"User-Agent":["invoicer/4.2"],"Authorization":["REDACTED"]}},'
            b'"bytes_read":0,"user_id":"","duration":0.000571055,"size":1259,"status":200,'
            b'"api_key_id":"key_abcdefgh234567ab"}'
        ),
        (
            b'{"ts":1762157564.8608,"request":{"remote_ip":"198.51.100.23","method":"GET","uri":"/"},'
            b'"size":0,"status":404}'
        ),
    ),
    paths={
        "time": "ts",
        "key": "api_key_id",
        # What Caddy makes of X-Forwarded-For by its own list of trusted proxies.
        "ip": ("request.client_ip", "request.remote_ip"),
        "user": "user_id",
        "method": "request.method",
        "target": "request.uri",
        "status": "status",
        "size": "size",
        "agent": "request.headers.User-Agent[0]",
    },
    clock=ANY_TIME,
)
