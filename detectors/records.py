"""Records are moved whole: numpy by itself copies them field by field, in eight times the time."""

import numpy as np

from vocabulary.access import Ints

Records = np.ndarray


def whole(records: Records) -> Records:
    """Return the same memory as records that numpy does not look into."""
    return records.view(np.dtype((np.void, records.dtype.itemsize)))


def taken(records: Records, which: Ints) -> Records:
    """Return copies of some records, shape (n,); `which` is not negative."""
    return whole(records).take(which).view(records.dtype)
