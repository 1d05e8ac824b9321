"""The check of the rules sees what is wrong, and the command says it."""

import json

import pytest
from msgspec.structs import replace

from keywatch.cli import run
from scanner.backtrack import ways
from scanner.batch import batch_of
from scanner.engine import engine_of
from scanner.generators import expand
from scanner.rule import RUNAWAY, parse_file
from scanner.rulecheck import explained, problems
from scanner.rulecost import cost, standard_text
from scanner.rules import RuleSet, load_rules
from tests.rulecache import seeded
from vocabulary.errors import ConfigError

GOOD = r"""
provider = "acme"
about = "Acme: anvils"
references = ["https://acme.example/docs"]
revoke = "https://acme.example/keys"

[[rule]]
id = "acme-key"
name = "Acme key"
description = "Acme key. Whoever holds it can order anvils."
severity = "high"
confidence = "high"
keywords = ["acme_"]
pattern = '\b(?P<secret>acme_[0-9a-f]{32})\b'
entropy = 3.0
access = "Order anvils"
tags = ["commerce"]
examples = ["ACME_KEY=acme_{hex:32}", "key: acme_{hex:32}", "f('acme_{hex:32}')"]
negatives = ["ACME_KEY=acme_{repeat:0:32}", "acme_key"]
"""


def wrongs(text):
    rules = parse_file(text, "acme.toml").rule
    engine = engine_of(RuleSet(rules, "test-" + str(abs(hash(text)))))
    return [problem.what for problem in problems(rules, engine)]


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    return seeded(tmp_path_factory.mktemp("compiled"))


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch, compiled):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_a_right_rule_has_no_problem():
    assert wrongs(GOOD) == []


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (('id = "acme-key"', 'id = "other-key"'), "does not start with the provider"),
        (("\"f('acme_{hex:32}')\"", ""), "3 are needed"),
        (('"acme_key"]', '"x=acme_{hex:32}"]'), "negative 2 is found"),
        (('{hex:32}", "key', '{hex:31}", "key'), "the pattern does not match"),
        (('keywords = ["acme_"]', 'keywords = ["anvil"]'), "no keyword stands near"),
        (("[0-9a-f]{32})", "[0-9a-f]{32,})"), "matches without bound"),
        (("[0-9a-f]{32})", "(?:[0-9a-f]{1,32}){1,32})"), "ways at one place"),
        (("acme_[0-9a-f]{32})\\b", "[0-9a-f]{32})$"), "2 characters of any kind"),
        (("key: acme_{hex:32}", "key: acme_{nothing:32}"), "no generator"),
        (("entropy = 3.0", 'checksum = "nothing"'), "no checksum is called"),
        (("entropy = 3.0", 'checksum = "github"'), "of low confidence, its checksum is invalid"),
        (('tags = ["commerce"]', "tags = []"), "tags is missing"),
        ((', "acme_key"]', "]"), "2 are needed"),
        (('keywords = ["acme_"]', 'keywords = ["ACME_"]'), "must be lower case"),
        (('keywords = ["acme_"]', 'keywords = ["acme_", "bolt"]'), "nor an example holds: bolt"),
        (('"ACME_KEY=acme_{hex:32}"', '"ACME_KEY=acme_{repeat:0:32}"'), "turned away by entropy"),
    ],
)
def test_what_is_wrong_is_said(change, said):
    if "nothing" in change[1] and "checksum" in change[1]:
        with pytest.raises(ConfigError, match=said):
            wrongs(GOOD.replace(*change))
        return
    assert any(said in what for what in wrongs(GOOD.replace(*change)))


def test_a_rule_that_stands_twice_is_named_and_the_users_need_not_say_all_of_theirs():
    rule = parse_file(GOOD.replace('tags = ["commerce"]', "tags = []"), "acme.toml").rule[0]
    engine = engine_of(RuleSet((rule,), "test-twice"))
    assert [one.what for one in problems([rule, rule], engine, complete=False)] == [
        "the id is used 2 times"
    ]


def test_a_shadowed_rule_is_named():
    second = (
        GOOD[GOOD.index("[[rule]]") :]
        .replace("acme-key", "acme-other")
        .replace(
            r"\b(?P<secret>acme_[0-9a-f]{32})\b",
            "(?P<secret>[a-z]{0,3}_key=acme_[0-9a-f]{32})|(?P<x>xyz)",
        )
    )
    assert "claimed by" not in " ".join(wrongs(GOOD))
    assert any("claimed by acme-" in what for what in wrongs(GOOD + second))


