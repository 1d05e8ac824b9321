"""A topic of Apache Kafka: positions in our database, never in the broker's.

kafka-python, https://kafka-python.readthedocs.io; it is an extra, and imported when a source
is opened.
"""

import logging
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Self

from streams.checkpoint import Position
from streams.chunk import Chunk
from vocabulary.errors import KeywatchError, ServiceError, UsageError

if TYPE_CHECKING:
    from kafka import KafkaConsumer, TopicPartition
    from kafka.consumer.fetcher import ConsumerRecord

PATIENCE_S = 15.0
"""Seconds that a source that is read once waits for a broker."""

_BOOTSTRAP_MS = 2000
_KNOCK_S = 0.25
_RETRY_S = 1.0
_REMIND_S = 60.0
_MAX_FETCH = 8 * 1024 * 1024


class KafkaSource:
    """Records of a topic as lines; a chunk is of one partition, whose position is its own.

    The name of a chunk's source is `kafka:TOPIC/PARTITION`: what is committed for it is asked
    for again whenever the partition is assigned to this worker.

    Args:
        topic: its name.
        brokers: `host:port` of some of the brokers.
        group: the consumer group, which shares the partitions among workers.
        positions: name of a partition's source → the position that was committed for it.
        once: read what there is now, all partitions alone, and be done.
        options: settings of kafka-python, such as `security_protocol` and `ssl_cafile`.
        tell: called with what a person should know.
    """

    def __init__(
        self,
        topic: str,
        *,
        brokers: Sequence[str],
        group: str,
        positions: Callable[[str], Position | None],
        once: bool = False,
        options: Mapping[str, Any] | None = None,
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self.name = f"kafka:{topic}"
        self._topic, self._brokers, self._group = topic, list(brokers), group
        self._positions, self._once, self._tell = positions, once, tell
        self._options = dict(options or {})
        self._consumer: KafkaConsumer | None = None
        self._waiting: deque[tuple[TopicPartition, list[ConsumerRecord]]] = deque()
        self._lost: set[TopicPartition] = set()
        self._gained: dict[TopicPartition, int | None] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._paused = False
        self._told_at = self._not_before = float("-inf")

    def __enter__(self) -> Self:
        """Return the source itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    @property
    def done(self) -> bool:
        """Whether everything that was there at the start is read; never, unless `once`."""
        return self._once and self._consumer is not None and not self._waiting and self._at_end()

    @property
    def assignment(self) -> set[int]:
        """The partitions that this worker reads."""
        if self._consumer is None:
            return set()
        return {partition.partition for partition in self._consumer.assignment()}

    def open(self, position: Position | None = None) -> None:
        """Connect, or be ready to connect when a broker answers.

        Opened again, it goes on from the positions that are committed.

        Args:
            position: of no use here: each partition has its own.

        Raises:
            UsageError: when kafka-python is not installed.
            ServiceError: when the broker refuses, or, with `once`, none answers.
        """
        del position
        _imported()
        self.close()
        self._not_before = float("-inf")
        if not self._once:
            self._connect()
            return
        deadline = time.monotonic() + PATIENCE_S
        while not self._connect():
            time.sleep(_KNOCK_S)
            if time.monotonic() > deadline:
                raise self._refused("no broker answers")

    def read(self, max_lines: int, timeout_s: float) -> Chunk | None:
        """Return the records that there are of one partition, or None when none came in time.

        Raises:
            ServiceError: when the broker refuses for good.
        """
        if self._consumer is None and not self._connect():
            return None
        if not self._waiting:
            self._poll(max_lines, timeout_s)
        if not self._waiting:
            return None
        partition, records = self._waiting.popleft()
        if len(records) > max_lines:
            self._waiting.appendleft((partition, records[max_lines:]))
        return self._chunk(partition.partition, records[:max_lines])

    def pause(self) -> None:
        """Fetch nothing more for now; `read` keeps the membership in the group alive."""
        self._paused = True
        if self._consumer is not None:
            self._consumer.pause(*self._consumer.assignment())

    def resume(self) -> None:
        """Fetch again."""
        self._paused = False
        if self._consumer is not None:
            self._consumer.resume(*self._consumer.paused())

    def close(self) -> None:
        """Leave the group."""
        consumer, self._consumer = self._consumer, None
        self._waiting.clear()
        self._gained.clear()
        self._lost.clear()
        if consumer is not None:
            consumer.close(autocommit=False)

    # --- the group's partitions ------------------------------------------------------------

    def assigned(self, partitions: Iterable["TopicPartition"]) -> None:
        """Go on where each partition's last commit left it."""
        assert self._consumer is not None
        for partition in partitions:
            position = self._positions(self._source(partition.partition))
            if position is None:
                self._consumer.seek_to_beginning(partition)
            else:
                self._consumer.seek(partition, position["offset"])
            self._gained[partition] = position["offset"] if position else None
            if self._paused:
                self._consumer.pause(partition)

    def revoked(self, partitions: Iterable["TopicPartition"]) -> None:
        """Forget what was fetched of partitions that are another worker's now."""
        self._lost.update(partitions)

    # --- reading ---------------------------------------------------------------------------

    def _poll(self, max_lines: int, timeout_s: float) -> None:
        from kafka.errors import KafkaError  # noqa: PLC0415  (an extra)

        assert self._consumer is not None
        self._lost.clear()
        try:
            found = self._consumer.poll(int(timeout_s * 1000), max_records=max_lines)
        except KafkaError as error:
            self._complain(error)
            return
        for partition, records in found.items():
            if partition not in self._lost:
                self._say_what_is_gone(partition, records)
                self._waiting.append((partition, records))

    def _complain(self, error: Exception) -> None:
        """Raise what will not pass by itself; say the rest now and then."""
        if isinstance(error.__cause__, KeywatchError):
            # A position could not be loaded: what is fetched now would begin anywhere.
            self.close()
            raise error.__cause__
        if not getattr(error, "retriable", False):
            self.close()
            raise self._refused(type(error).__name__) from error
        self._remind(f"{type(error).__name__}; trying again")

    def _say_what_is_gone(
        self, partition: "TopicPartition", records: Sequence["ConsumerRecord"]
    ) -> None:
        wanted = self._gained.pop(partition, None)
        if wanted is not None and records and records[0].offset > wanted:
            self._tell(
                f"{self._source(partition.partition)}: records {wanted} to "
                f"{records[0].offset - 1} are no longer there"
            )

    def _chunk(self, partition: int, records: Sequence["ConsumerRecord"]) -> Chunk:
        return Chunk(
            source=self._source(partition),
            # A record is one line, whatever its producer put into it.
            lines=[(record.value or b"").replace(b"\n", b" ") for record in records],
            offsets=[record.offset for record in records],
            position={"offset": records[-1].offset + 1},
            origin={"topic": self._topic, "partition": partition},
        )

    def _source(self, partition: int) -> str:
        return f"{self.name}/{partition}"

    # --- connecting ------------------------------------------------------------------------

    def _connect(self) -> bool:
        """Connect, if a broker answers; never wait long: other sources are read meanwhile."""
        kafka = _imported()
        from kafka.errors import KafkaError  # noqa: PLC0415  (an extra)

        if time.monotonic() < self._not_before:
            return False
        self._not_before = time.monotonic() + _RETRY_S
        if not any(map(_answers, self._brokers)):
            self._remind("no broker answers; trying again")
            return False
        try:
            self._consumer = kafka.KafkaConsumer(**self._settings())
            self._begin(kafka)
        except KafkaError as error:
            self.close()
            if not getattr(error, "retriable", False) and not _is_away(error):
                raise self._refused(type(error).__name__) from error
            self._remind(f"{type(error).__name__}; trying again")
            return False
        return True

    def _begin(self, kafka: Any) -> None:  # noqa: ANN401  (a module)
        assert self._consumer is not None
        numbers = self._consumer.partitions_for_topic(self._topic)
        if not numbers and self._once:
            raise self._refused("no such topic")
        if not numbers:
            self._remind("the topic does not exist yet")
        if not self._once:
            self._consumer.subscribe([self._topic], listener=_listener(self))
            return
        partitions = [kafka.TopicPartition(self._topic, number) for number in sorted(numbers or ())]
        self._consumer.assign(partitions)
        self._ends = self._consumer.end_offsets(partitions)
        self.assigned(partitions)

    def _at_end(self) -> bool:
        assert self._consumer is not None
        return all(
            (self._consumer.position(partition) or 0) >= end
            for partition, end in self._ends.items()
        )

    def _settings(self) -> dict[str, Any]:
        return {
            "bootstrap_servers": self._brokers,
            "bootstrap_timeout_ms": _BOOTSTRAP_MS,
            "client_id": "keywatch",
            "group_id": None if self._once else self._group,
            "enable_auto_commit": False,
            "auto_offset_reset": "earliest",
            "isolation_level": "read_committed",
            "allow_auto_create_topics": False,
            # Found again within a second of its restart, instead of half a minute.
            "reconnect_backoff_max_ms": 1000,
            # A worker that died is replaced after 10 s, one that came or left after 1 s.
            "session_timeout_ms": 10_000,
            "heartbeat_interval_ms": 1000,
            "fetch_max_wait_ms": 100,
            "max_partition_fetch_bytes": _MAX_FETCH,
            "metrics_enabled": False,
            **self._options,
        }

    def _refused(self, what: str) -> ServiceError:
        where = f"{self.name} at {', '.join(self._brokers)}"
        return ServiceError(what, where=where, remedy="check the brokers, the topic and its rights")

    def _remind(self, what: str) -> None:
        if time.monotonic() - self._told_at >= _REMIND_S:
            self._told_at = time.monotonic()
            self._tell(f"{self.name} at {', '.join(self._brokers)}: {what}")


def _imported() -> Any:  # noqa: ANN401  (a module)
    try:
        import kafka  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise UsageError(
            "reading from Kafka needs kafka-python", remedy="pip install 'keywatch[kafka]'"
        ) from error
    logger = logging.getLogger("kafka")
    if not logger.handlers:
        # What matters to the user is told as one sentence; nobody asked for the client's log.
        logger.addHandler(logging.NullHandler())
    return kafka


def _answers(broker: str) -> bool:
    host, _, port = broker.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_S).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def _is_away(error: Exception) -> bool:
    from kafka.errors import KafkaTimeoutError, NoBrokersAvailable  # noqa: PLC0415  (an extra)

    return isinstance(error, NoBrokersAvailable | KafkaTimeoutError)


def _listener(source: KafkaSource) -> Any:  # noqa: ANN401  (a class of the extra)
    from kafka import ConsumerRebalanceListener  # noqa: PLC0415  (an extra)

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
        def on_partitions_revoked(self, revoked: Iterable["TopicPartition"]) -> None:
            source.revoked(revoked)

        def on_partitions_assigned(self, assigned: Iterable["TopicPartition"]) -> None:
            source.assigned(assigned)

    return Listener()
