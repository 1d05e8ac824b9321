"""Rows in plots: each is what was put there last, wherever it lies."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors import plots
from detectors.profile import WORDS

STEPS = st.lists(st.tuples(st.integers(0, 9), st.randoms(use_true_random=False)), max_size=12)


@given(steps=STEPS)
def test_rows_are_what_was_put_there_last_and_no_two_share_a_place(steps):
    first, plots.FIRST = plots.FIRST, 4
    try:
        kept, expected, stamp = plots.Plots(), {}, 0
        for count, random in steps:
            new = kept.more(count).tolist()
            assert not set(new) & set(expected)
            assert 0 not in new
            changed = random.sample([*expected, *new], len(new) + len(expected) // 2)
            changed += [at for at in new if at not in changed]
            values = np.arange(stamp, stamp + len(changed), dtype=np.uint64)
            kept.put(np.array(changed, np.int64), np.repeat(values[:, None], WORDS, axis=1))
            expected |= zip(changed, values.tolist(), strict=True)
            stamp += len(changed)
            for order in (sorted(expected), random.sample(list(expected), len(expected))):
                found = kept.taken(np.array(order, np.int64))
                assert found[:, 0].tolist() == [expected[at] for at in order]
                assert (found == found[:, :1]).all()
            assert [int(kept.one(at)[-1]) for at in expected] == list(expected.values())
            gone = random.sample(list(expected), len(expected) // 4)
            kept.free(np.array(gone, np.int64))
            for at in gone:
                del expected[at]
    finally:
        plots.FIRST = first
