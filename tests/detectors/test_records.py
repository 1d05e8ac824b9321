"""Records are moved whole, and are the same as when they are moved by field."""

import numpy as np

from detectors.profile import EVENT, PENDING, WAY, blank
from detectors.records import field, whole


def filled(count):
    """Return what waits beside some rows, of any bytes, as a column of wider records."""
    rows = blank(count)
    rng = np.random.default_rng(count)
    raw = rng.integers(0, 256, count * PENDING.itemsize, np.uint8).tobytes()
    rows["pending"] = np.frombuffer(raw, PENDING)
    return rows["pending"]


def test_a_field_is_read_and_written_in_its_place():
    held = filled(5)
    which, number = np.array([0, 3]), np.array([2, 6])
    events = field(held, "events")[which, number].view(EVENT)
    assert events.tobytes() == held["events"][which, number].tobytes()
    field(held, "events")[which, number] = whole(np.zeros(2, EVENT))
    other = filled(5)
    other["events"][which, number] = np.zeros(2, EVENT)
    assert held.tobytes() == other.tobytes()


def test_a_copy_of_a_field_is_no_view_even_of_one_record():
    held = filled(1)
    before = field(held, "ways").copy().view(WAY)
    expected = held["ways"].tobytes()
    held["ways"] = np.zeros((), WAY)
    assert before.tobytes() == expected
    assert before.shape == (1, 3)
