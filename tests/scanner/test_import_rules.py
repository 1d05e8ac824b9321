"""Rules of other scanners are taken over, work, and what is lost is said."""

import json
import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keywatch.cli import run
from scanner import ScanOptions, scan
from scanner.backtrack import ways
from scanner.foreignrules import read
from scanner.foreignrules.dialect import UntranslatableError, bounded, translated
from scanner.foreignrules.filters import parsed
from scanner.foreignrules.written import toml
from scanner.rule import MAX_LINES, parse_file
from scanner.rules import load_rules
from vocabulary.errors import ConfigError


@pytest.mark.parametrize(
    ("pattern", "found", "not_found"),
    [
        ("a(?i)b", "aB", "AB"),
        ("x(?i)b|c", "C", "Xb"),
        ("(x(?i)b)c", "xBc", "xBC"),
        ("(?i)a(?-i:b)c", "AbC", "ABc"),
        ("(?i)a(?-i)b", "Ab", "AB"),
        (r"ab\z", "ab", "abc"),
        ("(?<word>a+)-", "aa-", "bb-"),
        (r"\Qa.b\E", "a.b", "axb"),
        (r"\x{41}\x42", "AB", "ab"),
        ("[[:alpha:]_]{3}", "ab_", "ab1"),
        ("[^[:digit:]]x", "ax", "1x"),
        (r"\p{L}\pN", "a1", "11"),
        ("(?x) a b # both\n c [ d ]", "abcd", "a b c d"),
        (r"(?x) a\ b [\ ] c", "a b c", "abc"),
        ("(?xi) a (?: b | c )", "AC", "A C"),
        ("a(?#note)b", "ab", "a b"),
        ("[a[]b", "[b", "b"),
        ("[]a]b", "]b", "b"),
        ("(?s)a.b", "a\nb", "ab"),
        ("(?s:a.)b.c", "a\nb-c", "a\nb\nc"),
        (r"a\/b\-c", "a/b-c", "abc"),
    ],
)
def test_patterns_say_the_same_in_both_languages(pattern, found, not_found):
    made = re.compile(translated(pattern).encode())
    assert made.search(found.encode())
    assert not made.search(not_found.encode())


@pytest.mark.parametrize(
    "pattern", ["(?U)a+", "[a-z&&[^x]]", r"\p{Greek}", r"\C", "(?=a)", "(a", "a)", "[a", "a\\"]
)
def test_what_cannot_be_said_is_refused(pattern):
    with pytest.raises(UntranslatableError):
        translated(pattern)


@pytest.mark.parametrize(
    ("pattern", "secret", "value"),
    [
        ("key=(a+)-(b+)", None, b"aa"),
        ("key=(a+)-(b+)", 2, b"bb"),
        ("(?:key)=(?P<x>a+)-(?P<TOKEN>b+)", "TOKEN", b"bb"),
        ("key=a+-b+", None, b"key=aa-bb"),
    ],
)
def test_the_group_of_the_secret_is_kept(pattern, secret, value):
    found = re.search(translated(pattern, secret).encode(), b"key=aa-bb")
    assert (found["secret"] if "secret" in found.re.groupindex else found[0]) == value


@given(st.text(st.sampled_from("ab01.*+?{}()[]|\\^$:-,<>#PQE ixsm\n"), max_size=30))
def test_any_pattern_is_translated_within_bounds_or_refused(pattern):
    try:
        made, _ = bounded(pattern)
    except UntranslatableError:
        return
    assert ways(made) <= 2_000_000
    re.compile(made.encode())


def test_nothing_repeats_without_bound():
    made, bound = bounded("a+b*c{3,}d")
    assert bound == 4096
    assert ways(made) < float("inf")
    with pytest.raises(UntranslatableError, match="ways"):
        bounded("(?:a*b*)*(?:a*b*)*(?:a*b*)*c")


