"""What a cleaned line says of the secrets that stood in it."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocabulary.credential import Credential, Exposure
from vocabulary.exposed import FIELD, exposures_in, told

HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
CREDENTIALS = st.builds(
    Credential, HASHES, st.text(), st.dictionaries(st.text(), HASHES, max_size=2), st.text()
)


@given(st.lists(st.tuples(st.text(), CREDENTIALS), max_size=3), st.text())
def test_what_is_told_is_heard_and_the_line_stays_json(found, agent):
    line = json.dumps({"agent": agent}).encode()
    said = told(line, [Exposure(0, rule, credential) for rule, credential in found])
    assert json.loads(said)["agent"] == agent
    heard = exposures_in([b"{}", said])
    assert [(one.line, one.rule, one.credential) for one in heard] == [(1, *hit) for hit in found]
    assert (said == line) is (not found)


@pytest.mark.parametrize(
    "line",
    [
        b"not JSON" + FIELD + b'{"rule":"x","credential":{"sha256":"aa"}}]',
        b'{"a":1' + FIELD + b"3]}",
        b'{"a":1' + FIELD + b'{"rule":"x"}]}',
        b'{"a":1' + FIELD + b"[" * 100_000,
        b'\xff{"a":1' + FIELD + b"]}",
    ],
)
def test_a_line_that_is_no_such_object_says_nothing(line):
    assert exposures_in([line]) == []


@given(st.text())
def test_no_value_can_claim_it(agent):
    value = agent + FIELD.decode() + '{"rule":"x","credential":{"sha256":"aa"}}]}'
    assert exposures_in([json.dumps({"agent": value}).encode()]) == []
