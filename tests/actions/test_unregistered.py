"""What is done to a secret, or to somebody, that the key store does not know; and taken back."""

import pytest
from msgspec.structs import replace

from actions.effects import Order
from actions.guards import guarded
from actions.policy import Guards
from actions.unregistered import can, effects_on
from database.transaction import reading, transaction
from keystore import denials
from keystore.denials import Denial, Denied
from tests.actions.desk import alert_about
from vocabulary.action import ActionKind, Decision
from vocabulary.alert import Evidence

SECRET, TOKEN = "credential:" + "0a" * 8, "token:" + "1b" * 8
ARGUMENTS = {"rate_per_min": 7, "duration_s": 600.0, "kind": "leak"}
EFFECTS = [
    (subject, action)
    for subject in (SECRET, TOKEN)
    for action in ("revoke", "suspend", "reissue", "throttle")
    if can(ActionKind(action), subject)
]


def order(desk, subject):
    return Order(subject, "policy", "why", desk.now, ARGUMENTS)


def done(desk, subject, action):
    with transaction(desk.engine) as connection:
        return effects_on(subject)[action].apply(connection, order(desk, subject))


def undone(desk, subject, action, was):
    with transaction(desk.engine) as connection:
        effects_on(subject)[action].revert(connection, order(desk, subject), was)


def answers(desk, subject, later_s=0.0):
    """Return what the deny lists say of the subject's old paper, its new one, and its pace."""
    now = desk.now + later_s
    with reading(desk.engine) as connection:
        found = denials.DenyList(denials.snapshot(connection, now))
    old, new = (found.credential([subject], now, desk.now + by) for by in (-60.0, 60.0))
    pace = found.pace([subject], now)
    return old is not None, new is not None, pace and pace.per_min


def test_all_can_be_done_but_a_secret_alone_has_no_pace():
    assert len(EFFECTS) == 7
    assert (SECRET, "throttle") not in EFFECTS
    assert not can(ActionKind.ROTATE, TOKEN)


@pytest.mark.parametrize(("subject", "action"), EFFECTS)
def test_an_effect_is_taken_back_and_repeating_it_adds_nothing(desk, subject, action):
    was = done(desk, subject, action)
    refused = answers(desk, subject)
    assert (
        refused
        == {
            "revoke": (True, True, None),
            "suspend": (True, True, None),
            "reissue": (True, subject == SECRET, None),
            "throttle": (False, False, 7),
        }[action]
    )
    assert (answers(desk, subject, 601.0) == (False, False, None)) == (
        action in ("suspend", "throttle")
    )
    again = done(desk, subject, action)
    undone(desk, subject, action, again)
    assert answers(desk, subject) == refused
    undone(desk, subject, action, was)
    assert answers(desk, subject) == (False, False, None)


def test_what_a_person_has_denied_is_left_by_an_undo(desk):
    with transaction(desk.engine) as connection:
        mine = Denial(kind=Denied.CREDENTIAL, value=SECRET)
        denials.deny(connection, mine, actor="ann", reason="mine", now=desk.now)
    undone(desk, SECRET, "suspend", done(desk, SECRET, "suspend"))
    assert answers(desk, SECRET, 601.0)[0]


def test_a_key_of_ours_has_the_effects_of_keys():
    assert "rotate" in effects_on("key_a")
    assert effects_on("key_a", {}) == {}


@pytest.mark.parametrize(
    ("subject", "action", "more", "of_unknown", "why"),
    [
        (SECRET, "revoke", {}, False, "the key store does not know the key"),
        (SECRET, "throttle", {}, True, "can only refuse it"),
        (TOKEN, "rotate", {}, True, "can only refuse it"),
        (TOKEN, "revoke", {"kind": "learning"}, True, "still being learned"),
        (SECRET, "revoke", {"protected": (SECRET,)}, True, "is protected"),
        (SECRET, "revoke", {}, True, ""),
        (TOKEN, "throttle", {}, False, ""),
    ],
)
def test_what_speaks_against_an_action_on_the_unknown(subject, action, more, of_unknown, why):
    guards = Guards(protected=more.get("protected", ()))
    alert = replace(
        alert_about(subject, severity="critical"),
        kind=more.get("kind", "leak"),
        evidence=(Evidence("leak", "", "", 0.1),),
    )
    wanted = Decision(ActionKind(action), "policy.toml:1", True, policy="p")
    left = guarded(wanted, alert, None, guards, frozenset({action}), of_unknown=of_unknown)
    assert why in left.guard
    assert (left.action is ActionKind.NONE) == bool(why)
