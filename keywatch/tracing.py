"""Traces (OpenTelemetry): of each alert one, from the log line to the gateway. Off by default.

They are told from what the database has recorded, by a thread of its own, so that nothing waits
for a collector. Ids are made from those of the alert and of its rows: processes that know nothing
of one another write into the same trace, and what is told twice is the same span.

https://opentelemetry.io/docs/specs/otel/trace/api/
"""

import re
import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import sha256
from queue import Empty, Full, SimpleQueue
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, select

from actions.queue import EFFECT
from database.listed import among
from database.schema import alerts, audit, outbox
from database.transaction import reading
from gateway.reader import News, Reader
from keywatch.config_console import TelemetrySettings
from vocabulary.errors import ConfigError, DatabaseError

if TYPE_CHECKING:
    from opentelemetry.sdk.trace.export import SpanExporter

    from keywatch.spans import Spans

LOOK_S = 0.5
"""How often the database is looked at."""

FOLLOWED_S, MOST_FOLLOWED = 3600.0, 500
"""How long, and how many alerts are followed until what they led to is done."""

_ENDED = ("done", "dead", "undone", "rejected", "skipped", "dry_run")
_ALERT = re.compile(r"\[alert (\S+)\]$")
_MOST_CHANGES = 10_000


def spans_of(
    settings: TelemetrySettings, part: str, exporter: "SpanExporter | None" = None
) -> "Spans | None":
    """Return what takes spans; None where nobody wants any, and then nothing is imported.

    Args:
        settings: where traces go.
        part: of keywatch: pipeline or gateway.
        exporter: in place of the configured one.

    Raises:
        ConfigError: when `keywatch[otel]` is missing.
    """
    if not settings.traces:
        return None
    try:
        from keywatch.spans import Spans  # noqa: PLC0415  (an extra)
    except ImportError:
        raise ConfigError(
            "traces need OpenTelemetry", where="telemetry.traces", remedy="install keywatch[otel]"
        ) from None
    return Spans(settings, part, exporter)


def trace_of(alert_id: str) -> tuple[int, int]:
    """Return the ids of an alert's trace and of its first span."""
    digest = sha256(f"alert {alert_id}".encode()).digest()
    return int.from_bytes(digest[:16]), int.from_bytes(digest[16:24])


def span_of(thing: str) -> int:
    """Return the id of a span that tells of `thing`, such as `outbox 17`."""
    return int.from_bytes(sha256(thing.encode()).digest()[:8])


