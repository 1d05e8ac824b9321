"""Who waits to be written whole, against a list that is searched through."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors.waiting import FIRST, Waiting

PLACES = st.lists(st.sampled_from([0, 1, 2, 3, FIRST - 1, FIRST, 5 * FIRST]), unique=True)
STEPS = st.lists(st.one_of(PLACES, st.integers(0, 5)), max_size=30)


@given(STEPS)
def test_who_has_waited_longest_goes_first_and_nobody_waits_twice(steps):
    waiting, slow = Waiting(), {}
    for batch, step in enumerate(steps, 1):
        if isinstance(step, list):
            waiting.add(np.array(step, np.int64), batch)
            slow |= {place: batch for place in step if place not in slow}
        else:
            first = list(slow)[:step]
            assert waiting.take(step).tolist() == first
            slow = {place: since for place, since in slow.items() if place not in first}
        assert waiting.oldest() == next(iter(slow.values()), 0)
        asked = np.array([0, 1, FIRST, 5 * FIRST, 99 * FIRST])
        assert waiting.waits(asked).tolist() == [place in slow for place in asked.tolist()]
