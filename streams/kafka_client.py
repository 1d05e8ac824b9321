"""What those who read topics and those who write to them need of kafka-python.

https://kafka-python.readthedocs.io; it is an extra, and imported when somebody connects.
"""

import logging
import socket
from collections.abc import Mapping, Sequence
from typing import Any

from vocabulary.errors import UsageError

SCHEMA = b"1"
"""Version of what records hold, where their header `schema` names one."""

_BOOTSTRAP_MS = 2000
_KNOCK_S = 0.25
_MAX_FETCH = 8 * 1024 * 1024


def imported() -> Any:  # noqa: ANN401  (a module)
    """Return the package, its log silenced.

    Raises:
        UsageError: when it is not installed.
    """
    try:
        import kafka  # noqa: PLC0415  (an extra)
    except ImportError as error:
        raise UsageError(
            "Kafka needs kafka-python", remedy="pip install 'keywatch[kafka]'"
        ) from error
    logger = logging.getLogger("kafka")
    if not logger.handlers:
        # What matters to the user is told as one sentence; nobody asked for the client's log.
        logger.addHandler(logging.NullHandler())
    return kafka


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
        "bootstrap_timeout_ms": _BOOTSTRAP_MS,
        "client_id": "keywatch",
        "group_id": group,
        "enable_auto_commit": False,
        # Who keeps its partitions reads on while the others agree on the rest.
        "partition_assignment_strategy": [CooperativeStickyAssignor],
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
