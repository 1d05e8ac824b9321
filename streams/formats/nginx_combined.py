"""nginx's `combined`, and its packages' `main` with the forwarded address behind it.

https://nginx.org/en/docs/http/ngx_http_log_module.html
"""

from collections.abc import Sequence

from streams.addresses import NO_PROXIES, Proxies
from streams.clf import COMBINED, EXTRAS, common
from streams.parsed import Format, Parsed
from streams.textlines import TextLines

_LINES = TextLines(*COMBINED, *EXTRAS)


def parse(lines: Sequence[bytes], proxies: Proxies = NO_PROXIES) -> Parsed:
    """Parse the lines."""
    return common(_LINES, lines, proxies)


FORMAT = Format(
    name="nginx-combined",
    about="nginx combined, with or without X-Forwarded-For and a key id behind it",
    log_the_key="""\
log_format keywatch '$remote_addr - $remote_user [$time_local] "$request" $status '
  '$body_bytes_sent "$http_referer" "$http_user_agent" "$http_x_forwarded_for" "$keywatch_key_id"';
access_log /var/log/nginx/api.log keywatch;
# in the location, beside auth_request; behind the gateway use $http_x_api_key_id instead:
auth_request_set $keywatch_key_id $upstream_http_x_api_key_id;""",
    samples=(
        (
            b'198.51.100.23 - - [03/Nov/2025:09:12:44 +0100] "POST /v1/invoices HTTP/1.1" 201 512 '
            b'"-" "invoicer/4.2"'
        ),
        (
            b'10.0.0.2 - - [03/Nov/2025:09:12:45 +0100] "GET /v1/bills?page=2 HTTP/2.0" 200 8190 '
            b'"-" "invoicer/4.2" "198.51.100.23" "key_abcdefgh234567ab"'
        ),
    ),
    parse=parse,
)
