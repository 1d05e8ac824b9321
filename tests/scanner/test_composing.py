"""Rules of the user's beside the shipped ones find what all of them compiled anew would find."""

from base64 import b64encode
from functools import cache

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from scanner import compiling
from scanner.batch import batch_of
from scanner.compiled import compiled_of
from scanner.compiling import stored_of
from scanner.composing import composed
from scanner.confirm import Confirmer
from scanner.engine import Engine, engine_of
from scanner.grouping import families
from scanner.rulecheck import examples
from scanner.rules import Rule, RuleSet, load_rules
from tests.rulecache import seeded
from tests.scanner.secrets import github_token

ALONE = (
    "github-personal-access-token", "github-oauth-token", "npm-access-token", "generic-uuid",
    "generic-quoted-password", "generic-secret-argument", "jwt-token",
)  # fmt: skip
OWN = (
    Rule(
        id="acme-token", provider="acme", name="acme", keywords=("acme_",),
        pattern=r"\b(?P<secret>acme_[0-9a-f]{16})\b", examples=("key = acme_{hex:16}",),
    ),
    Rule(
        id="acme-pin", provider="acme", name="pin", keywords=("ghp_", "anvil"),
        pattern=r"(?P<secret>[0-9]{4}-[0-9]{4})", examples=("anvil: 4711-0815 ghp_",),
    ),
    Rule(
        id="acme-url", provider="acme", name="url", keywords=("anvil",),
        pattern=r"anvil://[\w.]{1,20}:(?P<secret>[\w.]{8,20})@[\w.]{1,40}",
        examples=("anvil://ada:{base62:12}@example.org",),
    ),
)  # fmt: skip


@cache
def shipped():
    """Return some of the shipped rules: each kind, and some of each family."""
    rules = load_rules().rules
    related = {number for family in families(rules) for number in family.numbers[:5]}
    return tuple(rule for number, rule in enumerate(rules) if rule.id in ALONE or number in related)


@cache
def corpus():
    """Return examples of all the rules: together, and each by itself and encoded."""
    texts = [text.encode() for rule in (*shipped(), *OWN) for text in examples(rule)]
    ways = (bytes, b64encode, lambda text: text.hex().encode(), lambda text: b64encode(b"?" + text))
    return [b"zq471108\n" + b"\n".join(texts), *(way(text) for text in texts for way in ways)]


def told(rules, stored):
    """Return all that is told of the corpus."""
    ready, memory = compiled_of(stored), {}
    confirmers = tuple(
        Confirmer(rule, memory, bounds) for rule, bounds in zip(rules, ready.bounds, strict=True)
    )
    searcher = Engine(RuleSet(rules, "test"), ready, confirmers).searcher()
    return [searcher.search(batch_of(text)) for text in corpus()]


@pytest.fixture(scope="module")
def stored():
    return stored_of(shipped())


@st.composite
def amended(draw):
    """Draw rules of which some are left out, some stand in the place of others, some are added."""
    left = draw(st.sets(st.sampled_from(range(len(shipped())))))
    rules = [rule for number, rule in enumerate(shipped()) if number not in left]
    for at in draw(st.sets(st.sampled_from(range(len(rules))), max_size=3)) if rules else ():
        other = draw(st.sampled_from((*shipped(), *OWN)))
        rules[at] = replace(rules[at], pattern=other.pattern, keywords=other.keywords)
    more = draw(st.lists(st.sampled_from((*shipped(), *OWN)), max_size=5))
    added = (replace(rule, id=f"own-{number}") for number, rule in enumerate(more))
    return (*rules, *added)


@settings(max_examples=4)  # each compiles all rules anew
@given(amended())
def test_findings_are_those_of_all_rules_compiled_anew(stored, rules):
    assert told(rules, composed(rules, shipped(), stored)) == told(rules, stored_of(rules))


def test_a_rule_that_hyperscan_refuses_is_tried_everywhere_beside_those_of_its_database(stored):
    rule = Rule(id="x-ahead", provider="x", name="ahead", pattern="(?=(?P<secret>zq[0-9]{6}))")
    made = composed((rule, *shipped()), shipped(), stored)
    assert made.everywhere == (0,)
    assert [bounds.exact for bounds in made.bounds[:2]] == [False, True]
    assert told((rule, *shipped()), made) == told((rule, *shipped()), stored_of((rule, *shipped())))


@pytest.fixture
def compiled_before(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(seeded(tmp_path / "cache")))


def test_the_shipped_rules_are_not_compiled_again(compiled_before, tmp_path, monkeypatch):
    def refused(rules):
        raise AssertionError(f"{len(rules)} rules compiled")

    monkeypatch.setattr(compiling, "stored_of", refused)
    file = tmp_path / "acme.toml"
    file.write_text(
        "provider = 'acme'\n[[rule]]\nid = 'acme-key'\nname = 'key'\nkeywords = ['acmekey-']\n"
        "pattern = 'acmekey-(?P<secret>[0-9a-f]{16})'\n"
    )
    text = f"acmekey-8c1f0b96d7e2a354 {github_token()}".encode()
    amended = engine_of(load_rules([file], ["github-personal-access-token"]))
    assert [match.rule.id for match in amended.search(text)] == ["acme-key"]
    assert [match.secret for match in engine_of(load_rules()).search(text)] == [text.split()[1]]


def test_a_few_of_the_shipped_rules_are_compiled_by_themselves(compiled_before):
    most = [rule.id for rule in load_rules().rules if rule.provider != "github"]
    few = engine_of(load_rules(disabled=most))
    assert [len(part.meanings) < 50 for part in few.patterns.parts] == [True]
    assert few.search(github_token().encode())