@pytest.mark.parametrize(
    ("pattern", "least", "most"),
    [
        ("abc", 1, 1),
        ("a{0,9}a{0,9}b", 100, 100),
        ("a{0,9}b{0,9}c", 10, 30),
        ("(?:a{0,9}){0,9}b", 1000, float("inf")),
        ("(?:a|ab){0,20}c", 10, float("inf")),
        (r"\w{0,20}key\w{0,20}=", 400, 500),
    ],
)
def test_the_bound_on_ways_follows_the_structure(pattern, least, most):
    assert least <= ways(pattern) <= most


@pytest.mark.parametrize(
    "pattern", ["(?P<secret>(?:a+)+)b", r"(?:\\w{1,20}[.-]?){1,20}=", "(?:[ab]*c?)*d"]
)
def test_a_pattern_of_the_users_that_would_never_end_is_refused_at_its_line(pattern, tmp_path):
    file = tmp_path / "acme.toml"
    file.write_text(
        f"provider = 'acme'\n\n[[rule]]\nid = \"acme-key\"\nname = 'key'\npattern = \"{pattern}\"\n"
    )
    with pytest.raises(ConfigError, match=r"acme\.toml:4: pattern of `acme-key` may be tried in"):
        load_rules([file])


@pytest.mark.parametrize(
    "pattern", [r"\w+[ \t]*=[ \t]*[^\s]+", r"(?:[a-z]+\.)+[a-z]+", ".*key.*=.*"]
)
def test_a_pattern_without_bounds_that_ends_is_not(pattern):
    assert ways(pattern) == float("inf")
    assert ways(pattern, 1 << 10) < RUNAWAY


def test_an_unknown_generator_is_refused_and_other_braces_stay():
    with pytest.raises(ConfigError, match="no generator"):
        expand("{nothing:3}", "seed")
    with pytest.raises(ConfigError, match="wrong argument"):
        expand("{hex:three}", "seed")
    assert expand("${HOME} {} {x}", "seed") == "${HOME} {} {x}"


def test_the_cost_counts_where_the_pattern_stops():
    rule = parse_file(GOOD, "acme.toml").rule[0]
    text = standard_text(20_000) + expand(rule.examples[0], "seed").encode() + b"\n"
    ticks = iter([0.0, 1.0])
    assert cost(rule, text, lambda: next(ticks)).hits == 1
    assert standard_text(1_000) == standard_text(1_000)


def test_it_is_explained_why_a_match_was_turned_away():
    rule = parse_file(GOOD, "acme.toml").rule[0]
    dull = ("key = acme_" + "0" * 32).encode()
    assert "too even" in next(explained(rule, dull, []))
    assert "nowhere" in next(explained(rule, b"nothing", []))
    filled = b"key = acme_{{ KEY }}"
    loose = replace(rule, pattern=r"acme_[{} A-Z0-9a-f]{8,40}", entropy=0.0)
    assert "a template" in next(explained(loose, filled, []))
    assert "no real one: " in next(explained(loose, dull, []))
    real = expand("\nkey = acme_{hex:32}", "seed").encode()
    assert "line 2: turned away: no keyword" in next(explained(rule, real, []))
    found = engine_of(RuleSet((rule,), "test-told")).searcher().search(batch_of(real))
    assert next(explained(rule, real, found)).endswith("line 2: found")
    other = replace(rule, id="acme-other")
    assert "claimed by acme-key, which is stronger" in next(explained(other, real, found))


def test_the_command_lists_shows_and_tries(capsys, tmp_path, compiled, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(compiled))
    assert run(["rules", "list", "--provider", "github", "--json"]) == 0
    listed = json.loads(capsys.readouterr().out)
    assert {rule["provider"] for rule in listed} == {"github"}
    assert run(["rules", "show", "github-personal-access-token"]) == 0
    assert "ghp_" in capsys.readouterr().out
    assert run(["rules", "show", "github-personal-acess-token"]) == 2
    file = tmp_path / "settings.py"
    secret = expand("ghp_{base62:30}{checksum:github}", "seed")
    file.write_text(f"TOKEN = '{secret}'\n")
    assert run(["rules", "test", str(file), "--json"]) == 1
    printed = capsys.readouterr().out
    assert json.loads(printed)[0]["rule"] == "github-personal-access-token"
    assert secret not in printed


def test_the_command_checks_a_file_of_the_user(capsys, tmp_path, compiled, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(compiled))
    file = tmp_path / "acme.toml"
    file.write_text(GOOD)
    assert run(["rules", "check", "--no-cost", str(file)]) == 0
    assert "1 rules, 5 examples, 0 problems" in capsys.readouterr().out
    file.write_text(GOOD.replace('{hex:32}"', '{hex:30}"'))
    assert run(["rules", "check", "--no-cost", str(file)]) == 1
