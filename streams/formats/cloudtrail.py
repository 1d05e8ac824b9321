"""AWS CloudTrail events, one JSON object a line.

https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-event-reference-record-contents.html
The files that CloudTrail delivers hold one object `{"Records": […]}`, which is read as well. Events
come up to 15 minutes late and in no order.
"""

from collections.abc import Sequence

import msgspec

from streams.addresses import NO_PROXIES, Proxies
from streams.jsonlines import JsonLines
from streams.parsed import Column, Format, Parsed, Reader, Words, events
from streams.readers import KEY, RFC3339_TIME, SIZE, STATUS

_DENIED = 403
_FAILED = 400
_OK = 200
# Of these the service says that it did not believe the credential at all.
# https://docs.aws.amazon.com/IAM/latest/APIReference/CommonErrors.html
_NOT_ACCEPTED = {
    "AuthFailure",
    "ExpiredToken",
    "ExpiredTokenException",
    "IncompleteSignature",
    "InvalidAccessKeyId",
    "InvalidClientTokenId",
    "MissingAuthenticationToken",
    "SignatureDoesNotMatch",
    "UnrecognizedClientException",
}
_UNAUTHENTICATED = 401


class _Identity(msgspec.Struct, gc=False, rename="camel"):
    access_key_id: str | None = None
    arn: str | None = None
    invoked_by: str | None = None


class _Row(msgspec.Struct, gc=False, rename="camel"):
    event_time: str
    event_source: str = ""
    event_name: str = ""
    user_identity: _Identity | None = None
    source_address: str | None = msgspec.field(default=None, name="sourceIPAddress")
    user_agent: str | None = None
    error_code: str | None = None


class _File(msgspec.Struct):
    records: list[msgspec.Raw] = msgspec.field(name="Records")


_LINES = JsonLines(_Row)
_FILE = msgspec.json.Decoder(_File)


def unfold(line: bytes) -> list[bytes]:
    """Return the events of a file as CloudTrail delivers it; any other line stays as it is."""
    if b'"Records"' not in line:
        return [line]
    try:
        found = _FILE.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return [line]
    return [bytes(record).replace(b"\n", b" ") for record in found.records]


def _key(row: _Row) -> str:
    return (row.user_identity and row.user_identity.access_key_id) or ""


def _status(error_code: str | None) -> int:
    if not error_code:
        return _OK
    if error_code in _NOT_ACCEPTED:
        return _UNAUTHENTICATED
    return _DENIED if "Denied" in error_code or "Unauthorized" in error_code else _FAILED


def _call(word: tuple[str, str]) -> tuple[str, str, str]:
    service, name = word
    return name, f"/{service.removesuffix('.amazonaws.com')}/{name}", ""


_STATUS: Reader[int] = Reader(STATUS.expects, _status)
_CALL: Reader[tuple[str, str, str]] = Reader("an API call", _call)


def parse(lines: Sequence[bytes], proxies: Proxies = NO_PROXIES) -> Parsed:
    """Parse the lines: the method is the API's name, the path `/service/name`.

    Error codes become the statuses that HTTP has for them. An address such as
    `health.amazonaws.com` is no client's.
    """
    index, rows, rejected = _LINES.rows(lines)
    words = Words(
        line=index,
        time=Column("eventTime", [row.event_time for row in rows], RFC3339_TIME),
        key=Column("userIdentity.accessKeyId", [_key(row) for row in rows], KEY),
        peer=[row.source_address or "" for row in rows],
        request=Column("eventName", [(row.event_source, row.event_name) for row in rows], _CALL),
        status=Column("errorCode", [row.error_code for row in rows], _STATUS),
        size=Column("size", [0] * len(rows), SIZE),
        agent=[row.user_agent or "" for row in rows],
    )
    return events(words, rejected, proxies)


FORMAT = Format(
    name="cloudtrail",
    about="AWS CloudTrail, its files as they are, or one event a line",
    log_the_key=(
        "CloudTrail holds userIdentity.accessKeyId by itself. Events without one are of no access "
        "key:\nsign-ins to the console, AWS services, anonymous requests."
    ),
    samples=(
        (
            b'{"eventVersion":"1.09","userIdentity":{"type":"IAMUser","accountId":"111122223333"},'
            b'"eventTime":"2025-11-03T08:12:44Z","eventSource":"s3.amazonaws.com",'
            b'"eventName":"GetObject","awsRegion":"eu-central-1","sourceIPAddress":"198.51.100.23",'
            b'"userAgent":"aws-cli/2.17"}'
        ),
    ),
    parse=parse,
    unfold=unfold,
    # Delivered "within an average of about 5 minutes", and not always:
    # https://docs.aws.amazon.com/awscloudtrail/latest/userguide/get-and-view-cloudtrail-log-files.html
    lateness_s=1800.0,
)
