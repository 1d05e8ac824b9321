"""What a match is worth by its rule alone."""

import pytest

from scanner.judging import judged
from scanner.rule import Rule

WORDS = "user1" + "_password"


@pytest.mark.parametrize(("chosen", "worth"), [(True, "low"), (False, "high")])
def test_words_for_a_secret_are_doubted_where_people_choose_it(chosen, worth):
    """Whatever the rule is called."""
    rule = Rule(id="acme-login", name="Login", pattern=".+", confidence="high", chosen=chosen)
    piece = f'login = "{WORDS}"\n'.encode()
    said = judged(rule, piece, (9, 9 + len(WORDS)), None)
    assert said is not None
    assert said.confidence == worth
