"""Traefik's access log, one JSON object a line.

https://doc.traefik.io/traefik/observability/access-logs/
"""

from streams.assemble import Found
from streams.jsonformat import json_format


def _routed(found: Found) -> Found:
    """Take the key from requests that no router took: its client wrote that, and nobody else."""
    each = zip(found["key"], found["_router"], found["_origin"], strict=True)
    key = [key if router or origin != 0 else "" for key, router, origin in each]
    return {name: words for name, words in found.items() if name[0] != "_"} | {"key": key}


FORMAT = json_format(
    name="traefik-json",
    about="Traefik, one JSON object a line",
    log_the_key="""
accessLog:
  filePath: /var/log/traefik/access.json
  format: json
  fields:
    headers:
      names:
        User-Agent: keep
        X-Forwarded-For: keep
        X-Api-Key-Id: keep   # set by keywatch through forwardAuth, authResponseHeaders
entryPoints:
  web:
    http:
      middlewares:
        - keywatch-strip@file   # of deploy/traefik: whatever clients write under that name""",
    samples=(
        (
            b'{"ClientAddr":"198.51.100.23:48376","ClientHost":"198.51.100.23","ClientUsername":"-",'
            b'"DownstreamContentSize":88,"DownstreamStatus":200,"Duration":59518533,'
            b'"RequestMethod":"GET","RequestPath":"/v1/invoices?page=2",'
            b'"StartUTC":"2025-11-03T09:12:44.609696286Z","request_User-Agent":"invoicer/4.2",'
            b'"request_X-Api-Key-Id":"key_abcdefgh234567ab","time":"2025-11-03T09:12:44Z"}'
        ),
    ),
    paths={
        "time": ("StartUTC", "StartLocal", "time"),
        "key": ("request_X-Api-Key-Id", "request_X-API-Key-Id"),
        "_router": "RouterName",
        "_origin": "OriginStatus",
        # ClientHost is what X-Forwarded-For says, whoever sent it; ClientAddr is the peer.
        "ip": ("ClientAddr", "ClientHost"),
        "forwarded": "request_X-Forwarded-For",
        "user": "ClientUsername",
        "method": "RequestMethod",
        "target": "RequestPath",
        "status": "DownstreamStatus",
        "size": "DownstreamContentSize",
        "agent": "request_User-Agent",
    },
    adjust=_routed,
)
