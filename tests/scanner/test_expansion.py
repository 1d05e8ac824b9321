"""Patterns that would become too large an automaton are looked for more loosely, never left out."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.automaton import database_of
from scanner.engine import engine_of
from scanner.expansion import MOST, small, states
from scanner.parsetree import parsed
from scanner.prefilter import loosened, written
from scanner.rules import Rule, RuleSet, load_rules

LARGE = [
    "key=(?:(?:[a-f]{1,100}-){1,100}[0-9]{1,50};){1,100}",
    "(?:(?:ab{0,90}c){9,90}|x(?:yz){700})end",
    "key(?:[a-z]{2,40}[._]){60,}x",
    "(?i)(?:(?P<secret>(?:k[0-9]{1,64}){64}))",
    "key=" + "[a-z]{1,250}-" * 40,
    "(?i:api)(?:[a-z]{400}|[0-9a-f]{300}x){9}",
]


@pytest.mark.parametrize("pattern", LARGE)
def test_what_is_too_large_is_made_small(pattern):
    nodes = list(parsed(pattern))
    assert states(nodes) > MOST
    assert states(small(nodes)) <= MOST
    database_of([loosened(pattern)])


@pytest.mark.parametrize(
    ("pattern", "texts"),
    [
        ("key=(?>[a-f]{2}|x)[0-9]", ["key=ab1", "key=x2"]),
        ("(?>[a-z]{1,200}-){1,200}end", ["ab-c-end"]),
        ("(['\"])acme[0-9]{3}\\1", ["'acme123'"]),
        ("(a)?key(?(1)x|y)", ["akeyx", "keyy"]),
        ("clé=[0-9]{3}", ["clé=123"]),
    ],
)
def test_what_only_re_can_say_is_looked_for_all_the_same(pattern, texts):
    database = database_of([loosened(pattern)])
    for text in texts:
        assert re.search(pattern, text)
        met = []
        database.scan(text.encode(), match_event_handler=lambda *hit, met=met: met.append(hit))
        assert met, text


def test_what_is_small_stays_as_it_is():
    for rule in load_rules().rules:
        nodes = list(parsed(rule.pattern))
        assert small(nodes) == nodes, rule.id


def test_states_are_characters_as_often_as_they_are_written_out():
    assert states(list(parsed("ab{2,5}(?:c|[de]f){3}g*$"))) == 1 + 5 + 9 + 1


ATOM = st.sampled_from(["a", "b", "[ab]", "-", "[^a]"])


def nested(inner):
    count = st.tuples(st.integers(0, 4), st.integers(0, 4)).map(
        lambda both: f"{{{both[0]},{both[0] + both[1]}}}"
    )
    return st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda both: f"(?:{both[0]}|{both[1]})"),
        st.tuples(inner, count).map(lambda both: f"(?:{both[0]}){both[1]}"),
    )


@given(st.recursive(ATOM, nested, max_leaves=8), st.text("ab-", max_size=30), st.integers(1, 40))
def test_the_small_pattern_ends_within_every_match(pattern, text, most):
    tree = parsed(pattern)
    loose = re.compile(written(small(list(tree), most), tree))
    for match in re.compile(pattern).finditer(text):
        assert loose.fullmatch(match[0])


def test_a_rule_with_such_a_pattern_finds_what_it_says():
    rule = Rule(
        id="acme-key", provider="acme", name="key", keywords=("acme",),
        pattern="acme=(?P<secret>(?:(?:[a-f]{1,40}-){1,40}[0-9]{1,50};){2,40})",
    )  # fmt: skip
    engine = engine_of(RuleSet((rule,), "large"), cached=False)
    parts = [b"fade-bead-4711;", b"cafe-0815;"]
    (match,) = engine.search(b"x acme=%b%b acme=fade-4711;\n" % (*parts,))
    assert match.secret == b"".join(parts)
