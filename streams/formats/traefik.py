"""Traefik's access log in its common format.

https://doc.traefik.io/traefik/observability/access-logs/
"""

from streams.parsed import Format
from streams.textformat import QUOTED, Field, TextFormat

_FIELDS = (
    Field("ClientHost", r"(\S++)", "ip"),
    Field("ClientUsername", r" - (.{1,512}?)", "user"),
    Field("StartUTC", r" \[([^\]\[]{20,40}+)\]", "time"),
    # Of what a client sends some is written as it came: quotes in it may not have a line refused.
    Field("Request", r' "(.*?)"(?= (?:[0-9]{1,3}|-) (?:[0-9]++|-) ")', "request"),
    Field("OriginStatus", r" ([0-9]{1,3}|-)", "status"),
    Field("OriginContentSize", r" ([0-9]++|-)", "size"),
    Field("request_Referer", rf' "{QUOTED.replace("(", "(?:", 1)}"'),
    Field("request_User-Agent", r' "(.*)"', "agent"),
    Field("RequestCount", r" (?:[0-9]++|-)"),
    Field("RouterName", r' "[^"]*+"'),
    Field("ServiceURL", r' "[^"]*+"'),
    Field("Duration", r" [0-9]++ms"),
)

FORMAT = Format(
    name="traefik",
    about="Traefik's common format; the user name, where there is one, stands for the key",
    log_the_key="It has no room for a key id: use traefik-json (accessLog.format: json).",
    samples=(
        (
            b'198.51.100.23 - jo [03/Nov/2025:09:12:44 +0000] "POST /v1/invoices HTTP/2.0" 201 512 '
            b'"-" "invoicer "4.2"" 17 "api@docker" "http://10.0.0.5:8080" 12ms'
        ),
    ),
    parse=TextFormat(_FIELDS),
)
