import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from actions.telling.escape import cef_header, cef_value, fenced, plain
from actions.telling.facts import FIELDS, facts
from actions.telling.words import AUDIENCES, Writer
from tests.actions.messages import HOSTILE, message
from vocabulary.errors import ConfigError

leaves = st.sampled_from([None, True, 1.5, "", "x\n<b>\u202e", "\ud800", [1, "a", {}], [{}], []])
NAMES = ["incident", "alert", "key", "decision", "messages", "evidence", "events", "id", "by"]
tables = st.dictionaries(st.sampled_from(NAMES), leaves, max_size=3)
hostile_data = st.dictionaries(
    st.sampled_from(NAMES), leaves | tables | st.lists(tables, max_size=2), max_size=5
)


def is_plain(text):
    invisible = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    return all(unicodedata.category(c) not in invisible for c in text)


@given(st.text())
def test_plain_text_is_one_visible_line(text):
    said = plain(text)
    assert is_plain(said)
    said.encode()
    assert len(said) <= 1000
    assert plain(said) == said


@given(st.text(alphabet="`~ab\n\\"))
def test_nothing_closes_the_fence_but_its_end(text):
    first, *inside, last = fenced(text).split("\n")
    assert first == f"{last}text"
    assert all(last not in line for line in inside)


@given(st.text())
def test_separators_of_cef_are_escaped(text):
    assert "|" not in cef_header(text).replace("\\\\", "").replace("\\|", "")
    assert "=" not in cef_value(text).replace("\\\\", "").replace("\\=", "")
    assert "\n" not in cef_value(text)


@given(
    st.sampled_from(["incident.opened", "incident.false", "key.revoke", "digest", "", "x.y.z"]),
    hostile_data,
)
def test_any_message_can_be_put_into_words(kind, data):
    for audience in AUDIENCES:
        said = Writer(audience, link="https://console.example/$incident").write(
            {"type": kind, "timestamp": "", "data": data}
        )
        assert said.title
        assert all(is_plain(line) for line in (said.title, *said.body.split("\n")))
    assert set(facts({"type": kind, "data": data})) <= set(FIELDS)


@pytest.mark.parametrize("audience", AUDIENCES)
def test_each_audience_reads_what_it_needs(audience):
    said = Writer(audience, link="https://console.example/keys/new?for=$key").write(message())
    assert "ended it for good" in said.body
    assert "inc_1" in said.body
    assert said.link == "https://console.example/keys/new?for=key_a"
    assert ("make a new key" in said.body) == (audience == "owner")
    assert ("policy.toml:68" in said.body) == (audience == "security")
    assert "Said by" not in said.body
    closed = Writer(audience).write(message("resolved"))
    assert "it is over" in closed.title
    assert "Said by" in closed.body
    assert "What was done" not in closed.body
    assert "Decision" not in closed.body


def test_an_id_that_is_none_makes_no_link():
    said = Writer("owner", link="https://console.example/$key").write(
        {"type": "incident.opened", "data": {"key": {"id": "x\"><a href='"}}}
    )
    assert said.link == ""


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("title\n$severity: $sumary", r"own.txt:2: no message has a `\$sumary`"),
        ("a $ alone", r"own.txt:1: a `\$`"),
        ("", "empty"),
        (None, "cannot be read"),
    ],
)
def test_a_template_with_missing_fields_is_refused_with_its_line(tmp_path, text, problem):
    file = tmp_path / "own.txt"
    if text is not None:
        file.write_text(text)
    with pytest.raises(ConfigError, match=problem):
        Writer("owner", str(file))


def test_a_template_of_ones_own(tmp_path):
    file = tmp_path / "own.txt"
    file.write_text("Hello $owner\n\n$$5 for $incident\nguard: $guard\n")
    said = Writer("owner", str(file)).write(message())
    assert said.title == f"Hello {plain(HOSTILE)}"
    assert said.body == "$5 for inc_1"


@pytest.mark.parametrize("link", ["https://x/$host", "https://x/$"])
def test_a_link_names_the_key_or_the_incident_alone(link):
    with pytest.raises(ConfigError):
        Writer("owner", link=link)


def test_there_are_two_audiences():
    with pytest.raises(ConfigError, match="audience"):
        Writer("everybody")


@pytest.mark.parametrize(
    ("decided", "said"),
    [
        ({}, ""),
        ({"action": "none"}, "nothing; it is written down"),
        ({"action": "suspend", "duration_s": 7200.0}, "let nothing through, for 2 h"),
        ({"action": "throttle", "rate_per_min": 30, "duration_s": 86_400.0},
         "let through at 30 requests a minute, for 1 d"),
        ({"action": "rotate", "duration_s": 90.0}, "let it work for a grace only, for 90 s"),
        ({"action": "suspend", "duration_s": 300.0, "dry_run": True},
         ("nothing yet, this action is not switched on; it would have: let nothing through, "
          "for 5 min")),
        ({"action": "revoke", "held": True},
         "waits for a person to approve: ended it for good"),
    ],
)  # fmt: skip
def test_what_was_done_is_said(decided, said):
    told = message()
    told["data"]["decision"] = decided
    assert facts(told)["done"] == said


@pytest.mark.parametrize(
    ("kind", "action", "todo"),
    [
        ("leak", "revoke", ["take the key out", "make a new key"]),
        ("leak", "none", ["take the key out", "make a new key", "if this was you"]),
        ("anomaly", "rotate", ["make a new key"]),
        ("anomaly", "throttle", ["if this was you"]),
    ],
)
def test_an_owner_is_told_what_there_is_to_do(kind, action, todo):
    told = message()
    told["data"]["alert"]["kind"], told["data"]["decision"]["action"] = kind, action
    steps = facts(told)["todo"].split("; ")
    assert len(steps) >= len(todo)
    assert [step for step in todo if any(one.startswith(step) for one in steps)] == todo
