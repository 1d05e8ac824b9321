"""Objects of a pack come bases first, the smallest branch first, and take little room to order."""

import tracemalloc
from pathlib import Path

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from scanner.sources.packfile import BLOB, TREE, Pack
from scanner.sources.versions import families, needed


def pack_of(bases, stored, kinds=None):
    count = len(bases)
    ends = np.cumsum(np.array(stored, np.int64)) + 12
    return Pack(
        path=Path("none"),
        names=np.zeros((count, 20), np.uint8),
        kinds=np.array(kinds or [BLOB] * count, np.uint8),
        sizes=np.zeros(count, np.int64),
        begins=np.append([12], ends[:-1]),
        ends=ends,
        bases=np.array(bases, np.int64),
    )


@st.composite
def forests(draw):
    """Rows, each a difference to one that was drawn before it, in any order in the pack."""
    count = draw(st.integers(1, 30))
    above = [draw(st.integers(-1, number - 1)) for number in range(count)]
    at = draw(st.permutations(range(count)))
    bases = [0] * count
    for number, base in enumerate(above):
        bases[at[number]] = at[base] if base >= 0 else -1
    stored = draw(st.lists(st.integers(1, 9), min_size=count, max_size=count))
    wanted = draw(st.lists(st.booleans(), min_size=count, max_size=count))
    return bases, stored, wanted


def by_hand(bases, stored, needed):
    heirs = {row: [heir for heir in sorted(needed) if bases[heir] == row] for row in needed}

    def weight(row):
        return stored[row] + sum(map(weight, heirs[row]))

    def below(row):
        return [row, *(r for heir in sorted(heirs[row], key=weight) for r in below(heir))]

    return [below(row) for row in sorted(needed) if bases[row] < 0], heirs


@given(forests(), st.integers(1, 40))
def test_families_come_as_they_do_one_by_one(forest, size):
    bases, stored, wanted = forest
    needed = {row for row, one in enumerate(wanted) if one}
    for row in list(needed):
        while (row := bases[row]) >= 0:
            needed.add(row)
    found = families(pack_of(bases, stored), np.array(wanted))
    groups, heirs = by_hand(bases, stored, needed)
    order = [row for group in groups for row in group]
    assert found.order.tolist() == order
    assert found.heirs.tolist() == [len(heirs[row]) for row in order]
    assert found.ends.tolist() == np.cumsum([len(group) for group in groups]).tolist()
    assert found.stored == sum(stored[row] for row in order)
    parts = found.parts(size)
    assert [row for begin, end in parts for row in order[begin:end]] == order
    for begin, end in parts:
        assert end in found.ends
        assert found.stored_in(begin, end) == sum(stored[row] for row in order[begin:end])
    assert all(found.stored_in(*part) >= size for part in parts[:-1])


@given(forests())
def test_a_pack_of_what_is_needed_alone_is_ordered_as_the_whole(forest):
    bases, stored, wanted = forest
    pack, asked = pack_of(bases, stored), np.array(wanted)
    rows = needed(pack, asked)
    whole, some = families(pack, asked), families(narrow := pack.narrowed(rows), asked[rows])
    assert rows[some.order].tolist() == whole.order.tolist()
    for column in ("heirs", "ends", "reached"):
        assert getattr(some, column).tolist() == getattr(whole, column).tolist()
    assert narrow.begins.tolist() == pack.begins[rows].tolist()
    above = narrow.bases >= 0
    assert rows[narrow.bases[above]].tolist() == pack.bases[rows][above].tolist()
    assert (pack.bases[rows][~above] == -1).all()


def test_a_chain_of_any_length_is_ordered():
    count = 6000
    found = families(pack_of([-1, *range(count - 1)], [1] * count), np.arange(count) == count - 1)
    assert found.order.tolist() == list(range(count))


def test_trees_are_left_out():
    found = families(pack_of([-1, -1, 0], [1] * 3, [TREE, BLOB, TREE]), np.ones(3, np.bool_))
    assert found.order.tolist() == [1]


def test_to_order_many_objects_takes_columns_and_no_more():
    count = 100_000
    bases = np.where(np.arange(count) % 8 == 0, -1, np.arange(count) - 1)
    pack, wanted = pack_of(bases, np.ones(count)), np.ones(count, np.bool_)
    tracemalloc.start()
    try:
        found = families(pack, wanted)
        held, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(found.order) == count
    assert held <= 40 * count
    assert peak < 160 * count
