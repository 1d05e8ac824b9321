"""OpenTelemetry's log records as OTLP/JSON, as the collector's file and Kafka exporters write them.

https://opentelemetry.io/docs/specs/otlp/#json-protobuf-encoding
https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from streams.addresses import NO_PROXIES, Proxies
from streams.assemble import COLUMNS, assembled
from streams.clocks import EPOCH_NS
from streams.jsonlines import JsonLines
from streams.parsed import Format, Parsed, Parser, Shape
from vocabulary.errors import ConfigError

_ATTRIBUTES: dict[str, tuple[str, ...]] = {
    "key": ("api_key.id", "enduser.id"),
    "ip": ("client.address", "network.peer.address", "http.client_ip", "net.peer.ip"),
    "method": ("http.request.method", "http.method"),
    "target": ("url.path", "url.full", "http.target"),
    "query": ("url.query",),
    "status": ("http.response.status_code", "http.status_code"),
    "size": ("http.response.body.size", "http.response_content_length"),
    "agent": ("user_agent.original", "http.user_agent"),
}


class _Value(msgspec.Struct, gc=False, rename="camel"):
    string_value: str | None = None
    int_value: int | str | None = None
    double_value: float | None = None


class _Attribute(msgspec.Struct, gc=False):
    key: str
    value: _Value | None = None


class _Record(msgspec.Struct, gc=False, rename="camel"):
    time_unix_nano: int | str = ""
    observed_time_unix_nano: int | str = ""
    attributes: list[_Attribute] = []


class _Scope(msgspec.Struct, rename="camel"):
    log_records: list[msgspec.Raw] = []


class _Resource(msgspec.Struct, rename="camel"):
    scope_logs: list[_Scope] = []


class _Logs(msgspec.Struct, rename="camel"):
    resource_logs: list[_Resource]


_LINES = JsonLines(_Record)
_LOGS = msgspec.json.Decoder(_Logs)


def unfold(line: bytes) -> list[bytes]:
    """Return the records of a line, one line each; a line that is no export stays as it is."""
    try:
        logs = _LOGS.decode(line)
    except (msgspec.MsgspecError, ValueError, RecursionError):
        return [line]
    scopes = (scope for resource in logs.resource_logs for scope in resource.scope_logs)
    # A record is a line of its own from here on, wherever it was broken.
    return [bytes(one).replace(b"\n", b" ") for scope in scopes for one in scope.log_records]


def _parser(attributes: dict[str, tuple[str, ...]]) -> Parser:
    called = {"time": "timeUnixNano", **{column: names[0] for column, names in attributes.items()}}

    def parse(lines: Sequence[bytes], proxies: Proxies = NO_PROXIES) -> Parsed:
        index, rows, rejected = _LINES.rows(lines)
        told = [{one.key: _plain(one.value) for one in row.attributes} for row in rows]
        found: dict[str, Sequence[Any]] = {
            column: [next((one[name] for name in names if one.get(name)), "") for one in told]
            for column, names in attributes.items()
        }
        found["time"] = [_time(row) for row in rows]
        return assembled(found, called, (index, rejected), EPOCH_NS, proxies)

    return parse


def _time(row: _Record) -> int | str:
    return (
        row.time_unix_nano
        if row.time_unix_nano not in {"", 0, "0"}
        else row.observed_time_unix_nano
    )


def _plain(value: _Value | None) -> Any:  # noqa: ANN401  (what a log holds)
    if value is None:
        return ""
    if value.string_value is not None:
        return value.string_value
    return value.int_value if value.int_value is not None else value.double_value


def shaped(shape: Shape) -> Parser:
    """Return what reads records whose attributes the configuration names.

    Raises:
        ConfigError: when no attribute can be what it is to be; the time is the record's own.
    """
    could_be = [column for column in COLUMNS if column != "time"]
    if wrong := sorted(set(shape.fields) - set(could_be)):
        what = f"no attribute can be {wrong[0][:64]!r}"
        raise ConfigError(what, where="fields", remedy=f"one of {', '.join(could_be)}")
    return _parser({**_ATTRIBUTES, **{name: (one,) for name, one in shape.fields.items()}})


FORMAT = Format(
    name="otlp-json",
    about="OpenTelemetry log records as OTLP/JSON, one export or one record a line",
    log_the_key="""
Set the attribute api_key.id to the key's id where the log record is made; with another attribute:
fields = { key = "enduser.pseudo.id" }. The collector's file exporter writes what is read here:
exporters: {file: {path: /var/log/otel/access.json, format: json}}""",
    samples=(
        (
            b'{"timeUnixNano":"1762157564310000000","severityNumber":9,"attributes":['
            b'{"key":"http.request.method","value":{"stringValue":"POST"}},'
            b'{"key":"url.path","value":{"stringValue":"/v1/invoices"}},'
            b'{"key":"client.address","value":{"stringValue":"198.51.100.23"}},'
            b'{"key":"http.response.status_code","value":{"intValue":"201"}},'
            b'{"key":"user_agent.original","value":{"stringValue":"invoicer/4.2"}},'
            b'{"key":"api_key.id","value":{"stringValue":"key_abcdefgh234567ab"}}]}'
        ),
    ),
    parse=_parser(_ATTRIBUTES),
    shaped=shaped,
    takes=("fields",),
    unfold=unfold,
)
