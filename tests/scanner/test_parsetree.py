"""What is read from a pattern itself: lengths, what it spells out, whether it stays in its line."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.addresses import is_address
from scanner.parsetree import literals, narrowest, parsed, spells, widest
from scanner.singleline import stays_within_line


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [
        ("abc", 3, 3),
        ("[a-z]{2,5}x?", 2, 6),
        ("(?:ab|cde)f", 3, 4),
        ("(?P<secret>a{3})(?=bc)", 3, 3),
        ("(?>ab|c)d", 2, 3),
        ("\\bé.[^x]", 3, 4),
    ],
)
def test_how_short_and_how_long_a_match_may_be(pattern, least, most):
    nodes = list(parsed(pattern))
    assert sum(map(narrowest, nodes)) == least
    assert sum(map(widest, nodes)) == most


def test_what_repeats_without_end_has_no_greatest_length():
    assert sum(map(widest, parsed("a+"))) > 1_000_000
    assert sum(map(widest, parsed("(a)\\1"))) > 1_000_000


@pytest.mark.parametrize(
    ("pattern", "spelt"),
    [
        ("acme_[0-9a-f]{8}", ("acme_",)),
        ("(?i)acme_[0-9a-f]{8}", ()),
        ("x(?:acme_|other_)y", ("acme_", "other_")),
        ("ab[0-9]cd", ()),
        ("acme_[0-9]+_live", ("acme_", "_live")),
    ],
)
def test_what_a_pattern_spells_out(pattern, spelt):
    assert literals(pattern) == spelt
    assert not spelt or spells(pattern)


@pytest.mark.parametrize(
    ("pattern", "stays"),
    [
        ("key=[a-z]{8}", True),
        ("key=(?:a|b)(?P<secret>.{8})x", True),
        ("key=(?:a|\\n)x", False),
        ("key\\s*=x", False),
        ("key[^=]x", False),
        ("key[^=\\n]x", True),
        ("key(?P<secret>[\\x00-\\x20]{8})x", False),
        ("(?:key[\\s]){2}x", False),
        ("key(?=\\n)x", False),
        ("(?<!\\s)key", False),
        ("(?<=[\"'])key(?!=)x", True),
        ("\\nkey", False),
        ("key\\s", True),
    ],
)
def test_whether_a_match_stays_within_its_line(pattern, stays):
    assert stays_within_line(pattern) is stays


@given(st.from_regex("k=[a-z]{2}(?:x|[0-9]y)?z", fullmatch=True))
def test_a_pattern_that_stays_within_its_line_matches_no_line_feed(text):
    assert stays_within_line("k=[a-z]{2}(?:x|[0-9]y)?z")
    assert "\n" not in re.match("k=[a-z]{2}(?:x|[0-9]y)?z", text)[0]


@pytest.mark.parametrize(
    ("pattern", "holds"),
    [
        ("db://(?:[a-z]{1,8}|[0-9]{2,8}):[a-z]{4,9}@", True),
        ("db://(?P<secret>(?i:[a-z]){3,8}):[a-z]{4,9}@", True),
        ("db://(?:[a-z]{1,8}| ):[a-z]{4,9}@", False),
        ("db://[^@]{1,8}:[a-z]{4,9}@", False),
        ("db://[a-z]{1,8}\\b:[a-z]{4,9}@", False),
        ("db://[a-z]{1,8}(?!x):[a-z]{4,9}@", True),
    ],
)
def test_addresses_with_groups_and_branches_are_told(pattern, holds):
    assert is_address(pattern) is holds
