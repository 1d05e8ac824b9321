"""Ids in one buffer are what a list of them is; a listing in pieces is what it is as a whole."""

import tracemalloc
from io import BytesIO

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.sources import ids
from scanner.sources.ids import KINDS, Ids, hexadecimal, lacking
from scanner.sources.plan import _planned

ALIKE = st.binary(min_size=12, max_size=12).map(lambda rest: bytes(8) + rest)
NAMES = st.lists((st.binary(min_size=20, max_size=20) | ALIKE).map(lambda raw: raw.hex().encode()))
BOUNDS = st.none() | st.integers(-12, 12)


def packed(names):
    return Ids(b"".join(name + b"\n" for name in names))


@given(NAMES, BOUNDS, BOUNDS, st.sampled_from([None, 1, 2, -1]))
def test_ids_are_what_a_list_of_them_is(names, begin, end, step):
    held = packed(names)
    assert list(held) == names
    assert len(held) == len(names)
    assert list(held[begin:end:step]) == names[begin:end:step]
    assert [held[at] for at in range(-len(names), len(names))] == names * 2
    assert hexadecimal(held) == hexadecimal(names)
    with pytest.raises(IndexError):
        held[len(names)]


@given(NAMES, NAMES, st.integers(1, 9))
def test_what_is_lacking_is_told_of_few_ids_as_of_many(names, others, few):
    asked = {*names[::2], *others, b"0" * 64}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ids, "_FEW", few)
        assert lacking(packed(names))(asked) == asked - set(names)


def listing(count):
    kinds = KINDS
    return b"".join(
        b"%040x %s %d\n" % (number * 7919, kinds[number % 4].encode(), number)
        for number in range(count)
    )


@pytest.mark.parametrize("long", [0, 1 << 30], ids=["columns", "words"])
@pytest.mark.parametrize("size", [1, 50, 1000, 1 << 20])
def test_a_listing_in_pieces_is_what_it_is_as_a_whole(monkeypatch, size, long):
    monkeypatch.setattr("scanner.sources.plan._LISTED", size)
    monkeypatch.setattr("scanner.sources.plan._LONG", long)
    said = listing(40)
    cut = said.replace(b" blob 0\n", b" missing\n", 1) + b"what is this\n" + b"ab" * 20
    plan = _planned(BytesIO(cut))
    names = [line.split()[0] for line in said.splitlines() if b" tree " not in line][1:]
    assert list(plan.names) == names
    assert plan.counts == {"blob": 9, "commit": 10, "tag": 10, "tree": 10}
    assert plan.sizes["commit"] == sum(range(1, 40, 4))
    assert plan.broken == (b"0" * 40 + b" missing", b"what is this", b"ab" * 20)
    assert plan.commits().split() == names[::3]
    assert plan.kinds({names[1], names[2]}) == {names[1]: "tag", names[2]: "blob"}


SPELLED = st.tuples(
    st.sampled_from([b"ab" * 20, b"cd" * 20, b"12" * 32, b"a b", b"", b"\xff"]),
    st.sampled_from(
        [*(kind.encode() for kind in KINDS), b"tags", b"tre", b"blob ", b"missing", b""]
    ),
    st.sampled_from([b"0", b"17", b"1" * 18, b"9" * 21, b"-1", b"1x", b"", b" 1"]),
).map(b" ".join)


@given(st.lists(SPELLED | st.binary(max_size=9), min_size=1, max_size=9))
def test_in_columns_a_listing_says_what_it_says_word_by_word(spelled):
    said = b"\n".join(spelled) + b"\n"
    plans = []
    for long in (0, 1 << 30):
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr("scanner.sources.plan._LONG", long)
            plans.append(_planned(BytesIO(said)))
    assert list(plans[0].names) == list(plans[1].names)
    assert msgspec.structs.replace(plans[0], names=()) == msgspec.structs.replace(
        plans[1], names=()
    )


def test_a_listing_of_many_objects_takes_little_more_than_their_ids():
    count = 100_000
    stream = BytesIO(listing(count))
    tracemalloc.start()
    try:
        plan = _planned(stream)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(plan.names) == count * 3 / 4
    assert peak < 12 << 20  # three quarters of them at 41 bytes, twice for a moment, and a piece
