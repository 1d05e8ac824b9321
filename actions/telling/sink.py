"""Where events for other programs go: a file of JSON lines, an HTTP address or a Kafka topic."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlsplit

from actions.telling.web import TIMEOUT_S, Site
from vocabulary.errors import ConfigError, ServiceError


class Sink(Protocol):
    """Takes one event."""

    def put(self, body: bytes, about: str, idempotency_key: str) -> None:
        """Store an event.

        Args:
            body: JSON in one line.
            about: key id, by which Kafka keeps the order.
            idempotency_key: the same at every attempt.

        Raises:
            ServiceError: when it was not taken.
        """


def sink_of(options: Mapping[str, Any], content_type: str) -> Sink:
    """Return the sink of a `url`: file:///…, https://… or kafka://host:port/topic.

    Raises:
        ConfigError: when it is none of these.
    """
    where = f"notify.{options.get('name', '')}"
    address = urlsplit(options.get("url", ""))
    if address.scheme == "file" and address.path and not address.netloc:
        return _File(Path(address.path))
    if address.scheme == "kafka" and address.netloc and address.path.strip("/"):
        return _Kafka(address.netloc, address.path.strip("/"), where)
    if address.scheme in {"http", "https"}:
        return _Http(Site(options["url"], where), content_type, options.get("secret", ""))
    raise ConfigError(
        "`url` names no file, address or topic",
        where=where,
        remedy="file:///path, https://… or kafka://host:port/topic",
    )


class _File:
    def __init__(self, path: Path) -> None:
        self._path = path

    def put(self, body: bytes, about: str, idempotency_key: str) -> None:
        """Append a line, in one write and readable by its owner alone."""
        del about, idempotency_key
        try:
            flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
            handle = os.open(self._path, flags, 0o600)
            try:
                line = body + b"\n"
                while line:
                    line = line[os.write(handle, line) :]
                os.fsync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise ServiceError(
                f"the event was not written: {error.strerror}", where=str(self._path)
            ) from None


class _Http:
    def __init__(self, site: Site, content_type: str, authorization: str) -> None:
        self._site = site
        self._headers = {"Content-Type": content_type}
        if authorization:
            self._headers["Authorization"] = authorization

    def put(self, body: bytes, about: str, idempotency_key: str) -> None:
        """Post the event."""
        del about
        self._site.send(body, {**self._headers, "Idempotency-Key": idempotency_key})


class _Kafka:
    def __init__(self, brokers: str, topic: str, where: str) -> None:
        try:
            from kafka import KafkaProducer  # noqa: PLC0415  (an extra, and slow to import)
        except ImportError:
            raise ConfigError(
                "the package kafka-python is missing",
                where=where,
                remedy="install keywatch[kafka]",
            ) from None
        self._make, self._brokers, self._topic = KafkaProducer, brokers, topic
        self._producer: Any = None

    def put(self, body: bytes, about: str, idempotency_key: str) -> None:
        """Send the event, and wait until every replica has it."""
        from kafka.errors import KafkaError  # noqa: PLC0415

        try:
            if self._producer is None:
                self._producer = self._make(
                    bootstrap_servers=self._brokers.split(","),
                    acks="all",
                    bootstrap_timeout_ms=int(TIMEOUT_S * 1000),
                    max_block_ms=int(TIMEOUT_S * 1000),
                )
            headers = [("idempotency-key", idempotency_key.encode())]
            sent = self._producer.send(self._topic, body, key=about.encode(), headers=headers)
            sent.get(TIMEOUT_S)
        except KafkaError as error:
            reason = type(error).__name__
            raise ServiceError(
                f"the broker did not take it: {reason}", where=self._brokers
            ) from None
