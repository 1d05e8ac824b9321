"""What is read back of alerts and actions: only what is asked for, the newest first."""

import pytest

from actions.ledger import find_alert, list_actions, list_alerts, show_action
from database.transaction import reading
from tests.actions.desk import alert_about
from vocabulary.errors import UsageError


@pytest.fixture
def told(desk):
    """Two keys with two alerts each, and a way to read."""
    keys = [desk.key(owner="ann"), desk.key(owner="bob")]
    for number, key in enumerate(keys * 2):
        severity = "critical" if number < 2 else "low"
        desk.answer(alert_about(key, number=str(number + 1), severity=severity))
        desk.now += 60

    def read(what, **asked):
        with reading(desk.engine) as connection:
            return what(connection, **asked)

    read.keys = keys
    return read


def test_actions_are_those_of_a_key_in_a_state_and_older_than_one(told):
    every = told(list_actions)
    assert [one["id"] for one in every] == sorted((one["id"] for one in every), reverse=True)
    assert {one["subject"] for one in every} == set(told.keys)
    mine = told(list_actions, key=told.keys[0])
    assert mine == [one for one in every if one["subject"] == told.keys[0]]
    assert told(list_actions, before=every[0]["id"]) == every[1:]
    assert told(list_actions, limit=1) == every[:1]
    for state in {one["state"] for one in every} | {"dead"}:
        assert told(list_actions, state=state) == [one for one in every if one["state"] == state]
    assert {one["effect"] for one in told(list_actions, notifications=True)} > {
        one["effect"] for one in every
    }


def test_alerts_are_those_of_a_key_and_a_severity(told):
    every = told(list_alerts)
    assert len(every) == 4
    for key in told.keys:
        assert told(list_alerts, key=key) == [one for one in every if one["key"] == key]
    for severity in ("critical", "low", "high"):
        found = told(list_alerts, severity=severity)
        assert found == [one for one in every if one["severity"] == severity]
    assert told(list_alerts, feedback="false") == []


def test_an_alert_is_known_by_a_beginning_that_no_other_has(told):
    ids = sorted(one["id"] for one in told(list_alerts))
    assert told(find_alert, alert_id=ids[0]).id == ids[0]
    for wrong, said in (("", "more than one"), (ids[0][:4], "more than one"), ("x%", "no alert")):
        with pytest.raises(UsageError, match=said):
            told(find_alert, alert_id=wrong)


def test_an_action_that_is_not_there_is_told(told):
    with pytest.raises(UsageError, match="no action 99999"):
        told(show_action, outbox_id=99_999)
