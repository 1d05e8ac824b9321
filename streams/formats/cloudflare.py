"""Cloudflare Logpush, data set `http_requests`.

https://developers.cloudflare.com/logs/logpush/logpush-job/datasets/zone/http_requests/
"""

from streams.clocks import ANY_TIME
from streams.jsonformat import json_format

FORMAT = json_format(
    name="cloudflare",
    about="Cloudflare Logpush, http_requests as one JSON object a line",
    log_the_key="""
# Analytics & Logs, Logpush, Custom log fields: request header X-Api-Key-Id, transformed, which a
# transform rule or a Worker removes from all requests and sets on those whose key is good: clients
# can write it. The job's fields:
ClientIP ClientRequestMethod ClientRequestURI ClientRequestUserAgent EdgeResponseBytes
EdgeResponseStatus EdgeStartTimestamp RequestHeaders; with Bot Management JA4, too""",
    samples=(
        (
            b'{"ClientASN":64496,"ClientCountry":"NL","ClientIP":"198.51.100.23",'
            b'"ClientRequestMethod":"GET","ClientRequestURI":"/v1/invoices?page=2",'
            b'"ClientRequestUserAgent":"invoicer/4.2","EdgeResponseBytes":1063,'
            b'"EdgeResponseStatus":200,"EdgeStartTimestamp":"2025-11-03T09:12:44Z",'
            b'"RequestHeaders":{"x-api-key-id":"key_abcdefgh234567ab"},"RayID":"980747e7ad8fbdf3"}'
        ),
        (
            b'{"ClientIP":"198.51.100.23","ClientRequestMethod":"GET","ClientRequestPath":"/",'
            b'"EdgeResponseStatus":200,"EdgeStartTimestamp":1762157564123000000}'
        ),
    ),
    paths={
        "time": "EdgeStartTimestamp",
        "key": "RequestHeaders.x-api-key-id",
        "ip": "ClientIP",
        "method": "ClientRequestMethod",
        "target": ("ClientRequestURI", "ClientRequestPath"),
        "status": "EdgeResponseStatus",
        "size": "EdgeResponseBytes",
        "agent": "ClientRequestUserAgent",
        "tls": ("JA4", "JA3Hash"),
    },
    # RFC 3339, seconds or nanoseconds: as the job was told.
    clock=ANY_TIME,
)