GITLEAKS = r"""
title = "of our own"
[extend]
path = "base.toml"
disabledRules = ["old", "github-pat"]

[[rules]]
id = "Acme Key"
description = "Acme key"
regex = '''(?i)acme[ =]+(key)=([a-z0-9]{12})\b'''
secretGroup = 2
entropy = 2.5
keywords = ["ACME"]
path = '''\.conf$'''
tags = ["anvils"]
[[rules.allowlists]]
stopwords = ["Dummy"]
[[rules.allowlists]]
condition = "AND"
regexTarget = "line"
regexes = ['''friend''', '''(?i)foe''']

[[rules]]
id = "pair"
regex = '''secret: ([a-z0-9]{20})'''
keywords = ["secret"]
[[rules.required]]
id = "Acme Key"
withinLines = 2
withinColumns = 80

[[rules]]
id = "names-only"
path = '''\.p12$'''

[[rules]]
id = "base"
keywords = ["second"]
[rules.allowlist]
paths = ['''^vendor/''']

[[allowlists]]
targetRules = ["base", "elsewhere"]
regexes = ['''^zzz''']
[[allowlists]]
paths = ['''^tests/''']
"""
BASE = """
[[rules]]
id = "base"
regex = "(?:first|second)-([0-9]{8})"
keywords = ["first"]
[[rules]]
id = "old"
regex = "old-([0-9]{8})"
"""


@pytest.fixture
def gitleaks(tmp_path):
    (tmp_path / "base.toml").write_text(BASE)
    (tmp_path / ".gitleaks.toml").write_text(GITLEAKS)
    return tmp_path / ".gitleaks.toml"


def scanned(imported, tmp_path, files, disabled=()):
    rules, tree = tmp_path / "taken.toml", tmp_path / "tree"
    rules.write_text(toml(imported, "imported"))
    for name, text in files.items():
        (tree / name).parent.mkdir(parents=True, exist_ok=True)
        (tree / name).write_text(text)
    found = scan(tree, ScanOptions(rules=(rules,), disabled=disabled, cache=False))
    return sorted(
        (place.path, f.rule) for f in found if f.rule.startswith("imported-") for place in f.places
    )


def test_rules_of_gitleaks_work_here(gitleaks, tmp_path):
    key = "k3j5h2g8f1d0"
    files = {
        "a.conf": f"acme key={key}\nsecret: {'k3j5h2g8f1' * 2}\n",
        "a.txt": f"acme key={key}\n",
        "b.conf": "acme key=dummyh2g8f1d\n",
        "c.conf": f"acme key={key} # of a friend\n",
        "even.conf": f"acme key={'a' * 12}\n",
        "far.conf": f"acme key={key}\n\n\n\nsecret: {'q3j5h2g8f1' * 2}\n",
        "first.txt": "first-48291376\n",
        "tests/first.txt": "second-48291377\n",
        "vendor/first.txt": "second-48291378\n",
        "old.txt": "old-48291379\n",
    }
    assert scanned(read([gitleaks]), tmp_path, files) == [
        ("a.conf", "imported-acme-key"),
        ("a.conf", "imported-pair"),
        ("far.conf", "imported-acme-key"),
        ("first.txt", "imported-base"),
    ]


def test_what_gitleaks_has_and_we_have_not_is_said(gitleaks):
    said = {(loss.rule, loss.what[:25], loss.whole) for loss in read([gitleaks]).losses}
    assert said >= {
        ("names-only", "it has no regex: it looks", True),
        ("pair", "withinColumns; lines are ", False),
        ("github-pat", "is switched off there; na", False),
        ("elsewhere", "an allowlist for it; put ", False),
    }


BETTERLEAKS = """
filter = '''matchesAny(finding["secret"], [`^demo`])'''
[extend]
url = "https://acme.example/rules.toml"
[[rules]]
id = "asks"
regex = "asks-([0-9]{8})"
validate = "http.get(...)"
filter = '''entropy(finding["secret"]) <= 3.0'''
[[rules]]
id = "program"
regex = "program-([0-9]{8})"
filter = '''let x = 1; x == 1'''
[[rules]]
id = "part"
regex = "part-([0-9]{8})"
skipReport = true
[[rules]]
id = "lonely"
regex = "lonely-([0-9]{8})"
[[rules.required]]
id = "who"
[[rules]]
id = "whole"
regex = "whole-([0-9]{8})"
[[rules.required]]
id = "part"
[[rules]]
id = "lists"
regex = "lists-([0-9]{8})"
[[rules.allowlists]]
condition = "AND"
paths = ["^docs/"]
regexes = ["(?<!a)b"]
[[rules.allowlists]]
description = "says nothing"
"""


