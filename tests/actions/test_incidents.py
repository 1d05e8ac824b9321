import json

import pytest
from click.testing import CliRunner

from actions import casebook
from actions.closing import move, write_note
from actions.executor import Executor
from actions.judgement import judge_all
from actions.policy import parse
from actions.undo import undo
from database.schema import keys
from database.transaction import reading, transaction
from keystore import audit
from keywatch.cli import keywatch
from tests.actions.desk import alert_about
from vocabulary.errors import ConfigError, UsageError


@pytest.fixture
def run(desk):
    def run(*arguments):
        words = ["--database", str(desk.engine.url), "incidents", *map(str, arguments)]
        result = CliRunner().invoke(keywatch, words, standalone_mode=False)
        if result.exception:
            raise result.exception
        return result.stdout

    return run


def leak_about(key, number="leak", **other):
    return alert_about(key, number=number, kind="leak", family="leak", **other)


def work(desk):
    Executor(desk.engine, clock=desk.clock).run_once()


def listed(desk, **wanted):
    with reading(desk.engine) as connection:
        return casebook.list_incidents(connection, **wanted)


def shown(desk, incident):
    with reading(desk.engine) as connection:
        return casebook.show_incident(connection, incident)


def moved(desk, incident, state, **said):
    with transaction(desk.engine) as connection:
        return move(connection, incident, state, actor="bob", now=desk.now, **said)


def stolen(desk):
    """A key that leaks, is slowed down, and is then used from elsewhere."""
    key = desk.key()
    desk.answer(leak_about(key, severity="high"))
    work(desk)
    desk.now += 60
    desk.answer(alert_about(key, number="foreign", severity="medium"))
    work(desk)
    return key


def test_alerts_of_one_key_become_one_incident_whose_decision_grows(desk):
    key = stolen(desk)
    (incident,) = listed(desk)
    assert (incident["subject"], incident["alerts_count"]) == (key, 2)
    assert (incident["severity"], incident["action"], incident["state"]) == (
        "critical",
        "revoke",
        "contained",
    )
    assert (incident["owner"], incident["environment"]) == ("ann", "live")
    assert "leaked before" in incident["summary"]
    whole = shown(desk, incident["id"])
    assert whole["decision"]["line"].startswith("policy.toml:")
    assert [alert["kind"] for alert in whole["alerts"]] == ["leak", "anomaly"]
    assert [action["effect"] for action in whole["actions"]] == ["throttle", "revoke"]
    assert whole["key"]["state"] == "revoked"


def test_the_timeline_tells_everything_in_order(desk):
    key = stolen(desk)
    (incident,) = listed(desk)
    desk.now += 5
    with transaction(desk.engine) as connection:
        write_note(connection, incident["id"], "called the owner", actor="bob", now=desk.now)
    desk.store.restore(key, actor="carol", reason="a test")
    told = shown(desk, incident["id"])["timeline"]
    assert [entry["at"] for entry in told] == sorted(entry["at"] for entry in told)
    assert [entry["kind"] for entry in told if entry["kind"] in {"alert", "person"}] == [
        "alert",
        "alert",
        "person",
    ]
    said = [(entry["kind"], entry["what"]) for entry in told]
    assert ("action", "throttle carried out") in said
    assert ("action", "revoke carried out") in said
    assert ("message", "security was told") in said
    assert ("person", "note: called the owner") in said
    assert ("key", "restore: a test") in said


def test_every_decision_is_sealed_with_evidence_policy_and_guard(desk):
    key = stolen(desk)
    (incident,) = listed(desk)
    with reading(desk.engine) as connection:
        rows = [row for row in audit.rows_since(connection) if row.verb == "decide"]
        assert audit.verify(connection).broken_at == 0
    assert [row.subject for row in rows] == [incident["id"]] * 2
    assert [row.details["action"] for row in rows] == ["throttle", "revoke"]
    last = rows[1].details
    assert (last["about"], last["policy"]) == (key, desk.policy.digest)
    assert last["evidence"][-1]["detector"] == "leak"
    assert {"guard", "line", "dry_run", "held", "alert"} <= set(last)


def test_what_is_closed_is_told_to_those_who_were_told_and_opens_anew(desk):
    key = stolen(desk)
    (incident,) = listed(desk)
    moved(desk, incident["id"][:8], "resolved", note="rotated")
    closings = [
        row.arguments
        for row in desk.rows(effect="notify")
        if row.arguments["type"] == "incident.resolved"
    ]
    assert {row.lane for row in desk.rows(effect="notify", alert_id="")} == {
        "notify:owner",
        "notify:security",
    }
    assert closings[0]["data"]["incident"]["id"] == incident["id"]
    assert (closings[0]["data"]["by"], closings[0]["data"]["note"]) == ("bob", "rotated")
    assert len(shown(desk, incident["id"])["messages"]) == 4
    moved(desk, incident["id"], "resolved")
    assert len(desk.rows(effect="notify", alert_id="")) == 2
    desk.now += 1
    desk.answer(alert_about(key, number="again", severity="low"))
    assert [one["state"] for one in listed(desk)] == ["open", "resolved"]


def test_what_is_over_cannot_be_taken_on(desk):
    stolen(desk)
    (incident,) = listed(desk)
    moved(desk, incident["id"], "false")
    with pytest.raises(UsageError, match="over"):
        moved(desk, incident["id"], "acknowledged")


