"""What hyperscan is given of a pattern to look for first."""

import re

import pytest

from scanner.automaton import database_of
from scanner.prefilter import needles


def met(patterns, text):
    """Return the patterns that hyperscan meets in a text."""
    found = set()
    database_of(patterns).scan(text.encode(), match_event_handler=lambda n, *_: found.add(n))
    return {patterns[number] for number in found}


def test_a_long_literal_is_told_by_its_first_eight_bytes():
    (needle,) = needles("ansible_password=[0-9]{4}")
    assert re.search(needle, "ansible_password=1234")
    assert re.search(needle, "ansible_qassword=1234")
    assert not re.search(needle, "ansible_rassword=1234 ansible_pasword=1234")
    assert not re.search(needle, "answer=password=1234")


@pytest.mark.parametrize("literal", ["password", "key", "(?i:Password)", "p[a4]ssword="])
def test_a_short_literal_stays_as_it_is(literal):
    (needle,) = needles(literal)
    assert re.search(needle, "My Password = password=key")
    assert not re.search(needle, "qassword qessword kez passwore")


def test_a_choice_of_short_literals_is_looked_for_one_by_one():
    patterns = needles(r"(?:^|\W)(?P<secret>(?:AC|SK|CA)[0-9a-f]{8})\b")
    assert len(patterns) == 3
    assert len(met(patterns, "SK01234567 CA012345")) == 1
    assert len(met(patterns, "SK01234567 CA01234567 AC89abcdef")) == 3


@pytest.mark.parametrize(
    "pattern", ["(?:ACME|SK)[0-9]{8}", "(?:A|B)?x[0-9]{8}", "(?:[ab]|SK)[0-9]{8}"]
)
def test_another_choice_stays_one_pattern(pattern):
    assert len(needles(pattern)) == 1


def test_what_begins_a_line_and_spells_nothing_is_looked_for_where_lines_begin():
    patterns = needles("^[0-9a-f]{8}$")
    for text in ("0123abcd", "0123abcd\n", "key:\n0123abcd\n"):
        assert met(patterns, text), text
    for text in ("0123abcde", "f: 0123abcd", "x\n 0123abcd"):
        assert not met(patterns, text), text