def test_what_betterleaks_asks_of_programs_and_of_rules_that_are_not_there_is_said(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text(BETTERLEAKS)
    imported = read([file])
    rules = {rule.name: rule for rule in imported.rules}
    assert sorted(rules) == ["asks", "lists", "program", "whole"]
    assert rules["asks"].entropy == 3.0
    assert [(near.pattern, near.lines) for near in rules["whole"].requires] == [
        ("part-(?P<secret>[0-9]{8})", MAX_LINES)
    ]
    assert rules["lists"].allow == ()
    assert [allow.patterns for allow in imported.allows] == [("^demo",)]
    said = {(loss.rule, loss.what, loss.whole) for loss in imported.losses}
    assert {(rule, whole) for rule, _, whole in said if whole} == {("part", True), ("lonely", True)}
    for rule, what in (
        ("", "extend.url"), ("asks", "`validate` of betterleaks"), ("program", "`filter`: "),
        ("lonely", "requires `who`, which is not there"), ("lists", "a condition of it is lost"),
        ("lists", "an allowlist: "), ("whole", "must stand within"),
    ):  # fmt: skip
        assert [one for one in said if one[0] == rule and what in one[1]], (rule, what)


def test_an_allowlist_of_a_file_that_builds_on_defaults_is_for_our_rules_too(tmp_path):
    file = tmp_path / "own.toml"
    file.write_text('[extend]\nuseDefault = true\n[allowlist]\npaths = ["^docs/"]\n')
    assert read([file]).allows[0].rules == ("*",)


def test_filters_of_betterleaks_become_entropy_and_allows():
    made = parsed(
        """
        // what people write
        filter.entropy(finding["secret"]) <= 3.5 ||
        matchesAny(finding["secret"], [`EXAMPLE$`])
        || !filter.matchesAny(finding["line"], ["[0-9]"])
        || (filter.containsAny(finding["secret"], ["Dummy", "test"]))
        || matchesAny(get(attributes, "path", ""), [`(?i)\\.md$`])
        """
    )
    assert made.entropy == 3.5
    assert [a.patterns or a.words or a.paths for a in made.allows] == [
        ("EXAMPLE$",), (r"\\A(?![\\s\\S]{0,4096}?(?:[0-9]))".replace("\\\\", "\\"),),
        ("dummy", "test"), (r"(?i:\.md$)",),
    ]  # fmt: skip


@pytest.mark.parametrize(
    "program",
    [
        'entropy(finding["secret"]) <= 3 && matchesAny(finding["secret"], [`a`])',
        'let x = finding["secret"]; x == "a"',
        'entropy(finding["match"]) <= 3',
        'failsTokenEfficiency(finding["secret"])',
        'matchesAny(get(attributes, "git.author_name", ""), [`bot`])',
        'entropy(finding["secret"]) <= 3; true',
        '!containsAny(finding["secret"], ["a"])',
        'containsAny(finding["line"], ["a"])',
        'matchesAny(finding["secret"], [words])',
        'matchesAny(finding["secret"], [`(?<!a)b`])',
        '!matchesAny(finding["secret"], [`a`, `(?<!a)b`])',
        '!matchesAny(get(attributes, "path", ""), [`a`])',
    ],
)
def test_a_filter_that_is_a_program_is_refused(program):
    with pytest.raises(UntranslatableError):
        parsed(program)


def test_of_patterns_that_drop_a_finding_those_that_cannot_be_said_are_left_out():
    made = parsed('matchesAny(finding["match"], [`a`, `(?<!a)b`, "c"])')
    assert [(one.target, one.patterns) for one in made.allows] == [("match", ("a", "c"))]


KINGFISHER = r"""
rules:
  - name: Acme key
    id: kingfisher.acme.1
    pattern: |
      (?xi)
      \b acme (?:.|[\n\r]){0,16}? key (?:.|[\n\r]){0,8}? \b
      ( [a-z0-9]{12} ) \b
    min_entropy: 2.5
    confidence: high
    pattern_requirements:
      min_digits: 3
      min_special_chars: 0
      ignore_if_contains: [Test]
      checksum: {actual: x}
    examples: ["acme key=k3j5h2g8f1d0", "nothing at all"]
    references: [https://acme.example/docs]
    validation: {type: Http}
  - name: Half
    id: kingfisher.acme.2
    pattern: 'half-([0-9]{6})'
    visible: false
"""
NOSEY = r"""
rules:
- name: Acme token
  id: np.acme.1
  pattern: '\b(?P<TOKEN>acme_[0-9a-z]{12})\b'
  categories: [api, secret]
  examples: ['acme_k3j5h2g8f1d0']
  negative_examples: ['acme_k3j5h2g8f1d']
"""


def test_rules_of_kingfisher_and_nosey_parker_work_here(tmp_path):
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "kingfisher.yml").write_text(KINGFISHER)
    (folder / "nosey.yaml").write_text(NOSEY)
    imported = read([folder])
    files = {
        "a": "ACME_KEY = k3j5h2g8f1d0\n",
        "few": "ACME_KEY = kajbhcgdf1d0\n",
        "word": "ACME_KEY = 1test3g8f1d0\n",
        "np": "acme_k3j5h2g8f1d0\n",
    }
    shipped = [rule.id for rule in load_rules().rules]  # beside them gitleaks' are tried above
    assert scanned(imported, tmp_path, files, shipped) == [
        ("a", "imported-kingfisher-acme-1"),
        ("np", "imported-np-acme-1"),
    ]
    assert imported.rules[0].confidence == "high"
    assert imported.rules[1].tags == ("api", "secret")
    assert [(loss.rule, loss.whole) for loss in imported.losses] == [
        ("kingfisher.acme.1", False), ("kingfisher.acme.1", False), ("kingfisher.acme.1", False),
        ("kingfisher.acme.2", True),
    ]  # fmt: skip
    assert "1 of its examples" in " ".join(loss.what for loss in imported.losses)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.yml", "rules: [{id: x}]"),
        ("a.yml", "- just\n- a list"),
        ("a.yml", "rules: ["),
        ("a.yml", "!!python/object/apply:os.system ['true']"),
        ("a.yml", "[" * 5000),
        ("a.toml", "= 1"),
        ("a.toml", 'provider = "acme"'),
        ("a.toml", "[[rules]]\nregex = 'a'"),
        ("a.toml", "[[rules]]\nid = 'a'\nregex = 'a'\nentropy = 'high'"),
        ("a.toml", "[[rules]]\nid = 'a'\nregex = 'a'\ntags = 3"),
        ("a.toml", "extend = 'b.toml'"),
        ("a.toml", "[extend]\ndisabledRules = 3"),
        ("a.toml", "[[allowlists]]\ntargetRules = 3"),
        ("a.yml", "rules: [{id: x, pattern: abc, min_entropy: high}]"),
        ("a.yml", "rules: [{id: x, pattern: abc, references: 3}]"),
        ("a.yml", "rules: [{id: x, pattern: abc, pattern_requirements: {min_digits: many}}]"),
    ],
)
def test_files_of_another_form_are_refused_by_name(name, text, tmp_path):
    (tmp_path / name).write_text(text)
    with pytest.raises(ConfigError, match=re.escape(name)):
        read([tmp_path / name])


