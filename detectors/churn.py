"""Keys whose endpoints are news every day, since their paths hold names such as /users/alice.

An id is recognised by its digits; a name is not. Of a key that asks for names nearly every
endpoint is seen on one day and never again, and that another twenty are new today says nothing.
The table of endpoints shows this from the third day on, without any count of its own.
"""

import numpy as np

from detectors.chance import Floats, excess, normal
from detectors.profile import DAY_MS, Rows

DAYS = 10
LEAST = 8
"""So many endpoints of one day each, within so many days, make a key one of names."""
SHAPE = 2.0
"""Of the negative binomial: a busy day brings three times the names of a quiet one."""


def churn(rows: Rows) -> Floats:
    """Return how many endpoints an active day brings that are not seen again, shape (k,).

    Days that alarmed do not count: what is a thief's makes nothing usual. Nothing of today does,
    either.
    """
    today, last = rows["day"].astype(np.int64), rows["endpoint_last"].astype(np.int64)
    days = rows["endpoint_days"].astype(np.int64) - (last == today[:, None])
    once = (rows["endpoint"] != 0) & (days == 1) & (last < today[:, None])
    once &= last >= today[:, None] - DAYS
    many = once.sum(axis=1)
    oldest = np.where(once, last, today[:, None]).min(axis=1)
    lived = np.maximum(today - rows["first"] // DAY_MS, 1)
    active = np.maximum((today - oldest) * np.minimum(rows["days"] / lived, 1.0), 1.0)
    return np.asarray(np.where(many >= LEAST, many / active, 0.0), np.float64)


def surprise(count: Floats, usual: Floats) -> Floats:
    """Return -log10 of about the chance that a day brings so many, where so many are usual."""
    return normal(excess(count, usual, SHAPE))
