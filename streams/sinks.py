"""Records to topics of Kafka."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streams.sources.kafka import SCHEMA, answers
from vocabulary.errors import ServiceError, UsageError

_PATIENCE_S = 30.0


@dataclass(frozen=True, slots=True)
class Record:
    """What is sent: the key decides on the partition, by the id nobody need count it twice."""

    id: str
    key: str
    value: bytes


class KafkaSink:
    """Sends records; those of a call are there, on all replicas that are in sync, when it returns.

    Args:
        brokers: `host:port` of some of the brokers.
        options: see `streams.kafka_options`.
        tell: called with what a person should know.
    """

    def __init__(
        self,
        brokers: Sequence[str],
        options: Mapping[str, Any],
        tell: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._brokers, self._options, self._tell = list(brokers), dict(options), tell
        self._producer: Any = None

    def send(self, topic: str, records: Sequence[Record]) -> None:
        """Send the records.

        Raises:
            ServiceError: when one was not taken; they are all to be sent again.
        """
        from kafka.errors import KafkaError  # noqa: PLC0415  (an extra)

        try:
            producer = self._connected()
            sent = [
                producer.send(
                    topic,
                    one.value,
                    key=one.key.encode(),
                    headers=[("schema", SCHEMA), ("id", one.id.encode())],
                )
                for one in records
            ]
            for one in sent:
                one.get(timeout=_PATIENCE_S)
        except KafkaError as error:
            self.close()
            raise self._refused(f"{topic}: {type(error).__name__}") from error

    def close(self) -> None:
        """Let go of the connection."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=1)

    def _refused(self, what: str) -> ServiceError:
        where = f"kafka at {', '.join(self._brokers)}"
        return ServiceError(what, where=where, remedy="check the brokers, the topic and its rights")

    def _connected(self) -> Any:  # noqa: ANN401  (of the extra)
        if self._producer is None:
            try:
                import kafka  # noqa: PLC0415  (an extra)
            except ImportError as error:
                raise UsageError(
                    "publishing needs kafka-python", remedy="pip install 'keywatch[kafka]'"
                ) from error
            if not any(map(answers, self._brokers)):
                raise self._refused("no broker answers")
            self._producer = kafka.KafkaProducer(
                bootstrap_servers=self._brokers,
                client_id="keywatch",
                acks="all",
                enable_idempotence=True,
                max_block_ms=int(_PATIENCE_S * 1000),
                **self._options,
            )
        return self._producer
