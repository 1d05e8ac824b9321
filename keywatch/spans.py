"""Spans whose ids and times are told, sent to a collector by OpenTelemetry's own SDK."""

import threading
from collections.abc import Mapping
from typing import Any

from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter
from opentelemetry.sdk.trace.id_generator import IdGenerator
from opentelemetry.trace import (
    INVALID_SPAN_ID,
    NonRecordingSpan,
    SpanContext,
    Status,
    StatusCode,
    TraceFlags,
    set_span_in_context,
)

from keywatch.config_console import TelemetrySettings

_LONGEST = 500


class _Told(IdGenerator):
    """Gives out the ids that it was told."""

    trace = span = 0

    def generate_trace_id(self) -> int:
        return self.trace

    def generate_span_id(self) -> int:
        return self.span


class Spans:
    """Takes spans.

    Args:
        settings: where they go, and what we are called there.
        part: of keywatch.
        exporter: in place of the configured one.
    """

    def __init__(
        self, settings: TelemetrySettings, part: str, exporter: SpanExporter | None = None
    ) -> None:
        names = {"service.name": f"{settings.service}-{part}", "service.namespace": "keywatch"}
        self._ids, self._lock = _Told(), threading.Lock()
        self._provider = TracerProvider(
            resource=Resource.create(names), id_generator=self._ids, shutdown_on_exit=False
        )
        self._provider.add_span_processor(BatchSpanProcessor(exporter or _exporter(settings)))
        self._tracer = self._provider.get_tracer("keywatch")

    def tell(  # noqa: PLR0913  (what a span is made of)
        self,
        name: str,
        trace: int,
        own: int,
        parent: int,
        began: float,
        ended: float,
        about: Mapping[str, Any],
        *,
        failed: bool = False,
    ) -> None:
        """Take a span.

        Args:
            name: what it is called.
            trace: its id.
            own: the span's id.
            parent: that of the span above; 0 for the first of its trace.
            began: epoch seconds.
            ended: epoch seconds.
            about: attributes; texts are cut, what is empty is left out.
            failed: whether it is to be told as an error.
        """
        above = SpanContext(trace, parent, is_remote=True, trace_flags=TraceFlags(1))
        around = set_span_in_context(NonRecordingSpan(above)) if parent else None
        told = {
            f"keywatch.{key}": value[:_LONGEST] if isinstance(value, str) else value
            for key, value in about.items()
            if value not in ("", None)
        }
        with self._lock:
            self._ids.trace, self._ids.span = trace, own or INVALID_SPAN_ID
            span = self._tracer.start_span(
                name, context=around, attributes=told, start_time=int(began * 1e9)
            )
        if failed:
            span.set_status(Status(StatusCode.ERROR))
        span.end(int(ended * 1e9))

    def close(self) -> None:
        """Send what is left."""
        self._provider.shutdown()


def _exporter(settings: TelemetrySettings) -> SpanExporter:
    # it imports requests and protobuf: only whoever sends pays for that
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import (  # noqa: PLC0415
        OTLPSpanExporter,
    )

    return OTLPSpanExporter(endpoint=settings.traces)
