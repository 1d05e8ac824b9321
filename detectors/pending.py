"""What an event must be like in order to wait beside its key's row, since it surely says nothing.

A pass over a row costs the same for one event as for many. An event of an ordinary day (network,
client and endpoints as before, below every record) waits until one comes of which something might
be said, or until there is no more room. Then all are scored together: any batches give the same
rows and alerts, so that it is all the same when. What follows from a row and its last event about
those to come is written into the row here; see PENDING, and `beside`.
"""

from functools import reduce

import numpy as np

from detectors.behaviour import KNOWN_BY, LEAST_STEPS
from detectors.fuse import FLOOR, HALF_LIFE_MS, THRESHOLDS, UNIT
from detectors.hours import GAIN
from detectors.hours import UNIT as UNUSUAL
from detectors.levels import LEAST_REQUESTS
from detectors.profile import DAY_MS, EVENT, FAMILIES, WAITING, Rows
from detectors.rate import BURST_WINDOWS, LEAST_BURST
from detectors.travel import FEW_EVENTS
from vocabulary.access import Flags, Ints
from vocabulary.alert import Severity

SURELY = 0.01
"""What is rounded moves evidence by less."""
RARE = 4
"""Uses in rare hours that may wait: together they say less than an alert takes."""
MOST = 255
UNBOUNDED = 1 << 40


def prepare(rows: Rows, place: np.ndarray, agent: np.ndarray, tls: np.ndarray) -> None:
    """Write into rows what an event must be like in order to wait, now that the last was scored.

    Args:
        rows: the profiles.
        place: shape (k,), where that event came from.
        agent: shape (k,), its client.
        tls: shape (k,), its fingerprint.
    """
    held = rows["pending"]
    some = np.flatnonzero(held["count"])
    held["events"][some] = np.zeros((), EVENT)
    held["open"] = np.where(is_calm(rows), rows["day"] + 1, 0)
    held["since"] = rows["clock"] % DAY_MS
    held["agent"], held["tls"], held["place"] = agent, tls, place
    # Where exactly its first events came from nobody remembers; see `seeds`.
    few = np.flatnonzero(rows["events"] <= FEW_EVENTS)
    held["place"]["lat"][few], held["place"]["lon"][few] = 0.0, 0.0
    most = harmless(rows)
    held["most"] = np.minimum(most, MOST)
    held["left"] = np.clip(most - counts(rows), 0, MOST)
    held["any"] = rows["mature_days"] < KNOWN_BY
    room = np.rint((FLOOR - SURELY) / GAIN * UNUSUAL) - rows["unusual"].sum(axis=1, dtype=np.int64)
    surprise = rows["surprise"]
    held["free"] = np.packbits((surprise == 0) & (room >= 0)[:, None], axis=1)
    held["rare"] = np.packbits(surprise <= (room / RARE)[:, None], axis=1)
    held["count"] = held["odd"] = 0


def is_calm(rows: Rows) -> Flags:
    """Return of which profiles no evidence is left that could become an alert with a little more.

    Of an event like the last one the network says no more than of that one; so little of every
    family does not add up, except that volume alone may say what is no alert.
    """
    bounds = np.full(len(FAMILIES), np.log2(FLOOR - SURELY))
    bounds[FAMILIES.index("volume")] = np.log2(THRESHOLDS[Severity.LOW] - SURELY)
    level = rows["evidence"] / UNIT - (rows["clock"] / HALF_LIFE_MS)[:, None]
    calm = reduce(np.logical_and, (level < bounds).T) & (rows["severity"] == 0)
    steps = reduce(np.add, rows["steps"].astype(np.int64).T)
    return np.asarray(calm & (steps + WAITING < LEAST_STEPS), np.bool_)


def harmless(rows: Rows) -> Ints:
    """Return the most requests in each window of which nothing can become an alert, shape (k, 5).

    Below the record volume adds nothing to anything; see `rate.record`. Where there is no record
    it never says as much as an alert takes.
    """
    busiest = rows["busiest"].astype(np.float64)
    root = 0.5 + np.sqrt(np.maximum(busiest, 1.0) + 0.25)  # of the n for which n - √n is the record
    most = np.maximum((root * root - SURELY).astype(np.int64) - 1, LEAST_REQUESTS - 1)
    for window in BURST_WINDOWS:
        bounded = np.minimum(most[:, window], LEAST_BURST - 1)
        most[:, window] = np.where(rows["steady"] > 0, bounded, most[:, window])
    return np.where(busiest > 0, most, UNBOUNDED)


def counts(rows: Rows) -> Ints:
    """Return the requests in each window that ends with a profile's last event, shape (k, 5)."""
    minutes = np.add.reduceat(rows["minutes"].astype(np.int64), (0, 2, 10), axis=1)
    columns = (
        rows["seconds"].sum(axis=1, dtype=np.int64),
        minutes[:, 0],
        minutes[:, 0] + minutes[:, 1],
        minutes[:, 0] + minutes[:, 1] + minutes[:, 2],
        rows["hours"].sum(axis=1, dtype=np.int64),
    )
    return np.stack(columns, axis=1)
