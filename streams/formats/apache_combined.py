"""Apache httpd's `combined`, with or without its appended fields.

https://httpd.apache.org/docs/2.4/logs.html#combined
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
    name="apache-combined",
    about="Apache httpd combined, with or without X-Forwarded-For and a key id behind it",
    log_the_key=r"""
LogFormat "%h %l %u %t \"%r\" %>s %b \"%{Referer}i\" \"%{User-Agent}i\" \"%{X-Forwarded-For}i\" \"%{KEY_ID}e\"" keywatch
CustomLog /var/log/apache2/api.log keywatch""".strip(),  # noqa: E501  (httpd wants it on one line)
    samples=(
        (
            b'203.0.113.9 - jo [03/Nov/2025:09:12:44 +0000] "GET /files/7.pdf HTTP/1.1" 200 90121 '
            b'"https://shop.example/" "Mozilla/5.0 (X11; Linux x86_64) \\"quoted\\""'
        ),
        b'2001:db8::7 - - [03/Nov/2025:09:12:44 +0000] "-" 408 - "-" "-"',
    ),
    parse=parse,
)
