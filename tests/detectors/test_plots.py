"""Rows in plots: each is what was put there last, wherever it lies."""

import mmap
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import plots
from detectors.profile import WORD, WORDS

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


def resident_bytes():
    return int(Path("/proc/self/statm").read_text().split()[1]) * mmap.PAGESIZE


@pytest.mark.skipif(not Path("/proc/self/statm").exists(), reason="Linux tells what is resident")
def test_rows_that_are_made_anew_take_no_more_memory_than_they_fill():
    before = resident_bytes()
    for _ in range(4):  # as a watch does that goes on from its last commit
        kept = plots.Plots()
        kept.put(kept.more(1), np.ones((1, WORDS), np.uint64))
        assert resident_bytes() - before < plots.FIRST * WORDS * WORD / 2
        del kept
