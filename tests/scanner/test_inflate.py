"""A packed text is what it was said to be, or none."""

import zlib

import pytest

from scanner.inflate import whole

TEXT = b"a line of text\n" * 50
PACKED = zlib.compress(TEXT)


def test_a_text_is_given_whatever_stands_behind_it():
    assert bytes(whole(PACKED + b"more", len(TEXT))) == TEXT
    assert whole(zlib.compress(b""), 0) == b""


@pytest.mark.parametrize(
    ("packed", "size"),
    [
        (PACKED, len(TEXT) - 1),
        (PACKED, len(TEXT) + 1),
        (PACKED[:20], len(TEXT)),
        (PACKED[:-6], len(TEXT)),
        (b"none", 4),
        (b"", 1),
        (PACKED[:10] + b"\xff" * 9 + PACKED[19:], len(TEXT)),
    ],
    ids=["longer", "shorter", "cut", "without-its-end", "none", "empty", "damaged"],
)
def test_what_is_damaged_or_of_another_length_is_none(packed, size):
    assert whole(packed, size) is None
