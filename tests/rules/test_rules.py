"""One table over all rules: every example is found as its own rule, no counter-example is."""

import pytest

from keystore.scheme import KeyScheme
from scanner.bounds import bounds_of
from scanner.engine import engine_of
from scanner.generators import expand
from scanner.rulecheck import examples, problems
from scanner.rules import BUILTIN, load_rules
from vocabulary.errors import ConfigError

RULES = load_rules()
FILES = sorted(file.stem for file in BUILTIN.glob("*.toml"))


@pytest.fixture(scope="module")
def engine():
    return engine_of(RULES)


@pytest.mark.parametrize("provider", FILES)
def test_every_rule_of_the_file_is_right(provider, engine):
    rules = [rule for rule in RULES.rules if rule.provider == provider]
    assert rules, "the file is named after its provider"
    assert [f"{p.rule}: {p.what}" for p in problems(rules, engine)] == []


@pytest.mark.parametrize("kind", ["secret-assignment", "secret-line", "quoted-password"])
def test_what_is_met_most_is_read_by_the_line_and_lines_are_read_once(kind):
    """Else scans are a third slower."""
    (rule,) = (rule for rule in RULES.rules if rule.id == f"generic-{kind}")
    assert bounds_of(rule).lined


def test_rule_ids_are_unique():
    ids = [rule.id for rule in RULES.rules]
    assert len(ids) == len(set(ids))


def test_no_rule_file_holds_a_secret(engine):
    found = [
        f"{file.name}:{match.line}: {match.rule.id}"
        for file in BUILTIN.glob("*.toml")
        for match in engine.search(file.read_bytes(), file.name)
    ]
    assert found == []


def test_examples_are_the_same_on_every_run():
    rule = RULES.find("github-personal-access-token")
    assert examples(rule) == examples(rule)
    assert expand("{base62:20}", "one") != expand("{base62:20}", "two")


@pytest.mark.parametrize("environment", ["live", "test"])
@pytest.mark.parametrize("publishable", [False, True])
def test_the_keys_that_the_store_issues_are_found(environment, publishable, engine):
    key = KeyScheme().generate(environment, publishable=publishable)
    found = engine.search(f"ACME_KEY={key}\n".encode())
    kind = "publishable" if publishable else "secret"
    assert [(m.rule.id, m.checksum) for m in found] == [(f"keywatch-{kind}-key", "valid")]


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("acme.toml", "provider = 'acme'\n", "neither a rule nor an `allow`"),
        ("acme.yml", "rules: []\n", "no rule file"),
    ],
)
def test_rules_that_are_not_there_are_said_and_not_taken_for_none(tmp_path, name, text, said):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_rules([tmp_path])