class Following:
    """Tells of alerts and of what they led to, as it is recorded.

    Args:
        engine: the database; it is only read.
        spans: takes the spans.
        clock: epoch seconds.
    """

    def __init__(
        self, engine: Engine, spans: "Spans", clock: Callable[[], float] = time.time
    ) -> None:
        self._engine, self._spans, self._clock = engine, spans, clock
        self._since = (clock(), "")
        self._alerts: OrderedDict[str, float] = OrderedDict()
        self._told: set[int] = set()
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Look in a thread while the block runs, and once more at its end."""
        thread = threading.Thread(target=self._run, name="traces", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._stop.set()
            thread.join()
            self._spans.close()

    def _run(self) -> None:
        while True:
            ended = self._stop.wait(LOOK_S)
            with suppress(DatabaseError):  # those who write tell of it
                self.turn()
            if ended:
                return

    def turn(self) -> None:
        """Look once.

        Raises:
            DatabaseError: when the database is away.
        """
        with reading(self._engine) as connection:
            self._new_alerts(connection)
            self._what_followed(connection)

    def _new_alerts(self, connection: Connection) -> None:
        at, last = self._since
        newer = (alerts.c.recorded_at > at) | (alerts.c.recorded_at == at) & (alerts.c.id > last)
        query = select(alerts).where(newer).order_by(alerts.c.recorded_at, alerts.c.id)
        for row in connection.execute(query.limit(MOST_FOLLOWED)):
            self._since = (row.recorded_at, row.id)
            self._alerts[row.id] = row.recorded_at
            tell_alert(self._spans, row)
        horizon = self._clock() - FOLLOWED_S
        while self._alerts and (
            len(self._alerts) > MOST_FOLLOWED or next(iter(self._alerts.values())) < horizon
        ):
            self._alerts.popitem(last=False)

    def _what_followed(self, connection: Connection) -> None:
        if not self._alerts:
            self._told.clear()
            return
        query = select(outbox).where(
            among(outbox.c.alert_id, list(self._alerts)), outbox.c.state.in_(_ENDED)
        )
        rows = [row for row in connection.execute(query) if row.id not in self._told]
        for row in rows:
            self._told.add(row.id)
            tell_effect(self._spans, row)


def tell_alert(spans: "Spans", row: Any) -> None:  # noqa: ANN401  (a row of alerts)
    """Tell of an alert from its event to its commit, and of what was decided."""
    trace, first = trace_of(row.id)
    body, decision = row.body, row.decision
    about = {"alert.id": row.id, "key.id": body.get("key", "")}
    told = about | {name: body.get(name, "") for name in ("kind", "severity", "family", "summary")}
    spans.tell("alert", trace, first, 0, min(row.ts, row.recorded_at), row.recorded_at, told)
    decided = about | {name: _plain(value) for name, value in decision.items()}
    at = row.recorded_at
    spans.tell("decide", trace, span_of(f"decide {row.id}"), first, at, at, decided)


def tell_effect(spans: "Spans", row: Any) -> None:  # noqa: ANN401  (a row of the outbox)
    """Tell of an effect or a message from its decision to its end."""
    trace, first = trace_of(row.alert_id)
    name = f"effect {row.effect}" if row.lane == EFFECT else row.lane.replace(":", " ")
    told = {"alert.id": row.alert_id, "key.id": row.subject, "state": row.state}
    until = row.done_at or row.created_at
    own = span_of(f"outbox {row.id}")
    told["attempts"] = row.attempts
    spans.tell(name, trace, own, first, row.created_at, until, told, failed=row.state == "dead")


def _plain(value: object) -> Any:  # noqa: ANN401  (what an attribute may be)
    return value if isinstance(value, str | bool | int | float) else str(value)


class HeardReader(Reader):
    """A gateway's reader that also says which keys' changes it has put into force, and when."""

    heard: "SimpleQueue[tuple[str, float]] | None" = None

    def start(self, deliver: Callable[[News], None]) -> None:
        """Begin; as `Reader.start`."""

        def both(news: News) -> None:
            deliver(news)
            if self.heard is not None and news.changed and self.heard.qsize() < _MOST_CHANGES:
                at = self._clock()
                for grants in news.changed:
                    self.heard.put((grants.key.id, at))

        super().start(both)


class Heeding:
    """Tells when a gateway heeded what an alert led to.

    Args:
        engine: the database; it is only read.
        spans: takes the spans.
        reader: of the gateway.
    """

    def __init__(self, engine: Engine, spans: "Spans", reader: HeardReader) -> None:
        self._engine, self._spans, self._reader = engine, spans, reader
        self._heard: SimpleQueue[tuple[str, float]] = SimpleQueue()
        reader.heard = self._heard
        self._thread = threading.Thread(target=self._run, name="traces", daemon=True)
        self._ended = threading.Event()

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """End."""
        self._reader.heard = None
        self._ended.set()
        self._thread.join(LOOK_S * 4)
        self._spans.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                key_id, at = self._heard.get(timeout=LOOK_S)
                with reading(self._engine) as connection:
                    tell_heeded(connection, self._spans, key_id, at)
            except (Empty, Full, DatabaseError):
                continue


def tell_heeded(connection: Connection, spans: "Spans", key_id: str, at: float) -> None:
    """Tell of a key's last change, from its commit to `at`, if it came of an alert."""
    query = select(audit).where(audit.c.subject == key_id).order_by(audit.c.seq.desc()).limit(1)
    row = connection.execute(query).first()
    found = _ALERT.search(row.reason) if row else None
    if row is None or found is None:
        return
    trace, first = trace_of(found[1])
    told: Mapping[str, Any] = {"alert.id": found[1], "key.id": key_id, "verb": row.verb}
    own = span_of(f"heeded {row.seq} {at}")
    spans.tell("gateway heeds", trace, own, first, min(row.at, at), at, told)