def test_an_undo_of_all_that_contained_it_leaves_a_person_on_it(desk):
    key = desk.key()
    desk.answer(alert_about(key, severity="critical"))
    work(desk)
    (action,) = desk.rows(lane="effect")
    with transaction(desk.engine) as connection:
        undo(connection, action.id, actor="bob", now=desk.now + 1)
    assert listed(desk)[0]["state"] == "acknowledged"
    told = shown(desk, listed(desk)[0]["id"])["timeline"]
    assert any(entry["what"] == "revoke carried out" for entry in told)
    assert any("undo of action" in entry["what"] for entry in told)


def test_lists_are_narrowed_and_paged(desk):
    keys = [desk.key() for _ in range(3)]
    for number, key in enumerate(keys):
        desk.now += 1
        desk.answer(alert_about(key, number=number, severity=("low", "high", "high")[number]))
    assert [one["subject"] for one in listed(desk)] == keys[::-1]
    assert [one["subject"] for one in listed(desk, severity="low")] == keys[:1]
    assert [one["subject"] for one in listed(desk, key=keys[1])] == keys[1:2]
    first = listed(desk, limit=1)[0]["id"]
    assert [one["subject"] for one in listed(desk, before=first)] == keys[1::-1]
    moved(desk, first, "false")
    assert [one["subject"] for one in listed(desk, going_on=True)] == keys[1::-1]
    assert listed(desk, state="acknowledged") == []


def test_a_false_incident_teaches_of_all_its_alerts(desk):
    stolen(desk)
    (incident,) = listed(desk)
    with transaction(desk.engine) as connection:
        judge_all(connection, incident["id"], "false", actor="bob", now=desk.now)
    assert {alert["feedback"] for alert in shown(desk, incident["id"])["alerts"]} == {"false"}


def test_the_commands(desk, run):
    desk.now = __import__("time").time()
    stolen(desk)
    (row,) = json.loads(run("list", "--json", "--state", "contained"))
    incident = row["id"]
    assert json.loads(run("show", incident, "--json"))["timeline"]
    assert "revoke" in run("list")
    assert "revoke carried out" in run("show", incident[:9])
    assert run("note", incident, "who", "is", "it?") == f"{incident} noted\n"
    assert run("ack", incident, "--note", "mine") == f"{incident} acknowledged\n"
    assert run("resolve", incident, "--confirmed") == f"{incident} resolved\n"
    whole = json.loads(run("show", incident, "--json"))
    assert {alert["feedback"] for alert in whole["alerts"]} == {"confirmed"}
    said = [entry["what"] for entry in whole["timeline"] if entry["kind"] == "person"]
    assert said[:3] == ["note: who is it?", "acknowledge: mine", "resolve"]
    assert run("false", incident) == f"{incident} false\n"


def test_hostile_text_moves_no_cursor(desk, run):
    key = desk.key()
    desk.answer(alert_about(key, severity="critical", summary="odd \x1b[31m\u202e<b>"))
    (incident,) = listed(desk)
    for words in (("list",), ("show", incident["id"])):
        assert "\x1b" not in run(*words)
        assert "\u202e" not in run(*words)


@pytest.mark.parametrize("words", [("show", "none"), ("ack", "none"), ("note", "none", "x")])
def test_wrong_words_are_refused(run, words):
    with pytest.raises(UsageError):
        run(*words)


def test_a_note_says_something_and_not_too_much(desk):
    stolen(desk)
    (incident,) = listed(desk)
    for note in ("  ", "x" * 5000):
        with pytest.raises(UsageError), transaction(desk.engine) as connection:
            write_note(connection, incident["id"], note, actor="bob", now=desk.now)


def test_one_instant_holds_several_moves_and_each_is_told(desk):
    stolen(desk)
    (incident,) = listed(desk)
    for state in ("resolved", "false", "resolved"):
        moved(desk, incident["id"], state)
    told = [row.arguments["type"] for row in desk.rows(effect="notify", lane="notify:owner")]
    assert told[-3:] == ["incident.resolved", "incident.false", "incident.resolved"]


def test_the_timeline_tells_what_was_given_up_and_who_could_not_be_told(desk):
    def failing(*_):
        raise ConfigError("gone")

    desk.answer(alert_about(desk.key(), severity="critical"))
    told = dict.fromkeys(("owner", "security"), failing)
    Executor(desk.engine, effects={}, notifiers=told, clock=desk.clock).run_once()
    (incident,) = listed(desk)
    said = [entry["what"] for entry in shown(desk, incident["id"])["timeline"]]
    assert any(one.startswith("revoke given up: ") for one in said)
    assert any(one.startswith("security could not be told: gone") for one in said)
    assert "revoke carried out" not in said


def test_a_key_that_was_forgotten_holds_up_nothing_that_was_to_follow(desk):
    later = 'action = "throttle"\nrate_per_min = 3\nduration = "1h"\nthen = "revoke"\nafter = "30m"'
    desk.policy = parse(f"[[case]]\n{later}", "p.toml")
    lost, other = desk.key(), desk.key()
    for key in (lost, other):
        desk.answer(alert_about(key, number=key))
    work(desk)
    with transaction(desk.engine) as connection:
        connection.execute(keys.delete().where(keys.c.id == lost))
    desk.now += 1801
    work(desk)
    work(desk)
    states = {row.subject: row.state for row in desk.rows(effect="revoke")}
    assert (states[other], desk.store.get(other).state) == ("done", "revoked")
    assert states[lost] == "dead"
