"""JSON lines of your own: the configuration says which field is what.

Without it the names are tried that most programs use.
"""

from streams.clocks import ANY_TIME
from streams.jsonformat import json_format

FORMAT = json_format(
    name="custom-json",
    about="JSON lines of your own; `fields` says what is where, the usual names are tried else",
    log_the_key="""
# in keywatch.toml; columns: time, key, ip, forwarded, user, request, method, target, query, status,
# size, agent, tls (a fingerprint, JA4 or JA3), tokens (of AI); `time` is one of rfc3339,
# clf, utc, epoch_s, epoch_ms, epoch_us, epoch_ns, any, or a pattern such as "%d/%m/%Y %H:%M:%S"
format = "custom-json"
fields = { time = "at", key = "auth.key_id", ip = "peer", target = "http.uri[0]" }
time = "epoch_ms\"""",
    samples=(
        (
            b'{"timestamp":"2025-11-03T09:12:44Z","client_ip":"198.51.100.23","method":"GET",'
            b'"path":"/v1/invoices","status":200,"bytes":512,"user_agent":"invoicer/4.2",'
            b'"key_id":"key_abcdefgh234567ab"}'
        ),
    ),
    paths={
        "time": ("timestamp", "time", "ts", "@timestamp", "datetime", "date"),
        "key": ("key_id", "api_key_id", "apiKeyId", "keyId", "access_key_id"),
        "ip": ("client_ip", "ip", "remote_addr", "clientIp", "remote_ip", "source_ip"),
        "forwarded": ("x_forwarded_for", "http_x_forwarded_for"),
        "user": ("user", "user_id", "username"),
        "request": "request",
        "method": ("method", "request_method", "http_method"),
        "target": ("path", "uri", "url", "request_uri"),
        "status": ("status", "status_code", "statusCode", "response_code"),
        "size": ("bytes", "size", "bytes_sent", "body_bytes_sent", "response_size"),
        "agent": ("user_agent", "userAgent", "http_user_agent", "agent"),
        "tls": ("ja4", "ja3"),
        "tokens": ("tokens", "total_tokens", "usage.total_tokens"),
    },
    clock=ANY_TIME,
)
