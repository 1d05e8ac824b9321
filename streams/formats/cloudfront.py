"""AWS CloudFront: standard logs, and real-time logs with the fields that you chose.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/standard-logs-reference.html
"""

from urllib.parse import unquote

from streams.parsed import Format, Shape
from streams.w3c import HEADER, W3CFormat

DEFAULT = (
    "date time x-edge-location sc-bytes c-ip cs-method cs(Host) cs-uri-stem sc-status cs(Referer) "
    "cs(User-Agent) cs-uri-query cs(Cookie) x-edge-result-type x-edge-request-id x-host-header "
    "cs-protocol cs-bytes time-taken x-forwarded-for ssl-protocol ssl-cipher "
    "x-edge-response-result-type cs-protocol-version fle-status fle-encrypted-fields c-port "
    "time-to-first-byte x-edge-detailed-result-type sc-content-type sc-content-len "
    "sc-range-start sc-range-end"
)


def _unescape(word: str) -> str:
    # Twice: CloudFront escapes what it logs, and the percent signs of what was escaped already.
    return unquote(unquote(word)) if "%25" in word else unquote(word)


def shaped(shape: Shape) -> W3CFormat:
    """Return what reads lines whose fields the configuration names, where no header does."""
    return W3CFormat(shape.layout or DEFAULT, "\t", _unescape, shape.fields)


FORMAT = Format(
    name="cloudfront",
    about="AWS CloudFront, standard logs; real-time logs by their fields as `layout`",
    log_the_key="""
Standard logs hold no header of your choice; keys in the query string are recognised. What names the key
can be put there by a function at the edge (viewer request), such as ?key=key_…; log its id alone.
# real-time logs can hold all headers (cs-headers), of which clients can write any: let a function at
# the edge remove X-Api-Key-Id first. It is read from there, another one by
# fields = { key = "cs-headers:X-Own" }. They have no header line; in keywatch.toml, their fields in order:
layout = "timestamp c-ip sc-status sc-bytes cs-method cs-uri-stem cs-uri-query cs-user-agent cs-headers\"""".strip(),  # noqa: E501
    samples=(
        b"\t".join(
            (
                b"2025-11-03 09:12:44 FRA56 512 198.51.100.23 POST d1.cloudfront.net /v1/invoices "
                b"201 - invoicer/4.2%20(linux) page=2 - Miss id== shop.example https 1057 0.238 - "
                b"TLSv1.3 TLS_AES_128_GCM_SHA256 Miss HTTP/2.0 - - 4203 0.238 Miss "
                b"application/json - - -"
            ).split()
        ),
    ),
    parse=shaped(Shape()),
    shaped=shaped,
    takes=("layout", "fields"),
    header=HEADER,
)
