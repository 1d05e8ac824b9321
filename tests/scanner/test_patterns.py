"""Compiled rules that were kept: taken up again, and made anew where they cannot be."""

import pytest

from scanner import cache, patterns
from scanner.batch import batch_of
from scanner.engine import engine_of
from scanner.rule import parse_file
from scanner.rules import RuleSet, load_rules
from vocabulary.errors import ConfigError

RULE = r"""
provider = "acme"
[[rule]]
id = "acme-key"
name = "Acme key"
description = "Acme key."
confidence = "high"
keywords = ["acme_"]
pattern = '\b(?P<secret>acme_[0-9a-f]{32})\b'
"""
TEXT = b"key = acme_" + b"5f0a1c9e7b3d2846" * 2 + b"\n"


@pytest.fixture
def rules(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return RuleSet(parse_file(RULE, "acme.toml").rule, "kept")


def found(rules):
    return [match.rule.id for match in engine_of(rules).searcher().search(batch_of(TEXT))]


def spoilt(name, how):
    kept = cache.read(name)
    if how == "cut":
        cache.write(name, kept[: len(kept) // 2])
    elif how == "of another form":
        cache.write(name, b"\x93\x01\x02\x03")
    else:
        at = kept.index(b"\xdb\xdb")  # the mark by which hyperscan knows its databases
        cache.write(name, kept[:at] + b"none" + kept[at + 4 :])


@pytest.mark.parametrize("how", ["cut", "of another form", "of another machine"])
def test_rules_that_were_kept_and_cannot_be_used_are_compiled_anew(rules, how):
    name = patterns._name(rules)
    assert found(rules) == ["acme-key"]
    whole = cache.read(name)
    spoilt(name, how)
    assert cache.read(name) != whole
    assert found(rules) == ["acme-key"]
    assert len(cache.read(name)) == len(whole)


@pytest.mark.parametrize("kept", [b"", b"\xc1", b"\x93\x01\x02\x03"])
def test_rules_that_were_read_and_kept_and_cannot_be_used_are_read_anew(
    tmp_path, monkeypatch, kept
):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "acme.toml").write_text(RULE)
    first = load_rules([tmp_path / "acme.toml"])
    for file in (tmp_path / "keywatch").iterdir():
        cache.write(file.name, kept)
    again = load_rules([tmp_path / "acme.toml"])
    assert again == first
    assert "acme-key" in {rule.id for rule in again.rules}


def test_a_file_of_rules_that_is_no_toml_is_refused_with_its_place(tmp_path):
    (tmp_path / "acme.toml").write_text("[[rule]\n")
    with pytest.raises(ConfigError, match="not TOML") as told:
        load_rules([tmp_path / "acme.toml"])
    assert "acme.toml" in told.value.where
