"""Confirmation is linear, bounded and keeps texts apart."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from scanner.batch import Batch, batch_of
from scanner.confirm import Confirmer
from scanner.parsetree import spells
from scanner.prefilter import loosened, needles
from scanner.rules import load_rules
from tests.scanner.secrets import github_token, password

TOKEN = github_token().encode()


@pytest.fixture
def work(monkeypatch):
    """Count the bytes that `re` is given to read."""
    seen = []
    plain = Confirmer._confirmed

    def counted(self, piece, first, last):
        seen.append(len(piece))
        return plain(self, piece, first, last)

    monkeypatch.setattr(Confirmer, "_confirmed", counted)
    return seen


UNITS = [b"password", b"password=", b"secret: ", b'token="', b"aws_", b"://a:b@", b"key ", b"ghp_"]


@pytest.mark.parametrize("unit", UNITS)
def test_work_grows_with_the_text_and_not_with_its_square(engine, work, unit):
    engine.search(unit * (40_000 // len(unit)))
    small = sum(work)
    work.clear()
    engine.search(unit * (400_000 // len(unit)))
    assert sum(work) <= 12 * small + 100_000


def test_texts_of_a_batch_are_kept_apart(engine):
    half = len(TOKEN) // 2
    data = b"\n" + TOKEN[:half] + b"\n" + TOKEN[half:] + b"\n" + TOKEN + b"\n"
    first, second = (1, 1 + half), (2 + half, 2 + len(TOKEN))
    third = (3 + len(TOKEN), 3 + 2 * len(TOKEN))
    batch = Batch(
        data, len(data), [first[0], second[0], third[0]], [first[1], second[1], third[1]],
        [b"a", b"b", b"c"],
    )  # fmt: skip
    assert [(m.item, m.start, m.line, m.column) for m in engine.searcher().search(batch)] == [
        ("c", 0, 1, 1)
    ]


@given(st.lists(st.binary(max_size=60), max_size=6), st.integers(0, 6))
def test_a_batch_finds_what_each_text_alone_would(engine, noise, where):
    texts = [*noise[:where], TOKEN, *noise[where:]]
    data, starts, ends = b"\n", [], []
    for text in texts:
        starts.append(len(data))
        data += text
        ends.append(len(data))
        data += b"\n"
    batch = Batch(data, len(data), starts, ends, [b"%d" % n for n in range(len(texts))])
    together = {(m.item, m.start, m.secret) for m in engine.searcher().search(batch)}
    alone = {
        (str(n), m.start, m.secret) for n, text in enumerate(texts) for m in engine.search(text)
    }
    assert together == alone


def test_the_stronger_of_overlapping_matches_stands(engine):
    (match,) = engine.search(b'api_token = "' + TOKEN + b'"\n')
    assert match.rule.provider == "github"
    assert match.checksum == "valid"


def test_a_secret_is_not_in_the_repr_of_its_match(engine):
    (match,) = engine.search(TOKEN)
    assert TOKEN.decode() not in repr(match)


PLACEHOLDERS = [
    *("${PASSWORD}", "{{ password }}", "<your-password>", "changeme", "xxxxxxxxxx", "None"),
    *("os.environ['P']", "example-password", "********", "process.env.PASSWORD", "/etc/passwd"),
]


@pytest.mark.parametrize("value", PLACEHOLDERS)
def test_what_stands_for_a_password_is_none(engine, value):
    shown = [m for m in engine.search(f'password = "{value}"\n'.encode()) if m.confidence != "low"]
    assert shown == []


@pytest.mark.parametrize("seed", range(5))
def test_a_random_password_is_one(engine, seed):
    value = password(seed)
    found = engine.search(f'db_password = "{value}"\n'.encode())
    assert [m.secret.decode() for m in found] == [value]


PATTERNS = st.recursive(
    st.sampled_from(
        ["a", "b", "key", "[a-c]", r"\d", ".", r"\b", "^", "(?:a|bc)", "x{2,5}", "(?i:AB|KX|Y1)"]
    ),
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"(?:{two[0]}|{two[1]})"),
        inner.map(lambda one: f"(?P<secret>{one})" if "secret" not in one else one),
        inner.map(lambda one: f"(?:{one})?"),
        inner.map(lambda one: f"(?:{one}){{0,3}}"),
    ),
    max_leaves=6,
)


@given(PATTERNS, st.text("abckeyx1 \n", max_size=20))
def test_a_loosened_pattern_matches_wherever_the_pattern_does(pattern, text):
    import re  # noqa: PLC0415

    try:
        exact = re.compile(pattern.encode(), re.MULTILINE)
    except re.error:
        return  # two groups of one name
    for loose in ([loosened(pattern)], needles(pattern)):
        ends = [
            other.end()
            for needle in loose
            for other in re.finditer(needle.encode(), text.encode(), re.MULTILINE)
        ]
        for found in exact.finditer(text.encode()):
            assert any(end <= found.end() for end in ends)


def test_every_shipped_rule_is_compiled_and_none_reads_everything(engine):
    rules = load_rules().rules
    told = {n for part in engine.patterns.parts for meaning in part.meanings for n in meaning}
    assert set(range(len(rules))) <= told
    assert engine.patterns.everywhere == ()


def test_a_rule_that_hyperscan_refuses_is_found_by_its_keyword():
    from scanner.engine import engine_of  # noqa: PLC0415
    from scanner.rules import Rule, RuleSet  # noqa: PLC0415

    huge = "(?P<secret>zz" + "".join(f"(?:{c}[0-9a-z]{{1,290}}x){{1,90}}" for c in "abcdefgh") + ")"
    rule = Rule(id="x-huge", provider="x", name="huge", keywords=("zzq",), pattern=huge)
    easy = Rule(id="x-easy", provider="x", name="easy", pattern="(?P<secret>easy_[a-f]{9})")
    made = engine_of(RuleSet((rule, easy), "huge"), cached=False)
    text = b"easy_abcdefabc zzq"
    assert [m.rule.id for m in made.search(text)] == ["x-easy"]
    told = {n for part in made.patterns.parts for meaning in part.meanings for n in meaning}
    assert 0 in told


@pytest.mark.parametrize("before", ["", "x=", "A" * 5_000 + " ", "aA" * 5_000 + "\n"])
@pytest.mark.parametrize("after", ["", "\n", "A" * 5_000])
def test_a_run_of_one_character_is_a_hit_at_its_end_alone(before, after):
    from scanner.engine import engine_of  # noqa: PLC0415
    from scanner.rules import Rule, RuleSet  # noqa: PLC0415

    run = Rule(
        id="x-run", provider="x", name="run", keywords=("aaaa",), pattern=r"\bA{4,6}[f-z]{9}"
    )
    made = engine_of(RuleSet((run,), "run"), cached=False)
    text = f"{before}AAAAfghkmpqst{after and ' '}{after}".encode()
    assert [m.secret for m in made.search(text)] == [b"AAAAfghkmpqst"]
    assert len(made.searcher().hits(batch_of(text))[0]) <= 4


def test_spelling():
    assert spells("(?:abc|abd)x{0,9}")
    assert not spells("(?:abc|d)[a-z]+_")
    assert not spells("(?:ab|abc)x?d")
    assert not spells("a[b-z]c")


def test_a_literal_goes_on_through_choices_and_groups():
    assert spells("(?i:password|pwd)")  # which `re` keeps as p(?:assword|wd)
    assert spells(r"nf[bcopu]_\w{36}")
    assert spells(r"\bpw[ \t]{1,3}\S")
    assert spells("(?P<name>a(?=b)b)c")
    assert not spells("pw[ \t]{0,3}x")
    assert not spells("a(?:b|bc)[0-9]d")
