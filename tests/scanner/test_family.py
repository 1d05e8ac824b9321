"""Rules that are looked for together find what each of them would find alone."""

from random import Random
from string import ascii_lowercase, ascii_uppercase, digits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner import compiling
from scanner.assignments import assignment
from scanner.engine import engine_of
from scanner.grouping import families
from scanner.rules import Rule, RuleSet, load_rules

SHAPES = (
    "[0-9a-f]{20}", "[0-9A-Z]{16}", "[0-9a-f]{20}", "x-[0-9a-z]{16,18}",
    "[0-9a-z]{24}(?:-[0-9]{2})?",
)  # fmt: skip
NAMES = ("acme", "emca|acne", r"\bzz[_.]", "delta", "echo", "fox", "golf", "hotel", "india", "kilo")
PATTERN = (
    r'(?i:{})[\w\s.:={{("-]{{0,30}}?(?i:key|token)[\w\t .-]{{0,20}}["]{{0,2}}\s{{0,4}}'
    r'(?:=>|[=:]|\s)\s{{0,4}}"?(?P<secret>{})(?:[^0-9A-Za-z_-]|$)'
)
RULES = tuple(
    Rule(
        id=f"p{number}-token", provider=f"p{number}", name=f"p{number}", keywords=(keyword,),
        pattern=PATTERN.format(name, shape),
    )
    for number, (name, shape, keyword) in enumerate(
        zip(NAMES, SHAPES * 2, ("acme", "emca", "zz", *NAMES[3:]), strict=True)
    )
)  # fmt: skip


@pytest.fixture(scope="module")
def together():
    found = families(RULES)
    assert [len(family.numbers) for family in found] == [10]
    return engine_of(RuleSet(RULES, "together"), cached=False).search


@pytest.fixture(scope="module")
def alone():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(compiling, "families", lambda rules: [])
        return engine_of(RuleSet(RULES, "alone"), cached=False).search


FORMS = (
    (digits + "abcdef", 20, "{}"), (digits + ascii_uppercase, 16, "{}"),
    (digits + "abcdef", 20, "{}"), (digits + ascii_lowercase, 17, "x-{}"),
    (digits + ascii_lowercase, 24, "{}-42"),
)  # fmt: skip


def some(*parts, least=0, most=2):
    return st.lists(st.sampled_from(parts), min_size=least, max_size=most).map("".join)


@st.composite
def assigned(draw):
    """Draw an assignment that most often is one of a rule's, and else nearly one."""
    kind, seed = draw(st.integers(0, 4)), draw(st.integers(0, 10_000))
    letters, size, form = FORMS[draw(st.sampled_from([kind, kind, kind, 0, 4]))]
    size += draw(st.sampled_from([0, 0, 0, -1, 1]))
    name = ("acme", "EMCA", "zz_", "delta", "echo")[kind]
    word = draw(st.sampled_from(["key", "TOKEN", "token=", "_key_token"]))
    sign = draw(st.sampled_from(["=", ": ", ' = "', "=> ", " "]))
    made = form.format("".join(Random(seed).choices(letters, k=size)))
    gap = draw(some("_", ".", "acme", "\1", ";", " " * 15))
    return name + gap + word + sign + made + draw(st.sampled_from([*' \n"\1x', "--"]))


NOISE = some("key", " = ", "acme", "\n", " " * 300, "a" * 16, "\0")


@given(st.lists(st.one_of(assigned(), NOISE), max_size=5).map("".join))
def test_they_find_together_what_they_find_alone(together, alone, text):
    def seen(search):
        return {(match.start, match.end) for match in search(text.encode())}

    assert seen(together) == seen(alone)


def test_every_place_is_found_in_a_text_full_of_them(together):
    random = Random(1)
    lines = [f'acme_token = "{random.randbytes(10).hex()}"\n' for _ in range(200)]
    made = together("".join(lines).encode())
    assert [match.line for match in made] == list(range(1, len(lines) + 1))


def test_a_name_may_stand_as_far_away_as_the_pattern_says():
    pattern = PATTERN.format("acme", SHAPES[0])
    parts = assignment(pattern)
    assert parts is not None
    assert parts.words == (r"\x6b\x65\x79", r"\x74\x6f\x6b\x65\x6e")
    assert parts.before == 4 + 30 + 5 + 20 + 2 + 4 + 2 + 4 + 1 + 16
    assert parts.behind == (4, 5)


def test_a_pattern_of_another_form_is_none():
    assert assignment("(?i)acme.{0,30}token=(?P<secret>[0-9a-f]{20})") is None
    assert assignment("acme_(?P<secret>[0-9a-f]{20})") is None
    assert assignment("(?:acme).{0,30}(?:token)=(?P<secret>[0-9a-f]{4})") is None
    assert assignment("(?:acme).{0,900}(?:token)=(?P<secret>[0-9a-f]{20})") is None


def test_most_of_the_shipped_rules_are_of_a_family():
    found = families(load_rules().rules)
    assert sum(len(family.numbers) for family in found) > 350
    assert len({number for family in found for number in family.numbers}) == sum(
        len(family.numbers) for family in found
    )
