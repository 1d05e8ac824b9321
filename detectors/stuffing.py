"""Stuffing: one address that tries many keys which are not accepted."""

from dataclasses import dataclass, field
from hashlib import blake2b

import msgspec
import numpy as np
from msgspec.structs import replace

from detectors import terms
from detectors.words import rfc3339
from vocabulary.access import EventBatch, Flags, Ints
from vocabulary.alert import Alert, Evidence, Severity, Span
from vocabulary.senders import sender

WINDOW_MS = 600_000
STUFFING = ((50, Severity.HIGH), (10, Severity.MEDIUM))
"""So many different keys, refused to one address within ten minutes, are no mistake."""
MOST_SOURCES, MOST_TRIED = 4096, 64
"""Addresses, and refused keys of each, that are told apart: a few more than it takes to alert."""


class SourcesState(msgspec.Struct):
    """Which keys were refused to which address in the open window of ten minutes.

    Attributes:
        window: the open window since 1970.
        tried: address → hashes of the keys that were refused to it.
        first_ms, events: address → when its first one was, and how many.
        told: address → the severity that was told in this window.
    """

    clock_ms: int = 0
    window: int = -1
    tried: dict[str, set[int]] = {}
    first_ms: dict[str, int] = {}
    events: dict[str, int] = {}
    told: dict[str, int] = {}


@dataclass(slots=True)
class Sources:
    """Notices addresses that try many keys which are not accepted."""

    state: SourcesState = field(default_factory=SourcesState)

    def alerts(self, batch: EventBatch, ts_ms: Ints, which: Flags | None = None) -> list[Alert]:
        """Return the alerts about addresses; nothing here accuses a key.

        Args:
            batch: the events.
            ts_ms: shape (n,), plausible times.
            which: shape (n,), the events that are looked at; None for all that were refused.
        """
        refused = np.flatnonzero(~batch.accepted if which is None else which)
        refused = refused[np.argsort(batch.arrival[refused], kind="stable")]
        found = []
        for i in refused.tolist():
            address, key = batch.ips[batch.ip[i]], int(terms.keys([batch.keys[batch.key[i]]])[0])
            alert = self._see(sender(address), key, int(ts_ms[i])) if address else None
            if alert:
                found.append(replace(alert, ip=address))
        return found

    def _see(self, address: str, key: int, ts_ms: int) -> Alert | None:
        state = self.state
        state.clock_ms = max(state.clock_ms, ts_ms)
        window = state.clock_ms // WINDOW_MS
        if window != state.window:
            self.state = state = SourcesState(state.clock_ms, window)
        if address not in state.tried and len(state.tried) >= MOST_SOURCES:
            return None
        tried = state.tried.setdefault(address, set())
        state.first_ms.setdefault(address, state.clock_ms)
        state.events[address] = state.events.get(address, 0) + 1
        if len(tried) < MOST_TRIED:
            tried.add(key)
        for least, severity in STUFFING:
            if len(tried) >= least and state.told.get(address, 0) < severity:
                state.told[address] = severity
                return self._alert(address, severity)
        return None

    def _alert(self, address: str, severity: Severity) -> Alert:
        state, moment = self.state, rfc3339(self.state.clock_ms)
        kind = "a network" if "/" in address else "an address"
        keys, name = len(state.tried[address]), f"{address}\0{severity.word}\0{moment}"
        seen = f"{keys} different keys refused (401) to {address} within 10 min"
        return Alert(
            id=f"alr_{blake2b(name.encode(), digest_size=10).hexdigest()}",
            ts=moment,
            kind="stuffing",
            severity=severity.word,
            family="network",
            summary=f"{seen}; {kind} that mistypes its key tries one or two",
            evidence=(Evidence("stuffing", seen, f"one or two keys {kind}", 1e-4),),
            events=Span(rfc3339(state.first_ms[address]), moment, state.events[address]),
        )
