"""Alerts and dead letters to topics of Kafka: each at least once, under an id that stays.

What a topic will never take, because it is too large for it, becomes a dead letter and holds up
nothing behind it.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from sqlalchemy import Engine, Table, select

from database.schema import alerts, dead_letters
from database.transaction import reading, transaction
from keywatch.beside import beside
from keywatch.config_streams import PublishSettings
from streams import checkpoint, deadletter
from streams.kafka_options import security
from streams.sinks import KafkaSink, Record

IDLE_S = 0.5
_MOST = 500
_SHOWN = 4096
"""Bytes that a dead letter shows of an alert, which is whole in its own table."""

_OVERLAP_S = 60.0
"""Transactions of several workers may end in another order than their times tell."""

Rows = Callable[[Engine, float, frozenset[str]], list[tuple[float, Record]]]


class Publishing:
    """Sends what is new since it was committed that it was sent.

    Args:
        engine: the database.
        settings: where to.
        tell: called with what a person should know.

    Raises:
        ConfigError: for options that there are not.
    """

    def __init__(
        self, engine: Engine, settings: PublishSettings, tell: Callable[[str], None]
    ) -> None:
        self._engine, self._tell = engine, tell
        self._sink = KafkaSink(
            settings.brokers, security(settings.options, "publish.options"), tell
        )
        topics = {settings.alerts: _alerts, settings.dead_letters: _letters}
        self._topics = {topic: rows for topic, rows in topics.items() if topic and settings.brokers}
        self._stop = threading.Event()

    @contextmanager
    def running(self) -> Iterator[None]:
        """Send in a thread while the block runs, where there is a topic."""
        if not self._topics:
            yield
            return
        try:
            with beside("publishing", self._again, self._stop, self._tell):
                yield
        finally:
            self._sink.close()

    def turn(self) -> int:
        """Send what is new; return how many records were taken.

        Raises:
            ServiceError: when the brokers did not take it.
            DatabaseError: when the database is away.
        """
        return sum(
            self._publish(topic, rows) + self._publish_again(topic)
            for topic, rows in self._topics.items()
        )

    def _publish(self, topic: str, rows: Rows) -> int:
        name = f"{deadletter.PUBLISHED}{topic}"
        with reading(self._engine) as connection:
            kept: Any = checkpoint.load(connection, name) or {"since": 0.0, "sent": {}}
        sent: dict[str, float] = dict(kept["sent"])
        new = rows(self._engine, kept["since"] - _OVERLAP_S, frozenset(sent))
        if not new:
            return 0
        refused = self._sink.send(topic, [record for _, record in new])
        since = max(kept["since"], new[-1][0])
        sent |= {record.id: at for at, record in new}
        recent = {name: at for name, at in sent.items() if at >= since - _OVERLAP_S}
        now = time.time()
        with transaction(self._engine) as connection:
            # A dead letter that is too large for its topic is one already.
            too_large = [] if rows is _letters else _letters_of(refused)
            deadletter.keep(connection, name, too_large, now)
            checkpoint.save(connection, name, {"since": since, "sent": recent}, now)
        self._tell_of(topic, refused)
        return len(new) - len(refused)

    def _publish_again(self, topic: str) -> int:
        """Send what was too large for the topic, where somebody asked for it."""
        with reading(self._engine) as connection:
            asked = deadletter.asked_for(connection, _MOST, deadletter.PUBLISHED + topic)
        if not asked:
            return 0
        by_alert = {str(letter.position["id"]): letter.id for letter in asked}
        with reading(self._engine) as connection:
            rows = connection.execute(select(alerts).where(alerts.c.id.in_(by_alert))).all()
        refused = self._sink.send(topic, [_alert(row) for row in rows])
        reasons = {by_alert[record.id]: reason for record, reason in refused}
        with transaction(self._engine) as connection:
            deadletter.lay_back(connection, reasons)
            deadletter.discard(connection, [one.id for one in asked if one.id not in reasons])
        self._tell_of(topic, refused)
        return len(rows) - len(refused)

    def _tell_of(self, topic: str, refused: Sequence[tuple[Record, str]]) -> None:
        for record, reason in refused:
            self._tell(f"{topic}: {record.id} is not published: {reason}")

    def _again(self) -> float:
        return 0.0 if self.turn() >= _MOST else IDLE_S


def _alerts(engine: Engine, since: float, sent: frozenset[str]) -> list[tuple[float, Record]]:
    return [
        (row.recorded_at, _alert(row)) for row in _rows(engine, alerts, "recorded_at", since, sent)
    ]


def _alert(row: Any) -> Record:  # noqa: ANN401  (a row)
    return Record(row.id, row.subject, json.dumps(row.body).encode())


def _letters(engine: Engine, since: float, sent: frozenset[str]) -> list[tuple[float, Record]]:
    return [
        (row.at, Record(str(row.id), row.source, json.dumps(_told(row)).encode()))
        for row in _rows(engine, dead_letters, "at", since, sent)
    ]


def _letters_of(refused: Sequence[tuple[Record, str]]) -> list[deadletter.Letter]:
    return [({"id": record.id}, reason, record.value[:_SHOWN]) for record, reason in refused]


def _told(row: Any) -> dict[str, Any]:  # noqa: ANN401  (a row)
    return {
        "id": row.id,
        "source": row.source,
        "position": row.position,
        "reason": row.reason,
        "raw": row.raw.decode("utf-8", "backslashreplace"),
        "at": row.at,
    }


def _rows(engine: Engine, table: Table, when: str, since: float, sent: frozenset[str]) -> list[Any]:
    """Return rows from that time on that were not sent, the oldest first."""
    at = table.c[when]
    query = select(table).where(at >= since).order_by(at, table.c.id).limit(_MOST + len(sent))
    with reading(engine) as connection:
        rows = connection.execute(query).all()
    return [row for row in rows if str(row.id) not in sent][:_MOST]
