"""What guards leave of a decision: all of it, none of it, or a show; and why."""

import pytest
from msgspec.structs import replace

from actions.guards import guarded, strength
from actions.policy import Guards
from tests.actions.desk import alert_about
from vocabulary.action import ActionKind, Decision
from vocabulary.alert import Evidence
from vocabulary.credential import KnownKey

KEY = KnownKey("key_a", "active", "live", "live", owner="ann")
ALERT = alert_about("key_a", severity="critical")
WANTED = Decision(
    ActionKind.REVOKE, "policy.toml:7", True, policy="abc", notify=("security",),
    rate_per_min=30, duration_s=60.0, then_after_s=5.0, undo_after_s=9.0, approvals=2,
)  # fmt: skip
REVOKE, NOTHING = frozenset({"revoke"}), frozenset()
ADDRESS = "the alert is about an address, not about a key"
LEARNING = (Evidence("learning", "", "", 0.1),)


def test_what_is_enabled_is_left_whole_and_carried_out():
    assert guarded(WANTED, ALERT, KEY, Guards(), REVOKE) == replace(WANTED, dry_run=False)


def test_what_is_not_enabled_is_left_whole_and_shown():
    shown = guarded(WANTED, ALERT, KEY, Guards(), NOTHING)
    said = "dry run: `revoke` is not among the enabled actions"
    assert shown == replace(WANTED, dry_run=True, guard=said)
    assert guarded(replace(WANTED, dry_run=False), ALERT, KEY, Guards(), NOTHING) == shown


def test_what_the_store_does_not_know_is_touched_only_where_the_case_says_so_in_so_many_words():
    foreign = replace(ALERT, key="credential:" + "0a" * 8)
    left = guarded(WANTED, foreign, None, Guards(), REVOKE)
    assert left.action is ActionKind.NONE
    assert guarded(WANTED, foreign, None, Guards(), REVOKE, of_unknown=True).action == "revoke"


@pytest.mark.parametrize(("enabled", "dry_run"), [(REVOKE, False), (NOTHING, True)])
def test_nothing_stays_nothing_whatever_the_key_is(enabled, dry_run):
    nothing = replace(WANTED, action=ActionKind.NONE)
    assert guarded(nothing, ALERT, None, Guards(), enabled) == replace(nothing, dry_run=dry_run)


@pytest.mark.parametrize(
    ("alert", "key", "guards", "why"),
    [
        (
            {"key": "", "ip": "203.0.113.9"},
            {},
            (),
            "the alert is about an address, not about a key",
        ),
        ({}, None, (), "the key store does not know the key"),
        ({}, {"verdict": "revoked"}, (), "the key is revoked already"),
        ({}, {"verdict": "expired"}, (), "the key is expired already"),
        ({"kind": "learning"}, {}, (), "what is usual for this key is still being learned"),
        ({"evidence": LEARNING}, {}, (), "what is usual for this key is still being learned"),
        ({}, {}, ("key_a",), "`key_a` is protected"),
        ({}, {}, ("bob", "ann"), "`ann` is protected"),
    ],
)
@pytest.mark.parametrize("enabled", [REVOKE, NOTHING])
def test_an_objection_leaves_nothing_but_who_is_told_and_why(alert, key, guards, why, enabled):
    known = None if key is None else replace(KEY, **key)
    wanted = replace(WANTED, then=ActionKind.SUSPEND)
    left = guarded(wanted, replace(ALERT, **alert), known, Guards(protected=guards), enabled)
    assert left == Decision(
        ActionKind.NONE, "policy.toml:7", not enabled, policy="abc", notify=("security",),
        guard=f"revoke not done: {why}", approvals=2,
    )  # fmt: skip


def test_a_key_that_is_being_learned_may_be_slowed_down():
    slow = replace(WANTED, action=ActionKind.THROTTLE)
    enabled = frozenset({"throttle"})
    left = guarded(slow, replace(ALERT, kind="learning"), KEY, Guards(), enabled)
    assert left == replace(slow, dry_run=False)


def test_a_key_without_an_owner_is_nobodys_protected_key():
    left = guarded(WANTED, ALERT, replace(KEY, owner=""), Guards(protected=("",)), REVOKE)
    assert left == replace(WANTED, dry_run=False)


@pytest.mark.parametrize("enabled", [frozenset({"throttle"}), frozenset({"throttle", "revoke"})])
def test_what_would_follow_must_be_enabled_too(enabled):
    first = replace(WANTED, action=ActionKind.THROTTLE, then=ActionKind.REVOKE)
    left = guarded(first, ALERT, KEY, Guards(), enabled)
    if "revoke" in enabled:
        assert left == replace(first, dry_run=False)
    else:
        said = "`revoke` would follow, and is not among the enabled actions"
        nothing = {"then": ActionKind.NONE, "then_after_s": 0.0}
        assert left == replace(first, dry_run=False, guard=said, **nothing)


def test_strength_orders_the_actions():
    assert strength("none") == 0
    assert strength(ActionKind.REVOKE) == max(map(strength, ActionKind))
    assert strength("throttle") < strength("suspend") < strength("revoke")
