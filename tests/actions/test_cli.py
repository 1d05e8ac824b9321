import json

import pytest

from actions.executor import Executor
from actions.policy import parse
from keywatch import cli as keywatch_cli
from keywatch.desk import contract
from tests.actions.desk import alert_about
from vocabulary.errors import UsageError


@pytest.fixture
def revoked(desk):
    desk.now = __import__("time").time()
    key = desk.key()
    desk.answer(alert_about(key, severity="critical", summary="odd \x1b[31m<b>"))
    Executor(desk.engine, clock=desk.clock).run_effects()
    return key


def test_actions_are_listed_shown_and_undone(desk, run, revoked):
    (listed,) = json.loads(run("actions", "list", "--json"))
    assert (listed["effect"], listed["state"], listed["subject"]) == ("revoke", "done", revoked)
    assert len(json.loads(run("actions", "list", "--all", "--json"))) == 2
    assert json.loads(run("actions", "list", "--state", "dead", "--json")) == []
    assert json.loads(run("actions", "show", listed["id"], "--json"))["result"]["was"]
    assert json.loads(run("actions", "undo", listed["id"], "--json"))[0]["changed"]
    assert desk.store.get(revoked).state == "active"


def test_all_of_a_time_is_undone(desk, run, revoked):
    run("actions", "undo", "--since", "1h")
    assert desk.store.get(revoked).state == "active"


def test_an_undo_that_is_refused_is_told_and_the_others_go_on(desk, run, revoked):
    other = desk.key()
    leak = alert_about(other, number=2, severity="critical", kind="leak", family="leak")
    desk.answer(leak)
    Executor(desk.engine, clock=desk.clock).run_effects()
    run("actions", "undo", "--since", "1h", exit_code=3)
    assert (desk.store.get(revoked).state, desk.store.get(other).state) == ("active", "revoked")
    run("actions", "undo", "--since", "1h", "--force")
    assert desk.store.get(other).state == "active"


def test_an_action_that_does_not_exist_keeps_no_other_from_being_undone(desk, run, revoked):
    run("actions", "undo", "99", "1", "2", exit_code=2)
    assert desk.store.get(revoked).state == "active"


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [(["99"], 2, "there is no action 99"),
     (["--since", "1h"], 0, "no action was carried out in the last 1h")],
)  # fmt: skip
def test_an_undo_of_nothing_says_so_and_shows_no_empty_table(desk, capsys, words, code, said):
    assert keywatch_cli.run(["--database", str(desk.engine.url), "actions", "undo", *words]) == code
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err


def test_what_is_held_is_approved_or_rejected(desk, run):
    from actions.policy import parse  # noqa: PLC0415

    desk.policy = parse('[guards]\nrevocations_per_hour = 0\n[[case]]\naction = "revoke"', "p")
    keys = [desk.key() for _ in range(2)]
    for key in keys:
        desk.answer(alert_about(key, number=key))
    first, second = (row.id for row in desk.rows(state="held"))
    assert run("actions", "approve", first) == f"{first} approved\n"
    assert run("actions", "reject", "--held") == f"{second} rejected\n"
    Executor(desk.engine, clock=desk.clock).run_effects()
    assert [desk.store.get(key).state for key in keys] == ["revoked", "active"]


def test_what_was_given_up_is_tried_again(desk, run):
    key = desk.key()
    desk.answer(alert_about(key))
    Executor(desk.engine, effects={}, clock=desk.clock).run_effects()
    (dead,) = desk.rows(state="dead")
    run("actions", "retry", dead.id)
    Executor(desk.engine, clock=desk.clock).run_effects()
    assert desk.store.get(key).throttle_per_min == 30


def test_a_fault_that_strikes_every_tenth_key_is_held_and_taken_back_by_one_command(desk, run):
    desk.now = __import__("time").time()
    keys = [desk.key() for _ in range(120)]
    struck = keys[::10]
    for key in struck:  # as of a database of places in which a network has moved
        desk.answer(alert_about(key, number=key, severity="critical"))
        Executor(desk.engine, clock=desk.clock).run_effects()
    revoked = [key for key in struck if desk.store.get(key).state == "revoked"]
    assert 0 < len(revoked) <= desk.policy.guards.breaker_keys
    assert [row.subject for row in desk.rows(state="held")] == struck[len(revoked) :]
    assert desk.rows(lane="notify:security", subject=struck[-1])
    run("actions", "undo", "--since", "1h")
    Executor(desk.engine, clock=desk.clock).run_once()
    assert {desk.store.get(key).state for key in keys} == {"active"}
    assert desk.rows(state="held") == []


def test_actions_are_asked_for_in_every_state(run):
    for state in contract.ACTION_STATES:
        assert run("actions", "list", "--state", state, "--json").strip() == "[]"


