"""One day of each key: the events that are scored together, and what detectors say of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from detectors.chance import CAP, Floats
from detectors.clocks import segment_starts
from detectors.declared import Said
from detectors.profile import HOUR_MS, Rows
from vocabulary.access import Codes, Flags, Ints


@dataclass(frozen=True, slots=True)
class Evidence:
    """What one detector says of each event.

    Attributes:
        e: shape (n,), -log10 p, from 0 to CAP.
        reason: shape (n,), one of `words.Reason`.
        observed, expected: shape (n,), numbers that `words` puts into a sentence.
    """

    e: Floats
    reason: NDArray[np.uint8]
    observed: Floats
    expected: Floats


@dataclass(frozen=True, slots=True)
class Round:
    """Events of some keys, of one day of each, sorted by key and arrival.

    Attributes:
        rows: shape (k,), the profiles; detectors write into their hot parts.
        row: shape (n,), index of each event's profile, never decreasing; every profile occurs.
        t: shape (n,), milliseconds on the key's own clock.
        late: shape (n,), True for events that came too late to be counted.
        offset_ms: shape (k,), how far the owner's local time is ahead of UTC.
        place: shape (n,), PLACE records.
        network: shape (n,), the AS, or where that is unknown the surrounding prefix.
        agent, endpoint: shape (n,), hashes.
        number: shape (n,), the object's number, or -1.
        thing: shape (n,), hash of the object, or 0.
        status: shape (n,).
        writes: shape (n,), True for methods that change something.
        size: shape (n,), bytes of the answer.
        crowd: shape (n, 3), by how much the whole fleet is busier than usual, at least 1: in the
            last minutes, hour and day.
        tls: shape (n,), hashes of the fingerprints of TLS hellos, 0 where none is known.
        tokens: shape (n,), AI tokens that the answers cost.
        mature: shape (k,), True for profiles that have learned enough.
        lenient: shape (k,), how much more evidence than usual it takes to alert about each key.
        budget: shape (k,), AI tokens a day that each key may spend; 0 for nothing said.
        closed: shape (k,) each, evidence of the day that each profile has just closed.
        said: what owners declared of profiles that are still learned; None for nothing.
    """

    rows: Rows
    row: Codes
    t: Ints
    late: Flags
    offset_ms: Ints
    place: NDArray[np.void]
    network: NDArray[np.uint32]
    agent: NDArray[np.uint32]
    endpoint: NDArray[np.uint32]
    number: Ints
    thing: NDArray[np.uint32]
    status: Codes
    writes: Flags
    size: Ints
    crowd: Floats
    tls: NDArray[np.uint32]
    tokens: Ints
    mature: Flags
    lenient: Floats
    budget: Floats
    closed: Evidence
    said: Said | None = None

    def slots(self) -> Ints:
        """Return the local hour of the week of each event; 0 is Monday, midnight.

        Of the hour's beginning in UTC, so that an hour is one slot where zones differ by 30 min.
        """
        local = (self.t // HOUR_MS * HOUR_MS + self.offset_ms[self.row]) // HOUR_MS
        return (local + 3 * 24) % 168


def evidence(
    e: Floats,
    reason: int | NDArray[np.uint8],
    observed: Floats,
    expected: Floats,
    most: float = CAP,
) -> Evidence:
    """Make evidence of columns or scalars, capped."""
    n = len(e)
    return Evidence(
        np.clip(e, 0.0, most),
        np.broadcast_to(np.asarray(reason, np.uint8), n),
        np.broadcast_to(np.asarray(observed, np.float64), n),
        np.broadcast_to(np.asarray(expected, np.float64), n),
    )


def strongest(one: Evidence, other: Evidence) -> Evidence:
    """Return for each event the stronger of two pieces of evidence."""
    better = other.e > one.e
    return Evidence(
        np.where(better, other.e, one.e),
        np.where(better, other.reason, one.reason),
        np.where(better, other.observed, one.observed),
        np.where(better, other.expected, one.expected),
    )


def largest(row: Codes, values: Floats, rows: int) -> Floats:
    """Return the largest value of each profile; every profile occurs."""
    starts = segment_starts(row)
    return np.maximum.reduceat(values, starts) if rows else values[:0]
