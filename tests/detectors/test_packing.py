"""What a batch changed, taken out of rows and put back into others."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from detectors import packing
from detectors.packing import CorruptError
from detectors.profile import VERSION, WORDS, blank, rows_of, words_of

CHANGES = st.lists(
    st.tuples(st.integers(0, 2), st.integers(0, WORDS - 1), st.integers(0, 2**64 - 1)), max_size=60
)


@given(st.lists(CHANGES, max_size=4))
def test_changes_put_onto_old_rows_give_the_new_ones(rounds):
    rows = words_of(blank(3)).copy()
    names, parts = ["a", "b", "ç"], []
    for changes in rounds:
        before = rows.copy()
        for row, word, value in changes:
            rows[row, word] = value
        parts.append(packing.changed(np.arange(3), before, rows_of(rows)))
    again = {name: blank(1) for name in names}
    if parts:
        delta = packing.unpack_changes(VERSION, packing.pack_changes(names, parts))
        for name, part in delta.parts():
            again[name] = delta.apply(part, again[name])
    assert [words_of(again[name])[0].tolist() for name in names] == rows.tolist()


def test_changes_of_another_version_or_damaged_are_refused():
    rows = blank(2)
    before = words_of(rows).copy()
    rows["events"] = 7
    data = packing.pack_changes(["a", "b"], [packing.changed(np.arange(2), before, rows)])
    with pytest.raises(CorruptError):
        packing.unpack_changes(VERSION + 1, data)
    with pytest.raises(CorruptError):
        packing.unpack_changes(VERSION, data[:-2] + b"xx")
    with pytest.raises(CorruptError):
        packing.unpack_changes(VERSION, data[:9])


def test_a_batch_that_changes_nothing_writes_nothing():
    assert packing.pack_changes([], []) == b""
