"""Apache httpd's `common`: what many other servers write, too.

https://httpd.apache.org/docs/2.4/logs.html#common
"""

from collections.abc import Sequence

from streams.addresses import NO_PROXIES, Proxies
from streams.clf import COMMON, common
from streams.parsed import Format, Parsed
from streams.textlines import TextLines

_LINES = TextLines(*COMMON)


def parse(lines: Sequence[bytes], proxies: Proxies = NO_PROXIES) -> Parsed:
    """Parse the lines."""
    return common(_LINES, lines, proxies)


FORMAT = Format(
    name="apache-common",
    about="the Common Log Format; the user name, where there is one, stands for the key",
    log_the_key="It has no room for a key id: use apache-combined with appended fields.",
    samples=(b'203.0.113.9 - jo [03/Nov/2025:09:12:44 +0000] "GET /reports HTTP/1.0" 200 90121',),
    parse=parse,
)
