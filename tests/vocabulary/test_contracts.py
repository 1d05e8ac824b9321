"""What rooms hand one another: it survives JSON, is ordered, and carries no secret."""

import hashlib
import hmac

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocabulary.access import AccessEvent, EventBatch
from vocabulary.action import ActionKind, Decision
from vocabulary.alert import Alert, Evidence, Severity, Span, alert_json
from vocabulary.anomaly import Anomaly
from vocabulary.credential import Exposure, KnownKey, credential_of
from vocabulary.finding import Confidence, Place, Verdict
from vocabulary.lesson import Lesson
from vocabulary.repository import RepoEvent

words = st.text(max_size=12)
alerts = st.builds(
    Alert,
    *[words] * 6,
    st.lists(st.builds(Evidence, words, words, words, st.floats(0, 1))).map(tuple),
    st.builds(Span, words, words, st.integers(0, 2**53)),
    words,
    words,
    exposure=st.sampled_from(["", "public", "private", "log"]),
)


@given(alerts)
def test_an_alert_is_one_line_of_json_without_what_is_empty(alert):
    line = alert_json(alert)
    assert b"\n" not in line
    fields = msgspec.json.decode(line)
    assert "" not in [value for value in fields.values() if isinstance(value, str)]
    missing = {name: "" for name in Alert.__struct_fields__ if name not in fields}
    assert msgspec.convert(fields | missing, Alert) == alert


@pytest.mark.parametrize(
    "told",
    [
        AccessEvent(1, "key_a", "192.0.2.1", "GET", "/", 200),
        Decision(ActionKind.REVOKE, "policy.toml:1", True, notify=("log",), then=ActionKind.NONE),
        Anomaly("key_a", "volume", "volume", 1, 0.1, "42", "9", 0, 1, 42),
        KnownKey("key_a", "active", "live", "live"),
        Exposure(3, "rule", credential_of("s", peppers={"p": b"x"}, public_id="AKIA")),
        Place("a.py", 3, commit="c"),
        Verdict("live"),
        Lesson("key_a", "false", 1, 2),
        RepoEvent("d", "github", "https://x", "main", "0", "1", True, 1.0),
    ],
)
def test_what_is_handed_on_comes_back_from_json_as_it_was(told):
    assert msgspec.json.decode(msgspec.json.encode(told), type=type(told)) == told


@given(st.text(min_size=16, max_size=64), st.binary(min_size=1))
def test_a_credential_finds_its_key_again_and_shows_nothing_of_the_secret(secret, pepper):
    found = credential_of(secret, peppers={"old": pepper})
    raw = secret.encode()
    assert found.sha256 == hashlib.sha256(raw).hexdigest()
    assert found.hmacs == {"old": hmac.new(pepper, raw, "sha256").hexdigest()}
    assert found.token == f"credential:{found.sha256[:16]}"
    assert secret not in f"{found}{msgspec.json.encode(found).decode()}"


def test_severities_and_actions_are_ordered_as_people_think_of_them():
    assert [one.word for one in sorted(Severity)] == ["low", "medium", "high", "critical"]
    assert all(Severity.of(one.word) is one for one in Severity)
    with pytest.raises(KeyError):
        Severity.of("dreadful")
    assert list(ActionKind) == "none throttle suspend rotate reissue revoke".split()
    assert {*Confidence} == {"low", "medium", "high"}


def test_a_batch_is_as_long_as_its_events():
    column = np.zeros(3, np.int32)
    long = np.zeros(3, np.int64)
    one = [[""], column]
    many = EventBatch(["k"], column, long, long, *one, *one, *one, *one, column, long, column == 0)
    assert len(many) == 3
