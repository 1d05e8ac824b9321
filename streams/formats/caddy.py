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
# forward_auth … { copy_headers X-Api-Key-Id } has it logged; or, from any other place:
log_append api_key_id {http.auth.user.id}""",
    samples=(
        (
            b'{"level":"info","ts":1762157564.8608,"logger":"http.log.access","msg":"handled",'
            b'"request":{"remote_ip":"10.0.0.2","remote_port":"50786","client_ip":"198.51.100.23",'
            b'"proto":"HTTP/2.0","method":"GET","host":"shop.example","uri":"/v1/invoices?page=2",'
            b'"headers":{"User-Agent":["invoicer/4.2"],"X-Api-Key-Id":["key_abcdefgh234567ab"],'
            b'"Authorization":["REDACTED"]}},"bytes_read":0,"user_id":"","duration":0.000571055,'
            b'"size":1259,"status":200}'
        ),
        (
            b'{"ts":1762157564.8608,"request":{"remote_ip":"198.51.100.23","method":"GET","uri":"/"},'
            b'"size":0,"status":404}'
        ),
    ),
    paths={
        "time": "ts",
        "key": ("api_key_id", "request.headers.X-Api-Key-Id[0]"),
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
