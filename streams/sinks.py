"""Records to topics of Kafka."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from streams.kafka_client import BOOTSTRAP_MS, SCHEMA, answers, cause_of, imported
from vocabulary.errors import ServiceError

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

    def send(self, topic: str, records: Sequence[Record]) -> Sequence[tuple[Record, str]]:
        """Send the records; return those that no broker will ever take, and why.

        Raises:
            ServiceError: when one was not taken for now; they are all to be sent again.
        """
        imported()
        from kafka.errors import KafkaError  # noqa: PLC0415  (an extra)

        try:
            producer = self._connected()
            sent = [(one, self._begun(producer, topic, one)) for one in records]
            answers = [(one, self._refusal(begun)) for one, begun in sent]
        except KafkaError as error:
            self.close()
            raise self._refused(f"{topic}: {cause_of(error)}") from error
        return [(one, reason) for one, reason in answers if reason]

    def close(self) -> None:
        """Let go of the connection."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(timeout=1)

    def _begun(self, producer: Any, topic: str, one: Record) -> Any:  # noqa: ANN401  (of the extra)
        """Begin to send a record; return what will tell of it, or why it cannot be sent."""
        headers = [("schema", SCHEMA), ("id", one.id.encode())]
        try:
            return producer.send(topic, one.value, key=one.key.encode(), headers=headers)
        except _too_large() as error:
            return error

    def _refusal(self, begun: Any) -> str:  # noqa: ANN401  (of the extra)
        """Wait until a record is there; return why it will never be, else nothing."""
        too_large = _too_large()
        if not isinstance(begun, too_large):
            try:
                begun.get(timeout=_PATIENCE_S)
            except too_large:
                pass
            else:
                return ""
        return "larger than the topic takes (max.message.bytes)"

    def _refused(self, what: str) -> ServiceError:
        where = f"kafka at {', '.join(self._brokers)}"
        return ServiceError(what, where=where, remedy="check the brokers, the topic and its rights")

    def _connected(self) -> Any:  # noqa: ANN401  (of the extra)
        if self._producer is None:
            kafka = imported()
            if not any(map(answers, self._brokers)):
                raise self._refused("no broker answers")
            self._producer = kafka.KafkaProducer(
                bootstrap_servers=self._brokers,
                bootstrap_timeout_ms=BOOTSTRAP_MS,
                client_id="keywatch",
                acks="all",
                # To an idempotent producer a record that is too large is the end of all that come
                # behind it. Without that, one request at a time keeps the order.
                enable_idempotence=False,
                max_in_flight_requests_per_connection=1,
                max_block_ms=int(_PATIENCE_S * 1000),
                **self._options,
            )
        return self._producer


def _too_large() -> tuple[type[Exception], ...]:
    from kafka import errors  # noqa: PLC0415  (an extra)

    return errors.MessageSizeTooLargeError, errors.RecordListTooLargeError
