"""What the pipeline did, as Prometheus reads it (text format 0.0.4), from the database."""

from collections.abc import Iterator, Mapping
from typing import Any

from sqlalchemy import Connection, func, select

from database import counters
from database.schema import alerts, dead_letters, keys, positions, repo_events
from keywatch.desk import summary
from keywatch.desk.contract import LockOut
from keywatch.status import DROPPED, KNOWN, figures_of_sources, refused, under
from streams.failing import failing

_EVENTS = {"read": "events_read", "committed": "events_committed", "late": "events_late"}


def text(connection: Connection, now: float) -> str:
    """Return all figures; `now` is epoch seconds."""
    return "\n".join(_lines(connection, now)) + "\n"


def _lines(connection: Connection, now: float) -> Iterator[str]:
    totals = counters.all_of(connection)
    events = {("result", name): totals.get(counter, 0) for name, counter in _EVENTS.items()}
    yield from _family("events_total", "counter", "Events by what became of them.", events)
    lag = {(): totals.get("lag_ms", 0) / 1000}
    yield from _family("lag_seconds", "gauge", "Age of the newest event at its commit.", lag)
    turned_away = {
        ("door", door, "status", status): n for (door, status), n in refused(totals).items()
    }
    about = "Requests that were turned away at the intakes."
    yield from _family("intake_refused_total", "counter", about, turned_away)
    again = {("door", door): n for door, n in under(KNOWN, totals).items()}
    about = "Batches that had been committed before, and were not taken in again."
    yield from _family("intake_known_total", "counter", about, again)
    dropped = {("what", what): n for what, n in under(DROPPED, totals).items()}
    about = "What was dropped to make room."
    yield from _family("dropped_total", "counter", about, dropped)
    by_severity = select(alerts.c.severity, func.count()).group_by(alerts.c.severity)
    found = {("severity", str(name)): int(n) for name, n in connection.execute(by_severity)}
    yield from _family("alerts_total", "counter", "Alerts by severity.", found)
    waiting = {("severity", name): n for name, n in summary.open_incidents(connection).items()}
    yield from _family("incidents_open", "gauge", "Incidents nobody has taken on.", waiting)
    states = {("state", name): n for name, n in summary.outbox_states(connection).items()}
    yield from _family("outbox_rows", "gauge", "Actions and messages by state.", states)
    week = now - 7 * 86_400
    about = "From a decision to its effect, over seven days."
    yield from _lock_out("lockout_seconds", about, summary.lock_out(connection, week))
    about = "From the event with which the evidence was enough to the effect, over seven days."
    took = summary.evidence_to_lock_out(connection, week)
    yield from _lock_out("evidence_to_lockout_seconds", about, took)
    yield from _of_sources(connection, now)
    pushed = select(func.count()).where(repo_events.c.state == "waiting")
    for name, about, n in (
        ("dead_letters", "Lines that were no events.", select(func.count(dead_letters.c.id))),
        ("keys", "Keys in the store.", select(func.count()).select_from(keys)),
        ("repositories_waiting", "Pushes that wait to be scanned.", pushed),
    ):
        yield from _family(name, "gauge", about, {(): int(connection.scalar(n) or 0)})


_SOURCES = (
    ("age_s", "source_age_seconds", "Since the last commit."),
    ("lag_s", "source_lag_seconds", "Age of the source's newest event at its commit."),
    ("behind", "source_behind", "What waits: bytes of a file, records of a partition."),
    ("events_per_s", "source_events_per_second", "Of the last five whole minutes."),
    ("dead", "source_dead_letters", "Lines of the source that were no events."),
    ("late", "source_late_events", "Events of the source that came too late to be scored."),
    ("newest_s", "source_watermark_seconds", "Time of the source's newest event."),
)


def _of_sources(connection: Connection, now: float) -> Iterator[str]:
    rows = connection.execute(select(positions).order_by(positions.c.source)).all()
    figures = figures_of_sources(connection, rows, counters.all_of(connection), now)
    about = "Sources that cannot be read just now, and are tried again."
    failed = {("source", name): 1 for name in failing(connection, now)}
    yield from _family("source_failed", "gauge", about, failed)
    for field, name, about in _SOURCES:
        known = {
            ("source", source): float(one[field])
            for source, one in figures.items()
            if one[field] is not None
        }
        yield from _family(name, "gauge", about, known)


def _lock_out(name: str, about: str, took: LockOut) -> Iterator[str]:
    seconds = {("quantile", "0.5"): took.median_s, ("quantile", "0.95"): took.p95_s}
    known = {label: value for label, value in seconds.items() if value is not None}
    yield from _family(name, "gauge", about, known)


def _family(name: str, kind: str, about: str, values: Mapping[Any, float]) -> Iterator[str]:
    """Yield the lines of one metric; `values` has (label, value, …), or (), → figure."""
    yield f"# HELP keywatch_{name} {about}"
    yield f"# TYPE keywatch_{name} {kind}"
    for label, value in values.items():
        pairs = zip(label[::2], label[1::2], strict=True)
        labels = ",".join(f'{name}="{_escaped(text)}"' for name, text in pairs)
        said = f"{{{labels}}}" if labels else ""
        yield f"keywatch_{name}{said} {_number(value)}"


def _number(value: float) -> str:
    """Return whole numbers whole, however large."""
    return str(int(value)) if value == int(value) else f"{value:.3f}"


def _escaped(value: str) -> str:
    """Return a label's value: names of sources come from configuration, but may hold anything."""
    return value.replace("\\", r"\\").replace('"', r"\"").replace("\n", r"\n")
