"""Counts in windows, effective time and running maxima against slow, obvious models."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from detectors import clocks, windows
from detectors.profile import TENS, blank

STEPS = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 9), st.booleans()), min_size=1)


@given(steps=STEPS, split=st.integers(0, 100))
def test_counts_are_those_of_a_list_of_all_events(steps, split):
    cut = min(split, len(steps))
    ring, head = np.zeros((3, 6), np.int64), np.zeros(3, np.int64)
    time, past = [0, 0, 0], [[], [], []]
    for part in (steps[:cut], steps[cut:]):
        rows = sorted(range(len(part)), key=lambda i: part[i][0])
        used = sorted({part[i][0] for i in rows})
        row, bucket, weight, expected = [], [], [], []
        for i in rows:
            key, gap, counts = part[i]
            time[key] += gap
            past[key] += [time[key]] * counts
            row.append(used.index(key))
            bucket.append(time[key])
            weight.append(int(counts))
            expected.append([sum(time[key] - w < t for t in past[key]) for w in (1, 4, 6)])
        if part:
            counted = windows.count(
                np.array(row, np.int32), np.array(bucket), np.array(weight), ring[used],
                head[used], (1, 4, 6),
            )  # fmt: skip
            assert np.stack(counted.counts, axis=1).tolist() == expected
            ring[used], head[used] = counted.ring, [time[key] for key in used]


@given(steps=STEPS)
def test_flagged_events_are_counted_as_all_events_are_and_rings_move_on_alike(steps):
    rows, time = blank(3), [1, 1, 1]
    rings, heads = np.zeros((3, TENS), np.int64), np.zeros(3, np.int64)
    for key, gap, flag in steps:
        time[key] += gap
        row, now, one = np.zeros(1, np.int32), np.array([time[key]]), slice(key, key + 1)
        counted = windows.count(
            row, now, np.array([int(flag)]), rings[one], heads[one], (TENS,)
        )  # fmt: skip
        found = windows.flagged(rows[one], "steps", row, now, np.array([flag]), 1000, TENS)
        assert found.tolist() == counted.counts[0].tolist()
        rings[key], heads[key] = counted.ring[0], time[key]
        rows["clock"][key] = time[key] * 1000
        assert (rows["steps"][key] == rings[key]).all() or not rings[key].any()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 100)), min_size=1))
def test_effective_time_is_the_running_maximum_of_each_key(events):
    events.sort(key=lambda event: event[0])
    used = sorted({key for key, _ in events})
    row = np.array([used.index(key) for key, _ in events], np.int32)
    clock = np.array([50] * len(used))
    found = clocks.effective(row, np.array([t for _, t in events]), clock, 10)
    now = dict.fromkeys(used, 50)
    for i, (key, t) in enumerate(events):
        now[key] = max(now[key], t)
        assert found.t[i] == now[key]
        assert found.late[i] == (t < now[key] - 10)


@given(st.lists(st.tuples(st.integers(0, 3), st.booleans()), min_size=1))
def test_running_index_is_the_last_mark_in_the_same_segment(events):
    events.sort(key=lambda event: event[0])
    row = np.array([key for key, _ in events], np.int32)
    marked = np.array([mark for _, mark in events])
    last = {}
    expected = []
    for i, (key, mark) in enumerate(events):
        last[key] = i if mark else last.get(key, -1)
        expected.append(last[key])
    assert clocks.running_index(row, marked).tolist() == expected
