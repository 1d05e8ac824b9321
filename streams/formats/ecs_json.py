"""Elastic Common Schema, and OpenTelemetry's attributes by name, which are nearly the same.

https://www.elastic.co/docs/reference/ecs
https://opentelemetry.io/docs/specs/semconv/http/http-spans/
"""

from streams.clocks import ANY_TIME
from streams.jsonformat import json_format


def _either(*names: str) -> tuple[str, ...]:
    """Return a field as nested objects, as one name with points, and as an attribute."""
    flat = tuple(f'["{name}"]' if "." in name else name for name in names)
    return (
        *names,
        *(one for one in flat if one not in names),
        *(f'attributes["{n}"]' for n in names),
    )


FORMAT = json_format(
    name="ecs-json",
    about="Elastic Common Schema or OpenTelemetry attributes, one JSON object a line",
    log_the_key="""
Write the key's id into labels.api_key_id (ECS) or the attribute api_key.id (OpenTelemetry); with
another name: fields = { key = "user.id" }. Beats and the collector's file exporter with
`format: json` are read as they are, the latter as otlp-json.""",
    samples=(
        (
            b'{"@timestamp":"2025-11-03T09:12:44.310Z","client":{"ip":"198.51.100.23"},'
            b'"http":{"request":{"method":"POST"},"response":{"status_code":201,"body":{"bytes":512}}},'
            b'"url":{"path":"/v1/invoices","query":"draft=1"},"user_agent":{"original":"invoicer/4.2"},'
            b'"labels":{"api_key_id":"key_abcdefgh234567ab"}}'
        ),
        (
            b'{"@timestamp":"2025-11-03T09:12:44.310Z","source.ip":"198.51.100.23",'
            b'"http.request.method":"GET","url.original":"/v1/bills?page=2",'
            b'"http.response.status_code":200}'
        ),
        (
            b'{"timestamp":"2025-11-03T09:12:44.310Z","attributes":{"client.address":"198.51.100.23",'
            b'"http.request.method":"GET","url.path":"/v1/bills","http.response.status_code":200,'
            b'"api_key.id":"key_abcdefgh234567ab"}}'
        ),
    ),
    paths={
        "time": ("@timestamp", "timestamp", "Timestamp", "time"),
        "key": _either("labels.api_key_id", "api_key.id"),
        "ip": _either("client.ip", "client.address", "source.ip", "source.address"),
        "user": _either("user.name"),
        "method": _either("http.request.method"),
        "target": _either("url.path", "url.original"),
        "query": _either("url.query"),
        "status": _either("http.response.status_code"),
        "size": _either("http.response.body.bytes", "http.response.body.size"),
        "agent": _either("user_agent.original"),
        "tls": _either("tls.client.ja4", "tls.client.ja3"),
    },
    clock=ANY_TIME,
)