def test_alerts_are_listed_shown_and_judged(desk, run, revoked):
    (listed,) = json.loads(run("alerts", "list", "--json"))
    assert (listed["id"], listed["key"], listed["feedback"]) == ("alert_1", revoked, "")
    assert json.loads(run("alerts", "list", "--severity", "low", "--json")) == []
    shown = json.loads(run("alerts", "show", "alert_1", "--json"))
    assert shown["incident"]["state"] == "contained"
    assert [action["effect"] for action in shown["actions"]] == ["revoke", "notify"]
    for word, verdict in (("ack", "acknowledged"), ("confirm", "confirmed"), ("false", "false")):
        assert run("alerts", word, "alert_1") == f"alert_1 {verdict}\n"
    assert json.loads(run("alerts", "list", "--new", "--json")) == []
    assert json.loads(run("alerts", "show", "alert_1", "--json"))["incident"]["state"] == "false"


def test_what_attackers_wrote_moves_no_cursor(run, revoked):
    for words in (("alerts", "list"), ("alerts", "show", "alert_1"), ("actions", "show", 1)):
        assert "\x1b" not in run(*words)


@pytest.mark.parametrize(
    "words",
    [
        ("actions", "undo"),
        ("actions", "undo", "--since", "soon"),
        ("actions", "show", "99"),
        ("actions", "approve"),
        ("actions", "retry", "99"),
        ("alerts", "show", "none"),
        ("alerts", "false", "none"),
    ],
)
def test_wrong_words_are_refused(run, words):
    with pytest.raises(UsageError):
        run(*words)


def test_the_policy_is_shown_and_a_decision_explained(run, revoked):
    shown = json.loads(run("policy", "show", "--json"))
    assert shown["cases"][-1]["when"] == "always"
    explained = json.loads(run("policy", "explain", "alert_1", "--json"))
    assert explained["policy"] == shown["digest"]
    assert explained["line"] in {case["line"] for case in shown["cases"]}
    assert "policy.toml" in run("policy", "show")
    assert "policy.toml" in run("policy", "explain", "alert_1")


def test_a_case_of_the_unknown_is_told_and_held_against_a_table(run, tmp_path):
    policy, table, config = (tmp_path / name for name in ("p.toml", "t.toml", "keywatch.toml"))
    policy.write_text('[[case]]\nname = "ours once"\nknown = false\naction = "revoke"\n')
    config.write_text(f'[actions]\npolicy = "{policy}"\n')
    table.write_text(
        '[[test]]\nname = "leaked"\nkey = { known = false }\nexpect = { action = "revoke" }\n'
        '[[test]]\nname = "ours"\nexpect = { action = "none" }\n'
        '[[test]]\nname = "let in"\nkey = { known = false, id = "token:0123456789abcdef" }\n'
        'expect = { action = "revoke" }\n'
    )
    assert "leaked" in run("--config", config, "policy", "test", table)
    (case,) = json.loads(run("--config", config, "policy", "show", "--json"))["cases"]
    assert case["when"] == "unknown to the key store"


def test_a_version_that_decided_can_be_read_later(desk, run, revoked):
    earlier = desk.policy
    desk.policy = parse(earlier.text + "\n# another\n", "policy.toml")
    desk.answer(alert_about(revoked, number="later"))
    for policy in (earlier, desk.policy):
        assert run("policy", "show", "--version", policy.digest) == policy.text
    with pytest.raises(UsageError, match="has decided"):
        run("policy", "show", "--version", "0" * 12)
    assert "proven" in run("audit", "verify")


def test_the_policy_is_held_against_a_table(run, tmp_path):
    table = tmp_path / "tests.toml"
    table.write_text(
        '[[test]]\nname = "stolen"\nalert = { severity = "critical" }\n'
        'expect = { action = "revoke", notify = ["security"] }\n'
        '[[test]]\nname = "unknown"\nalert = { severity = "critical" }\nkey = { known = false }\n'
        'expect = { action = "none" }\n'
        '[[test]]\nname = "stuffing"\nalert = { severity = "critical", ip = "203.0.113.9" }\n'
        'expect = { action = "none" }\n'
    )
    assert "stolen" in run("policy", "test", table)
    table.write_text('[[test]]\nname = "high"\nexpect = { action = "revoke", notify = ["log"] }\n')
    (outcome,) = json.loads(run("policy", "test", table, "--json", exit_code=1))
    assert "expected revoke" in outcome["wrong"]
    table.write_text('[[test]]\nname = "a"\nexpct = { action = "none" }')
    with pytest.raises(UsageError, match=r"tests.toml:.*expect"):
        run("policy", "test", table)
