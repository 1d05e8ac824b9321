"""A match that only its own object opens again."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.candidate import Candidate
from scanner.match import Match
from scanner.rules import load_rules
from scanner.score import Score
from scanner.sealing import MOST, key_of, opened, sealed
from vocabulary.finding import Confidence

RULES = {rule.id: rule for rule in load_rules().rules[:2]}
RULE = next(iter(RULES.values()))
KEY = key_of(b"the object")


def match(secret=b"s", inside="", candidate=None, scores=None):
    return Match(
        rule=RULE, secret=secret, item="ab" * 20, start=3, end=9, line=1, column=4, end_line=2,
        confidence=Confidence.LOW, decoding=("zip", "base64"), notes=("a note",), inside=inside,
        reasons=("why",), candidate=candidate, scores=scores or {},
    )  # fmt: skip


@given(st.binary(max_size=300), st.text(max_size=50), st.text(max_size=50))
def test_a_match_comes_back_whole_under_its_object(secret, inside, value):
    candidate = Candidate("assignment", "name", value, '"', "before", "after")
    scores = {inside: Score(Confidence.HIGH, 0.75, ("why",))}
    one = match(secret, inside, candidate, scores)
    closed = sealed(one, KEY)
    assert opened(closed, one.item, KEY, RULES) == one


def test_no_two_matches_are_enciphered_alike():
    one = match(b"correct horse battery staple")
    several = {sealed(one, KEY) for _ in range(20)}
    assert len(several) == 20
    for closed in several:
        assert one.secret not in closed
        assert RULE.id.encode() not in closed


@given(st.data())
def test_what_was_changed_does_not_open(data):
    closed = bytearray(sealed(match(b"abc"), KEY))
    at = data.draw(st.integers(0, len(closed) - 1))
    closed[at] ^= data.draw(st.integers(1, 255))
    assert opened(bytes(closed), "ab" * 20, KEY, RULES) is None
    assert opened(bytes(closed[:at]), "ab" * 20, KEY, RULES) is None


def test_another_object_does_not_open_it():
    assert opened(sealed(match(), KEY), "ab" * 20, key_of(b"another object"), RULES) is None


def test_a_rule_that_is_gone_has_no_match():
    assert opened(sealed(match(), KEY), "ab" * 20, KEY, {}) is None


@pytest.mark.parametrize("one", [match(b"s" * MOST), match(inside="\udc80")], ids=["long", "name"])
def test_what_cannot_be_kept_is_not(one):
    assert sealed(one, KEY) is None
