"""Microsoft IIS, and others that write the W3C extended format.

https://learn.microsoft.com/en-us/windows/win32/http/w3c-logging
"""

from streams.parsed import Format, Shape
from streams.w3c import HEADER, W3CFormat

DEFAULT = (
    "date time s-ip cs-method cs-uri-stem cs-uri-query s-port cs-username c-ip cs(User-Agent) "
    "cs(Referer) sc-status sc-substatus sc-win32-status time-taken"
)


def _unescape(word: str) -> str:
    return word.replace("+", " ")


def shaped(shape: Shape) -> W3CFormat:
    """Return what reads lines whose fields the configuration names, where no header does."""
    return W3CFormat(shape.layout or DEFAULT, " ", _unescape, shape.fields)


FORMAT = Format(
    name="iis",
    about="IIS and other W3C extended logs; the line #Fields says what is in them",
    log_the_key="""
# IIS Manager, Logging, Select Fields, Add Field: name X-Api-Key-Id, type Request Header,
# source X-Api-Key-Id (X-Forwarded-For likewise): set by what checks the keys, and removed from all
# other requests, since clients can write it. The user name stands for the key without it.
# Only where the lines come without their header (a shipper left it out), in keywatch.toml:
layout = "date time cs-method cs-uri-stem cs-username c-ip sc-status X-Api-Key-Id\"""".strip(),
    samples=(
        (
            b"2025-11-03 09:12:44 10.0.0.11 POST /v1/invoices page=2 443 jo 198.51.100.23 "
            b"invoicer/4.2+(Windows+NT+10.0) https://shop.example/ 200 0 0 26"
        ),
    ),
    parse=shaped(Shape()),
    shaped=shaped,
    takes=("layout", "fields"),
    header=HEADER,
)