def test_aliases_that_multiply_cost_nothing(tmp_path):
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"]
    lines += [f"{name}: &{name} [{', '.join(['*' + before] * 9)}]" for before, name in zip("abcdefgh", "bcdefghi", strict=True)]  # fmt: skip  # noqa: E501
    (tmp_path / "bomb.yml").write_text("\n".join(lines) + "\nrules: []\n")
    assert read([tmp_path / "bomb.yml"]).rules == ()


def test_what_is_written_can_be_read_again(gitleaks):
    imported = read([gitleaks])
    back = parse_file(toml(imported, "imported"), "taken.toml")
    assert (back.rule, back.allow) == (imported.rules, imported.allows)


def test_the_command_writes_a_file_that_the_check_accepts(gitleaks, tmp_path, capsys):
    output = tmp_path / "taken.toml"
    assert run(["rules", "import", str(gitleaks), "--output", str(output), "--prefix", "acme"]) == 3
    assert "names-only: left out" in capsys.readouterr().err
    assert "acme-pair" in output.read_text()
    assert run(["rules", "check", "--no-cost", str(output)]) == 0
    assert run(["rules", "check", "--no-cost", "--complete", str(output)]) == 1


def test_the_command_prints_json(tmp_path, capsys):
    file = tmp_path / "nosey.yml"
    file.write_text(NOSEY)
    assert run(["rules", "import", str(file), "--json"]) == 0
    printed = json.loads(capsys.readouterr().out)
    assert printed == {"rules": ["imported-np-acme-1"], "losses": []}


