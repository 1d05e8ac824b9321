"""What a pattern may open with never hides a match that looking everywhere finds."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.bounds import bounds_of
from scanner.confirm import _OFTEN, Confirmer
from scanner.lazy import lazy
from scanner.opening import opening
from scanner.rulecheck import examples
from scanner.rules import load_rules

RULES = load_rules().rules


def spans(rule, text):
    confirmer = Confirmer(rule, {}, bounds_of(rule))
    confirmer._tried = _OFTEN - 1
    return [match.span() for match in confirmer._matches(text, 0, len(text))]


def test_every_rule_matches_where_a_plain_search_matches():
    for rule in RULES:
        text = " é \n".join(examples(rule)).encode()
        plain = [found.span() for found in re.finditer(rule.pattern.encode(), text, re.MULTILINE)]
        assert plain, rule.id
        assert spans(rule, text) == plain, rule.id


PARTS = r"a [bc] (?:ab|c|) (?i:ab) \w [^a] . b{0,2} a+? (?<=a) \b c? ^".split()
PARTS += r"(?>ab|c) b++ (?:a|B){9} (?!c)".split()


@given(
    st.lists(st.sampled_from(PARTS), min_size=1, max_size=6).map("".join),
    st.text("aAbBc\n", max_size=30).map(str.encode),
)
def test_whatever_matches_begins_with_the_opening(pattern, text):
    opens = opening(pattern.encode())
    for found in re.finditer(pattern.encode(), text, re.MULTILINE):
        if opens is not None and found.end() > found.start():
            assert opens.match(text, found.start())


def test_a_literal_beginning_needs_no_opening():
    assert opening(rb"ghp_[0-9A-Za-z]{36}") is None
    assert opening(rb"[^a].*") is None


@pytest.mark.parametrize("pattern", [rb"([ab])\1c", rb"(?:[ab]|[cd]|[ef]|[gh]|[ij]){4,8}x"])
def test_what_cannot_be_said_by_bytes_in_a_row_has_no_opening_or_one_that_holds(pattern):
    opens = opening(pattern)
    for text in (b"aac", b"acegacegx", b"bbc"):
        if opens is not None and re.match(pattern, text):
            assert opens.match(text)


def test_a_lazy_pattern_is_one_of_re():
    pattern = lazy(rb"A(b)", re.IGNORECASE)
    assert pattern.search(b"xaB")[1] == b"B"
    assert [found.span() for found in pattern.finditer(b"ab ab")] == [(0, 2), (3, 5)]
    with pytest.raises(AttributeError):
        _ = pattern.no_such_thing
