"""What a rule lets pass, what it asks to stand near, and where it looks."""

import pytest

from scanner import ScanOptions, scan
from scanner.rule import parse_file
from scanner.rules import load_rules
from vocabulary.errors import ConfigError

RULE = r"""
provider = "acme"

[[rule]]
id = "acme-key"
name = "Acme key"
confidence = "high"
keywords = ["acme_"]
pattern = '\b(?P<secret>acme_[0-9a-z]{12})\b'
"""
SHIPPED = tuple(rule.id for rule in load_rules().rules)
"""Left out: to compile them anew with each variant of one rule takes long."""


def _every(more):
    return f"[[rule.allow]]\nevery = true\npaths = ['b']\n{more}"


_CODE = [("a.py", 1), ("a.py", 2)]
FIRST, SECOND = "acme_" + "k3j5h2g8f1d0", "acme_" + "test7h2g8f1q"


def found(tmp_path, more, files, extra=""):
    rules = tmp_path / "rules.toml"
    rules.write_text(RULE + more + extra)
    tree = tmp_path / "tree"
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    report = scan(tree, ScanOptions(rules=(rules,), disabled=SHIPPED, cache=False))
    return sorted(
        (place.path, place.line)
        for finding in report
        if finding.rule == "acme-key"
        for place in finding.places
    )


@pytest.mark.parametrize(
    ("allow", "left"),
    [
        ("words = ['test']", [("a.py", 1)]),
        ("patterns = ['^acme_k']", [("a.py", 2)]),
        ("target = 'match'\npatterns = ['acme_test']", [("a.py", 1)]),
        ("target = 'line'\npatterns = ['of a friend']", [("a.py", 1)]),
        ("words = ['nothing']\npatterns = ['nothing']", [("a.py", 1), ("a.py", 2)]),
        ("every = true\nwords = ['test']\npatterns = ['nothing']", [("a.py", 1), ("a.py", 2)]),
        ("every = true\nwords = ['test']\npatterns = ['h2g8']", [("a.py", 1)]),
    ],
)
def test_values_are_let_pass_by_what_they_hold(allow, left, tmp_path):
    text = f"one = {FIRST}\ntwo = {SECOND} of a friend\n"
    assert found(tmp_path, f"[[rule.allow]]\n{allow}\n", {"a.py": text}) == left


@pytest.mark.parametrize(
    ("allow", "left"),
    [
        ("paths = ['^docs/']", _CODE),
        ("every = true\npaths = ['^docs/']\nwords = ['test']", [*_CODE, ("docs/a.md", 1)]),
        ("commits = ['0123abc']", [*_CODE, ("docs/a.md", 1), ("docs/a.md", 2)]),
    ],
)  # fmt: skip
def test_places_are_let_pass_one_by_one(allow, left, tmp_path):
    text = f"one = {FIRST}\ntwo = {SECOND}\n"
    files = {"a.py": text, "docs/a.md": text}
    assert found(tmp_path, f"[[rule.allow]]\n{allow}\n", files) == left


def test_a_commit_is_let_pass_and_the_next_is_not(repo, tmp_path):
    rules = tmp_path / "rules.toml"
    first = repo.commit("a.txt", FIRST)
    repo.commit("b.txt", SECOND)
    rules.write_text(RULE + f"[[rule.allow]]\ncommits = ['{first[:12]}']\n")
    report = scan(repo.path, ScanOptions(rules=(rules,), disabled=SHIPPED, cache=False))
    assert [finding.path for finding in report] == ["b.txt"]


def test_a_path_narrows_a_rule_and_hides_no_other(tmp_path):
    narrow = RULE.replace("keywords", "path = '[.]env$'\nkeywords")
    rules = tmp_path / "rules.toml"
    wide = RULE[RULE.index("[[rule]]") :].replace("acme-key", "acme-wide")
    rules.write_text(narrow + wide)
    (tmp_path / "tree").mkdir()
    for name in ("a.py", ".env"):
        (tmp_path / "tree" / name).write_text(f"key = {FIRST}\n")
    options = ScanOptions(rules=(rules,), disabled=SHIPPED, cache=False)
    (found,) = scan(tmp_path / "tree", options)
    assert {place.path for place in found.places} == {"a.py", ".env"}


PAIR = r"""
[[rule]]
id = "acme-account"
name = "Acme account"
pattern = '\bACC-[0-9]{6}\b'

[[rule]]
id = "acme-pair"
name = "Acme secret beside its account"
confidence = "high"
keywords = ["secret"]
pattern = 'secret = (?P<secret>[0-9a-z]{20})\b'
requires = [{ rule = "acme-account", lines = 2 }]
"""


