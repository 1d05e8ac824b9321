import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from actions.decide import ALL, decide
from actions.guards import strength
from actions.policy import load, parse
from tests.actions.desk import alert_about
from vocabulary.action import ActionKind
from vocabulary.alert import Evidence, Severity
from vocabulary.credential import KnownKey

POLICY = load()
KEY = KnownKey("key_a", "active", "live", "live", owner="ann")

DECISIONS = [
    ("critical", "anomaly", {}, "revoke", "security"),
    ("high", "anomaly", {}, "throttle", "owner"),
    ("medium", "anomaly", {}, "none", "log"),
    ("low", "anomaly", {}, "none", "log"),
    ("critical", "leak", {}, "revoke", "security"),
    ("critical", "anomaly", {"environment": "test", "verdict": "test"}, "revoke", "security"),
    ("high", "anomaly", {"environment": "test", "verdict": "test"}, "throttle", "owner"),
    ("medium", "leak", {"environment": "test", "verdict": "test"}, "none", "owner"),
    ("critical", "leak", {"publishable": True}, "none", "log"),
    ("critical", "anomaly", {"publishable": True}, "throttle", "owner"),
    ("critical", "leak", {"verdict": "deprecated", "state": "deprecated"}, "revoke", "security"),
]


@pytest.mark.parametrize(("severity", "kind", "key", "action", "told"), DECISIONS)
def test_the_built_in_policy(severity, kind, key, action, told):
    alert = alert_about("key_a", severity=severity, kind=kind)
    decision = decide(alert, replace(KEY, **key), POLICY, ALL)
    assert (decision.action, decision.notify) == (action, (told,))
    assert not decision.dry_run
    assert decision.line.startswith("policy.toml:")
    assert decision.policy == POLICY.digest


def test_a_throttle_has_a_rate_and_an_end():
    decision = decide(alert_about("key_a"), KEY, POLICY, ALL)
    assert (decision.rate_per_min, decision.duration_s) == (30, 3600.0)


@pytest.mark.parametrize("enabled", [frozenset(), frozenset({"throttle"})])
def test_what_is_not_enabled_is_shown_only(enabled):
    decision = decide(alert_about("key_a", severity="critical"), KEY, POLICY, enabled)
    assert decision.action is ActionKind.REVOKE
    assert decision.dry_run
    assert "dry run" in decision.guard


@pytest.mark.parametrize("name", ["key_a", "ann"])
def test_a_protected_key_is_not_touched(name):
    text = f'[guards]\nprotected = ["{name}"]\n[[case]]\naction = "revoke"\nnotify = ["security"]'
    decision = decide(alert_about("key_a"), KEY, parse(text, "p"), ALL)
    assert decision.action is ActionKind.NONE
    assert "protected" in decision.guard
    assert decision.notify == ("security",)


@pytest.mark.parametrize("state", ["revoked", "expired"])
def test_a_key_that_has_ended_is_left_alone(state):
    alert = alert_about("key_a", severity="critical")
    decision = decide(alert, replace(KEY, state=state, verdict=state), POLICY, ALL)
    assert decision.action is ActionKind.NONE
    assert state in decision.guard


@pytest.mark.parametrize(
    "learning",
    [{"kind": "learning"}, {"evidence": (Evidence("learning", "3 of 14 days", "", 1.0),)}],
)
def test_a_key_that_is_still_being_learned_is_never_revoked(learning):
    alert = alert_about("key_a", severity="critical", **learning)
    decision = decide(alert, KEY, POLICY, ALL)
    assert decision.action is ActionKind.NONE
    assert "learned" in decision.guard


alerts = st.builds(
    alert_about,
    st.sampled_from(["", "key_a"]),
    severity=st.sampled_from([s.word for s in Severity]),
    kind=st.sampled_from(["leak", "anomaly", "stuffing", "exposed-in-log"]),
    family=st.sampled_from(["network", "time", "volume", "behaviour", "leak"]),
    ip=st.sampled_from(["", "203.0.113.9"]),
)
keys = st.builds(
    KnownKey,
    st.just("key_a"),
    st.sampled_from(["active", "deprecated"]),
    st.sampled_from(["live", "test", "deprecated", "suspended"]),
    st.sampled_from(["live", "test"]),
    publishable=st.booleans(),
)
switches = st.frozensets(st.sampled_from(sorted(ALL)))


@given(alerts, keys, switches)
def test_a_worse_alert_never_leads_to_less(alert, key, enabled):
    by_severity = [
        strength(decide(replace(alert, severity=s.word), key, POLICY, enabled).action)
        for s in Severity
    ]
    assert by_severity == sorted(by_severity)


@given(alerts, switches)
def test_an_unknown_key_is_never_touched(alert, enabled):
    assert decide(alert, None, POLICY, enabled).action is ActionKind.NONE


@given(alerts, keys, switches)
def test_an_alert_about_an_address_never_touches_a_key(alert, key, enabled):
    decision = decide(replace(alert, key="", ip="203.0.113.9"), key, POLICY, enabled)
    assert decision.action is ActionKind.NONE


@given(alerts, keys, switches)
def test_only_what_is_enabled_is_carried_out(alert, key, enabled):
    decision = decide(alert, key, POLICY, enabled)
    carried_out = decision.action is not ActionKind.NONE and not decision.dry_run
    assert not carried_out or decision.action.value in enabled
