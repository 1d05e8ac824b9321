"""When what failed is tried again."""

from collections.abc import Callable

EFFECT_ATTEMPTS = 8
NOTIFICATION_ATTEMPTS = 14
"""Some three hours altogether: a receiver may be away for a while, an alert must not be."""

_FIRST_S, _LONGEST_S = 2.0, 3600.0


def delay_s(attempt: int, random: Callable[[], float]) -> float:
    """Return how long to wait after the given attempt (from 1) has failed, in seconds.

    Doubles with each attempt up to an hour; between half of it and all of it, at random, so that
    what failed together does not come back together (M. Brooker, "Exponential Backoff And
    Jitter", AWS Architecture Blog, 2015).

    Args:
        attempt: number of attempts so far.
        random: returns a number in [0, 1).
    """
    full_s = min(_LONGEST_S, _FIRST_S * 2.0 ** min(attempt - 1, 20))
    return full_s * (0.5 + 0.5 * random())