@pytest.mark.parametrize(("between", "paired"), [(0, True), (1, True), (2, False)])
def test_one_half_of_a_pair_must_stand_near_the_other(between, paired, tmp_path):
    rules, tree = tmp_path / "rules.toml", tmp_path / "tree"
    rules.write_text(RULE + PAIR)
    tree.mkdir()
    gap = "-\n" * between
    (tree / "a.txt").write_text(f"ACC-482913\n{gap}secret = {'k3j5h2g8f1d0' + 'q7w9e2r4'}\n")
    options = ScanOptions(rules=(rules,), disabled=SHIPPED, cache=False)
    rules_hit = {f.rule for f in scan(tree, options)}
    assert ("acme-pair" in rules_hit) == paired


@pytest.mark.parametrize("names", ['["*"]', '["acme-*"]'])
def test_a_file_lets_pass_for_rules_that_it_names(names, tmp_path):
    more = f"[[allow]]\nrules = {names}\nwords = ['test']\n"
    text = f"one = {FIRST}\ntwo = {SECOND}\n"
    assert found(tmp_path, more, {"a.py": text}) == [("a.py", 1)]


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ("[[rule.allow]]\ntarget = 'file'\npatterns = ['a']", "target"),
        ("[[rule.allow]]\nreason = 'none'", "needs patterns"),
        ("[[rule.allow]]\npatterns = ['(']", "does not compile"),
        ("[[rule.allow]]\nwords = ['Test']", "lower case"),
        ("[[rule.allow]]\nword = ['test']", "unknown field"),
        ("[[rule.requires]]\nlines = 1", "names a pattern or a rule"),
        ("[[rule.requires]]\npattern = 'a'\nlines = 1000", "100 lines"),
        ("[[rule.requires]]\npattern = '('", "does not compile"),
        (_every("patterns = ['a']\ntarget = 'line'"), "patterns are of the secret"),
    ],
)
def test_mistakes_are_said_with_file_and_line(more, said):
    with pytest.raises(ConfigError, match=said) as refused:
        parse_file(RULE + more + "\n", "acme.toml")
    assert "acme.toml:" in str(refused.value)


def test_only_what_is_compiled_asks_for_compiling_anew(tmp_path):
    def loaded(old="", new=""):
        file = tmp_path / "rules.toml"
        file.write_text(RULE.replace(old, new) if old else RULE)
        return load_rules([file])

    first = loaded()
    said = loaded('confidence = "high"', 'description = "Of Acme"\nexamples = ["x"]')
    assert said.digest != first.digest
    assert said.sought == first.sought
    assert loaded("{12}", "{13}").sought != first.sought
    assert loaded('"acme_"', '"acme"').sought != first.sought


def test_a_required_rule_that_is_not_there_is_said(tmp_path):
    more = '[[rule.requires]]\nrule = "acme-nothing"\n'
    with pytest.raises(ConfigError, match="acme-nothing"):
        found(tmp_path, more, {"a.py": FIRST})


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"high"', '"hihg"', "did you mean"),
        ('name = "Acme key"', 'name = "Acme key"\nseverity = "huge"', "severity of `acme-key`"),
        ('"acme-key"', '"Acme key!"', "is no rule id"),
    ],
)
def test_what_a_rule_may_not_say_is_said_with_its_line(old, new, said):
    with pytest.raises(ConfigError, match=f"(?i){said}") as refused:
        parse_file(RULE.replace(old, new), "acme.toml")
    assert "acme.toml:" in str(refused.value)


@pytest.mark.parametrize(
    ("text", "disabled", "said"),
    [
        (RULE + RULE[RULE.index("[[rule]]") :], (), "two rules `acme-key`"),
        ('provider = "acme"\n', (), "neither a rule nor an `allow`"),
        (RULE, ("acme-kye",), "no rule `acme-kye` to disable"),
    ],
)
def test_files_of_rules_that_cannot_be_meant_are_refused(text, disabled, said, tmp_path):
    file = tmp_path / "rules.toml"
    file.write_text(text)
    with pytest.raises(ConfigError, match=said):
        load_rules([file], disabled=disabled)


def test_rules_that_are_not_utf_8_or_not_there_are_refused(tmp_path):
    file = tmp_path / "rules.toml"
    file.write_bytes(RULE.encode() + b"# \xff\n")
    with pytest.raises(ConfigError, match="not UTF-8"):
        load_rules([file])
    with pytest.raises(ConfigError, match="cannot read rules"):
        load_rules([tmp_path / "none.toml"])
