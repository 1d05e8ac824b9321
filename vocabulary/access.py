"""Access events, one by one at the door and as columns everywhere else."""

from collections.abc import Sequence
from dataclasses import dataclass

import msgspec
import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Codes = NDArray[np.int32]
Flags = NDArray[np.bool_]


COUNTED = b'"counted":true'
"""Stands in lines of our gateway's log whose use of a key is counted already: within a string of
JSON, what somebody sent, its quotes would be escaped."""


class AccessEvent(msgspec.Struct, frozen=True):
    """One request as a log line tells it.

    Attributes:
        ts_ms: epoch milliseconds, UTC.
        key: key id, or a credential's token; empty when the request carried none.
        ip: client address as text, zone removed; empty when unknown.
        path: without the query string.
        status: HTTP status; 0 when unknown.
        size: bytes of the answer's body; 0 when unknown.
        tls: fingerprint of the client's TLS hello (JA4, or JA3); empty when unknown.
        tokens: AI tokens that the answer cost; 0 when unknown.
    """

    ts_ms: int
    key: str
    ip: str
    method: str = ""
    path: str = ""
    status: int = 0
    size: int = 0
    agent: str = ""
    request_id: str = ""
    tls: str = ""
    tokens: int = 0


@dataclass(frozen=True, slots=True)
class EventBatch:
    """Access events as columns, sorted by key and, within a key, in order of arrival.

    Attributes:
        keys: the distinct keys, shape (k,); `key` points into it. May start with "" for
            events that carried no key.
        key: shape (n,), never decreasing.
        arrival: shape (n,), rank of arrival within the batch.
        ts_ms: shape (n,), epoch milliseconds, UTC.
        ip, method, path, agent: shape (n,), point into `ips`, `methods`, `paths`, `agents`.
        status: shape (n,), HTTP status, 0 when unknown.
        size: shape (n,), bytes, 0 when unknown.
        accepted: shape (n,), False where the credential was not accepted (401, or the key
            store does not know the key): such an event accuses nobody.
        prints: distinct fingerprints of TLS hellos; empty where the log has none.
        tls: shape (n,), points into `prints`; None where there are none.
        tokens: shape (n,), AI tokens that answers cost; None where the log has none.
    """

    keys: Sequence[str]
    key: Codes
    arrival: Ints
    ts_ms: Ints
    ips: Sequence[str]
    ip: Codes
    methods: Sequence[str]
    method: Codes
    paths: Sequence[str]
    path: Codes
    agents: Sequence[str]
    agent: Codes
    status: Codes
    size: Ints
    accepted: Flags
    prints: Sequence[str] = ()
    tls: Codes | None = None
    tokens: Ints | None = None

    def __len__(self) -> int:
        """Return the number of events."""
        return len(self.ts_ms)