def test_a_prefix_is_a_word(tmp_path):
    assert run(["rules", "import", str(Path(tmp_path)), "--prefix", "A B"]) == 2


@pytest.mark.parametrize(
    ("pattern", "said"),
    [
        ("[[:^alpha:]]x", r"\[:\^alpha:\]"),
        ("[[:nothing:]]x", r"\[:nothing:\]"),
        (r"\p{Klingon}", "Klingon"),
        (r"[\P{L}]", "P"),
        ("[a&&b]", "joined or subtracted"),
        ("[ab", "not closed"),
        ("ab\\", "at the end"),
    ],
)
def test_what_re_cannot_say_is_named(pattern, said):
    with pytest.raises(UntranslatableError, match=said):
        translated(pattern)


@pytest.mark.parametrize("within", [r"[\p{L}]", r"[\pL_]", "[[:alpha:]]"])
def test_classes_by_name_stand_within_classes(within):
    made = re.compile(translated(within).encode())
    assert made.match(b"a")
    assert not made.match(b"1")


TWICE = """
[[rules]]
id = "Acme Key"
regex = "acme-([0-9]{8})"
keywords = ["elsewhere"]
tags = ["a-tag-of-some-length-number-one", "a-tag-of-some-length-number-two", "a-third-tag"]
[[rules]]
id = "acme-key"
regex = "acme-([a-z]{8})"
"""


def test_of_two_rules_of_one_id_the_first_counts_and_that_is_said(tmp_path):
    (tmp_path / "own.toml").write_text(TWICE)
    imported = read([tmp_path / "own.toml"])
    assert [rule.pattern for rule in imported.rules if rule.id.endswith("acme-key")] == [
        imported.rules[0].pattern
    ]
    said = {(loss.what, loss.whole) for loss in imported.losses}
    assert ("a second rule of this id", True) in said
    assert ("its keywords count within a line of a match, not anywhere", False) in said
    back = parse_file(toml(imported, "imported"), "taken.toml")
    assert back.rule == imported.rules  # long lists stand on several lines


def test_a_folder_without_rules_is_refused(tmp_path):
    (tmp_path / "readme.md").write_text("none\n")
    with pytest.raises(ConfigError, match="no TOML or YAML file"):
        read([tmp_path])


LOSING = """
rules:
- name: Endless
  id: np.acme.1
  pattern: 'acme_[0-9a-z]+'
  negative_examples: ['acme_k3j5h2g8f1d0']
- name: Looks ahead
  id: np.acme.2
  pattern: '[a-z&&[^x]]{20}'
"""


def test_what_a_rule_of_nosey_parker_loses_is_said(tmp_path):
    (tmp_path / "own.yml").write_text(LOSING)
    imported = read([tmp_path / "own.yml"])
    assert [rule.name for rule in imported.rules] == ["Endless"]
    said = [(loss.rule, loss.what, loss.whole) for loss in imported.losses]
    assert any("without bound repeats" in what for _, what, _ in said)
    assert ("np.acme.1", "1 of its negative examples are found", False) in said
    assert any(rule == "np.acme.2" and whole for rule, _, whole in said)
