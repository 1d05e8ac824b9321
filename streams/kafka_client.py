"""What those who read topics and those who write to them need of kafka-python.

https://kafka-python.readthedocs.io; it is an extra, and imported when somebody connects.
"""

import logging
import socket
import time
from collections.abc import Mapping, Sequence
from typing import Any

from vocabulary.errors import UsageError

SCHEMA = b"1"
"""Version of what records hold, where their header `schema` names one."""

BOOTSTRAP_MS = 2000
_KNOCK_S = 0.25
_SAID_CHARS = 200
_FRESH_S = 10.0
"""A failure that is older is of another connection, which may long be mended."""
_EMPTY = ("socket disconnected", "Unable to bootstrap", "Request timed out")
"""Failures that tell nothing of their cause."""
_OF_CONNECTIONS = "kafka.net"
"""The client's loggers that tell of them."""
_MAX_FETCH = 16 * 1024 * 1024
"""Octets of an answer: some 50,000 lines of one partition, about what is committed together. What
is larger is no sooner there, and takes memory anew for each of its copies."""


def imported() -> Any:  # noqa: ANN401  (a module)
    """Return the package, its log silenced.

    Raises:
        UsageError: when it is not installed.
    """
    try:
        import kafka  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise UsageError(
            "Kafka needs kafka-python",
            remedy="install keywatch[kafka]",
        ) from error
    logger = logging.getLogger("kafka")
    if _LOG not in logger.handlers:
        # What matters to the user is told as one sentence; nobody asked for the client's log.
        logger.addHandler(_LOG)
    return kafka


class _Log(logging.Handler):
    """The client's log, of which only the last telling failure of a connection is kept."""

    failure, at = "", 0.0

    def emit(self, record: logging.LogRecord) -> None:
        """Keep the failure: an error of the client says no more than that nobody was reached."""
        if not record.name.startswith(_OF_CONNECTIONS):
            return  # what a group's coordinator answers is no cause of the next connection's end
        for error in record.args if isinstance(record.args, tuple) else ():
            if isinstance(error, Exception) and not any(map(str(error).__contains__, _EMPTY)):
                self.failure = _plain(type(error).__name__, str(error))
                self.at = record.created


_LOG = _Log(logging.WARNING)


def _plain(kind: str, said: str) -> str:
    # kafka-python puts the kind before what it says, and where it says nothing, there too
    said = said.removeprefix(f"{kind}: ")[:_SAID_CHARS]
    return kind if kind in said else f"{kind}: {said}"


def cause_of(error: Exception) -> str:
    """Say why the client failed: the last failure of a connection that its log tells, or its kind.

    The failure is told once, and only while it may be this client's: it tries again each second.
    """
    failure, _LOG.failure = _LOG.failure, ""
    fresh = failure and time.time() - _LOG.at < _FRESH_S
    return failure if fresh and is_away(error) else type(error).__name__


def consumer_settings(
    brokers: Sequence[str], group: str | None, options: Mapping[str, Any]
) -> dict[str, Any]:
    """Return how records are read: positions are ours, and members change cooperatively.

    Args:
        brokers: `host:port` of some of the brokers.
        group: whose members share the partitions; None for nobody's.
        options: what the user has set; it wins.
    """
    from kafka.coordinator.assignors.cooperative_sticky import (  # noqa: PLC0415  (an extra)
        CooperativeStickyAssignor,
    )

    return {
        "bootstrap_servers": brokers,
        "bootstrap_timeout_ms": BOOTSTRAP_MS,
        "client_id": "keywatch",
        "group_id": group,
        "enable_auto_commit": False,
        # Who keeps its partitions reads on while the others agree on the rest.
        "partition_assignment_strategy": [CooperativeStickyAssignor],
        "auto_offset_reset": "earliest",
        "isolation_level": "read_committed",
        "allow_auto_create_topics": False,
        # Partitions that are added are read after half a minute, not five.
        "metadata_max_age_ms": 30_000,
        # Found again within a second of its restart, instead of half a minute.
        "reconnect_backoff_max_ms": 1000,
        # A worker that died is replaced after 10 s, one that came or left after 1 s.
        "session_timeout_ms": 10_000,
        "heartbeat_interval_ms": 1000,
        "fetch_max_wait_ms": 100,
        "max_partition_fetch_bytes": _MAX_FETCH,
        "fetch_max_bytes": _MAX_FETCH,
        "metrics_enabled": False,
        **options,
    }


def unknown_schema(headers: Sequence[tuple[str, bytes]]) -> str:
    """Return why a record cannot be read by us, by what its producer says of it; else empty."""
    told = next((value for name, value in headers if name == "schema"), SCHEMA)
    if told == SCHEMA:
        return ""
    version = (told or b"")[:20].decode("ascii", "replace")
    return f"schema: version {version!r}, this keywatch reads {SCHEMA.decode()}"


def answers(broker: str) -> bool:
    """Say whether somebody listens there; clients that begin with nobody leak sockets."""
    host, _, port = broker.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), _KNOCK_S).close()
    except (OSError, ValueError, OverflowError):
        return False
    return True


def is_away(error: Exception) -> bool:
    """Say whether it tells of a broker that may come back."""
    from kafka.errors import KafkaConnectionError, KafkaTimeoutError  # noqa: PLC0415  (an extra)

    return isinstance(error, KafkaConnectionError | KafkaTimeoutError)
