"""A topic of Apache Kafka: positions in our database, never in the broker's.

kafka-python, https://kafka-python.readthedocs.io; it is an extra, and imported when a source
is opened.
"""

import time
from collections import deque
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from streams.checkpoint import Position
from streams.chunk import Chunk
from streams.kafka_client import (
    answers,
    cause_of,
    consumer_settings,
    imported,
    is_away,
    unknown_schema,
)
from streams.kafka_records import read_leanly
from streams.partitions import Partitions
from streams.sources.closing import Closing
from vocabulary.errors import KeywatchError, ServiceError

if TYPE_CHECKING:
    from kafka import KafkaConsumer, TopicPartition
    from kafka.consumer.fetcher import ConsumerRecord

PATIENCE_S = 15.0
"""Seconds that a source that is read once waits for a broker."""

_KNOCK_S = 0.25
_RETRY_S = 1.0
# kafka-python (3.0.12) forgets what the group agreed on when `poll` returns before it did: while
# it has not, `poll` gets this time, and the client is made anew when even that was not enough.
_JOIN_S = 2.0
_STUCK_S = 10.0
_REMIND_S = 60.0


class KafkaSource(Closing):
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
        self._ours: Partitions[TopicPartition] = Partitions()
        self._failed: KeywatchError | None = None
        self._ends: dict[TopicPartition, int] = {}
        self._joining_since: float | None = None
        self._paused = False
        self._topic_id = ""
        self._told_at = self._not_before = float("-inf")
        self._why = ""

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

    @property
    def parts(self) -> set[str]:
        """The names of the sources of its chunks."""
        return {self._source(number) for number in self.assignment}

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
        imported()
        self.close()
        self._not_before = float("-inf")
        if not self._once:
            self._connect()
            return
        deadline = time.monotonic() + PATIENCE_S
        while not self._connect():
            time.sleep(_KNOCK_S)
            if time.monotonic() > deadline:
                raise self._refused(self._why)

    def read(self, max_lines: int, timeout_s: float) -> Chunk | None:
        """Return the records that there are of one partition, or None when none came in time.

        Raises:
            ServiceError: when the broker refuses for good.
        """
        if self._consumer is None and not self._connect():
            return None
        if not self._waiting:
            self._poll(max_lines, timeout_s)
        self._raise_failed()
        if self._topic_id and self._id_now() not in {"", self._topic_id}:
            self.close()  # where to begin is told by what is committed, once it is connected again
            return None
        while self._waiting:
            partition, records = self._waiting.popleft()
            if len(records) > max_lines:
                self._waiting.appendleft((partition, records[max_lines:]))
            chunk = self._chunk(partition, records[:max_lines])
            if chunk is not None:
                return chunk
        return None

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
        self._ours, self._failed, self._joining_since = Partitions(), None, None
        if consumer is not None:
            consumer.close(autocommit=False)

    # --- the group's partitions ------------------------------------------------------------

    def assigned(self, partitions: Iterable["TopicPartition"]) -> None:
        """Go on where each partition's last commit left it; called on a thread of the client's."""
        consumer, ours = self._consumer, self._ours
        if consumer is None:
            return
        self._topic_id = topic_id = self._id_now()
        try:
            for partition in partitions:
                position = self._positions(self._source(partition.partition))
                anew = self._is_another(position, topic_id)
                start = ours.gain(partition, position["offset"] if position else None, anew=anew)
                if start is None:
                    consumer.seek_to_beginning(partition)
                else:
                    consumer.seek(partition, start)
                if self._paused:
                    consumer.pause(partition)
        except KeywatchError as error:
            self._failed = error

    def _id_now(self) -> str:
        """Return the id that the topic has now; empty where brokers give none (before 2.8)."""
        cluster: Any = getattr(getattr(self._consumer, "_client", None), "cluster", None)
        return str((cluster and cluster.topic_id(self._topic)) or "")

    def _is_another(self, position: Position | None, topic_id: str) -> bool:
        """Say whether a position is of a topic that was deleted, and made anew by that name."""
        before = position.get("topic_id", "") if position else ""
        if not before or not topic_id or before == topic_id:
            return False
        self._tell(f"{self.name}: the topic was made anew; it is read from its beginning")
        return True

    def revoked(self, partitions: Iterable["TopicPartition"]) -> None:
        """Hand out nothing more of partitions that become another worker's."""
        for partition in partitions:
            self._ours.lose(partition)

    # --- reading ---------------------------------------------------------------------------

    def _poll(self, max_lines: int, timeout_s: float) -> None:
        self._fetch(max_lines, max(timeout_s, _JOIN_S) if self._agreeing() else timeout_s)
        if not self._agreeing():
            self._joining_since = None
        elif self._joining_since is None:
            self._joining_since = time.monotonic()
        elif time.monotonic() - self._joining_since > _STUCK_S:
            self.close()

    def _agreeing(self) -> bool:
        """Say whether the group still has to agree on who reads what.

        Callbacks do not tell: in a cooperative rebalance who is given nothing more is not called.
        """
        coordinator = getattr(self._consumer, "_coordinator", None)
        return not self._once and coordinator is not None and bool(coordinator.need_rejoin())

    def _fetch(self, max_lines: int, timeout_s: float) -> None:
        from kafka.errors import KafkaError  # noqa: PLC0415  (an extra)

        assert self._consumer is not None
        try:
            found = self._consumer.poll(int(timeout_s * 1000), max_records=max_lines)
        except KafkaError as error:
            if not getattr(error, "retriable", False):
                self.close()
                raise self._refused(type(error).__name__) from error
            self._remind(f"{type(error).__name__}; trying again")
        else:
            self._waiting.extend(found.items())

    def _raise_failed(self) -> None:
        """Raise what kept a position from being loaded; connect anew afterwards."""
        if self._failed is not None:
            error = self._failed
            self.close()
            raise error

    def _chunk(
        self, partition: "TopicPartition", records: Sequence["ConsumerRecord"]
    ) -> Chunk | None:
        """Return the records as a chunk, as far as they are next; fetch again what is missing."""
        consumer = self._consumer
        assert consumer is not None
        taken = self._ours.take(partition, records)
        if taken is None:
            wanted = self._ours.lacks(partition, records[0].offset)
            if wanted is not None:
                consumer.seek(partition, wanted)
                self._waiting = deque(one for one in self._waiting if one[0] != partition)
            return None
        source = self._source(partition.partition)
        first, last = taken.records[0].offset, taken.records[-1].offset
        if taken.first and taken.after is not None and first > taken.after:
            self._tell(f"{source}: records {taken.after} to {first - 1} are no longer there")
        refused = [
            (number, reason)
            for number, record in enumerate(taken.records)
            if record.headers and (reason := unknown_schema(record.headers))
        ]
        end = consumer.highwater(partition)
        return Chunk(
            source=source,
            behind=None if end is None else max(0, end - last - 1),
            refused=refused,
            # A record is one line, whatever its producer put into it.
            lines=[(record.value or b"").replace(b"\n", b" ") for record in taken.records],
            offsets=_offsets(taken.records),
            position={
                "offset": last + 1,
                "after": taken.after,
                **({"topic_id": self._topic_id} if self._topic_id else {}),
            },
            origin={"topic": self._topic, "partition": partition.partition},
        )

    def _source(self, partition: int) -> str:
        return f"{self.name}/{partition}"

    # --- connecting ------------------------------------------------------------------------

    def _connect(self) -> bool:
        """Connect, if a broker answers; never wait long: other sources are read meanwhile."""
        kafka = imported()
        from kafka.errors import KafkaError  # noqa: PLC0415  (an extra)

        if time.monotonic() < self._not_before:
            return False
        self._not_before = time.monotonic() + _RETRY_S
        if not any(map(answers, self._brokers)):
            self._remind("no broker answers; trying again")
            return False
        group = None if self._once else self._group
        try:
            self._consumer = kafka.KafkaConsumer(
                **consumer_settings(self._brokers, group, self._options)
            )
            read_leanly(self._consumer)
            self._begin(kafka)
        except KafkaError as error:
            self.close()
            if not getattr(error, "retriable", False) and not is_away(error):
                raise self._refused(type(error).__name__) from error
            self._remind(f"{cause_of(error)}; trying again")
            return False
        except KeywatchError:
            self.close()
            raise
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

    def _refused(self, what: str) -> ServiceError:
        where = f"{self.name} at {', '.join(self._brokers)}"
        return ServiceError(what, where=where, remedy="check the brokers, the topic and its rights")

    def _remind(self, what: str) -> None:
        self._why = what.removesuffix("; trying again")
        if time.monotonic() - self._told_at >= _REMIND_S:
            self._told_at = time.monotonic()
            self._tell(f"{self.name} at {', '.join(self._brokers)}: {what}")


def _offsets(records: Sequence["ConsumerRecord"]) -> Sequence[int]:
    first, last = records[0].offset, records[-1].offset
    if last - first == len(records) - 1:  # compaction and transactions leave gaps
        return range(first, last + 1)
    return [record.offset for record in records]


def _listener(source: KafkaSource) -> Any:  # noqa: ANN401  (a class of the extra)
    from kafka import ConsumerRebalanceListener  # noqa: PLC0415  (an extra)

    class Listener(ConsumerRebalanceListener):  # type: ignore[misc]
        def on_partitions_revoked(self, revoked: Iterable["TopicPartition"]) -> None:
            source.revoked(revoked)

        def on_partitions_assigned(self, assigned: Iterable["TopicPartition"]) -> None:
            source.assigned(assigned)

    return Listener()
