"""Patterns that may share the one of addresses: none that matches what it does not."""

import re

import pytest

from scanner.addresses import ADDRESS, is_address


@pytest.mark.parametrize(
    "pattern",
    [
        r"postgres://[a-z]{1,20}:(?P<secret>[^\s@'\"<>]{3,60})@",
        r"\b(?:amqp|mqtt)s?://(?:\w{2,9}:)(?P<secret>\w{4,40})@[a-z.]{1,40}",
        r"x://(?:ab|cd){2,9}(?=[a-z])(?:\w|-)@",
    ],
)
def test_what_every_match_holds_is_an_address(pattern):
    assert is_address(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        r"postgres:[a-z]{3,20}@",
        r"postgres://[a-z]{3,20}",
        r"x://[a-z]{1,2}@",
        r"x://[a-z]{3,300}@",
        r"x://[a-z ]{3,20}@",
        r"x://ab[^@]{3,20}@",
        r"x://abc d@",
        r"x://(?:abc|d e)@",
        r"x://abc.@",
        r"(?:x://|y:)abc@",
        r"(?i:x://abc@)",
    ],
)
def test_what_may_match_without_one_is_none(pattern):
    assert not is_address(pattern)


@pytest.mark.parametrize(("text", "holds"), [("x://abc@", True), ("x://a<c@", False)])
def test_the_shared_pattern_matches_neither_blanks_nor_marks(text, holds):
    assert bool(re.search(ADDRESS, text)) is holds
