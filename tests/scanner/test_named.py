"""The name that a value is assigned to: found quickly, and as one pattern over all of it would."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.judging import _NAME, assigned

_PARTS = [
    *("a", "Z", "_", "9", ".", "-", "[", "]", '"', "'", "`", " ", "\t", "=", ">", ":", ",", "("),
    *("b", "r", "f", "@", "is", " is ", "/", "&", "\xe9", "key", "x" * 30, "=>", ":="),
]


@pytest.mark.parametrize(
    ("before", "name"),
    [
        ("api_key = ", "api_key"),
        ('{"api-key": "', "api-key"),
        ("the key is ", "key"),
        ("headers['X-Key'] => b'", "X-Key"),
        ("/v1/items/", ""),
        ("a" * 200 + "=", "a" * 81),
        ("x/" * 60 + "key=", "key"),
        ("", ""),
    ],
    ids=["plain", "json", "prose", "index", "path", "long", "behind a path", "nothing"],
)
def test_the_name_is_what_stands_before_the_value(before, name):
    piece = before.encode() + b"value"
    assert assigned(piece, (len(before), len(piece))) == name


@given(st.lists(st.sampled_from(_PARTS), max_size=40).map("".join))
def test_it_is_the_name_that_one_pattern_over_all_of_it_finds(before):
    head = before.encode("latin-1")[-120:]
    found = _NAME.search(head)
    wanted = found[1].decode("latin-1") if found else ""
    assert assigned(head + b"value", (len(head), len(head) + 5)) == wanted
