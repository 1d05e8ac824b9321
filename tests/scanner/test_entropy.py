"""How evenly characters are spread."""

from math import log2

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.entropy import shannon


@given(st.binary(max_size=200))
def test_entropy_is_none_of_one_character_and_no_more_than_as_many_give(text):
    kinds = len(set(text))
    assert 0.0 <= abs(shannon(text)) <= (log2(kinds) if kinds else 0.0) + 1e-9
    assert (abs(shannon(text)) < 1e-9) == (kinds <= 1)
    assert shannon(text[::-1]) == pytest.approx(shannon(text))


@pytest.mark.parametrize(
    ("text", "bits"), [(b"", 0.0), (b"aaaa", 0.0), (b"aabb", 1.0), (b"abcd", 2.0)]
)
def test_entropy_is_told_in_bits_a_character(text, bits):
    assert abs(shannon(text)) == bits
