import pytest
from msgspec.structs import replace
from sqlalchemy import select

from actions.decide import decide
from actions.executor import Executor
from actions.idempotency import idempotency_key
from actions.incident import join
from actions.outbox import announce, record
from actions.undo import undo
from database.schema import alerts, incidents
from database.transaction import reading, transaction
from keystore import usage
from tests.actions.desk import ALL, START, alert_about
from vocabulary.action import ActionKind


def incidents_of(desk):
    with reading(desk.engine) as connection:
        return connection.execute(select(incidents)).all()


def effects(desk):
    return [(row.effect, row.state) for row in desk.rows(lane="effect")]


def test_an_alert_is_written_with_its_incident_effect_and_notification(desk):
    key = desk.key()
    answered = desk.answer(alert_about(key))
    assert (answered.action, answered.dry_run) == ("throttle", False)
    effect, told = desk.rows()
    assert (effect.effect, effect.subject, effect.state) == ("throttle", key, "waiting")
    assert (told.effect, told.lane, told.state) == ("notify", "notify:owner", "waiting")
    assert told.arguments["type"] == "incident.opened"
    assert told.arguments["data"]["key"] == {"id": key, "owner": "ann", "environment": "live"}
    with reading(desk.engine) as connection:
        alert = connection.execute(select(alerts)).one()
    assert alert.body["action"] == "throttle"
    assert alert.body["dry_run"] is False
    assert alert.decision["line"].startswith("policy.toml:")


def recorded(desk, alert, decision):
    with transaction(desk.engine) as connection:
        assert record(connection, alert, decision, desk.known(alert.key), desk.now)
    return desk.rows()


def test_what_is_to_be_done_is_written_with_all_that_whoever_does_it_must_know(desk):
    key = desk.key()
    alert = alert_about(key, ip="203.0.113.7", summary="s" * 400)
    usual = decide(alert, desk.known(key), desk.policy, ALL)
    decision = replace(
        usual, held=True, guard="too many", approvals=2, duration_s=600.0, rate_per_min=7,
        notify=("owner", "owner", "security"),
    )  # fmt: skip
    effect, *told = recorded(desk, alert, decision)
    arguments = {name: value for name, value in effect.arguments.items() if name != "blast"}
    assert arguments == {
        "reason": "s" * 300, "kind": "anomaly", "severity": "high", "source": "203.0.113.7",
        "rate_per_min": 7, "duration_s": 600.0, "line": usual.line, "policy": usual.policy,
        "approvals": 2,
    }  # fmt: skip
    assert (effect.state, effect.error, effect.attempts) == ("held", "too many", 0)
    assert [(row.lane, row.state, row.error) for row in told] == [
        ("notify:owner", "waiting", ""),
        ("notify:security", "waiting", ""),
    ]
    for row in (effect, *told):
        assert (row.alert_id, row.subject, row.not_before, row.created_at, row.attempts) == (
            alert.id,
            key,
            0.0,
            desk.now,
            0,
        )
    # receivers know a message again by its key: it must be the same after an upgrade as well
    assert [row.idempotency_key for row in (effect, *told)] == [
        idempotency_key("act", alert.id, "throttle"),
        idempotency_key("msg", alert.id, "owner"),
        idempotency_key("msg", alert.id, "security"),
    ]
    with reading(desk.engine) as connection:
        written = connection.execute(select(alerts)).mappings().one()
    (incident,) = incidents_of(desk)
    assert (written["incident_id"], written["subject"], written["kind"], written["severity"]) == (
        incident.id,
        key,
        "anomaly",
        "high",
    )
    assert (written["ts"], written["recorded_at"]) == (START, desk.now)
    assert written["decision"]["guard"] == "too many"


@pytest.mark.parametrize(("after_s", "acts"), [(3599.0, 1), (3600.0, 2)])
def test_a_throttle_is_in_force_until_the_moment_of_its_end(desk, after_s, acts):
    key = desk.key()
    desk.answer(alert_about(key, number=1))
    desk.now += after_s
    desk.answer(alert_about(key, number=2))
    assert len(effects(desk)) == acts


def test_a_revocation_is_in_force_for_as_long_as_the_incident(desk):
    key = desk.key()
    desk.answer(alert_about(key, number=1, severity="critical"))
    assert effects(desk) == [("revoke", "waiting")]
    desk.now += 80_000
    desk.answer(alert_about(key, number=2, severity="critical"))
    assert len(effects(desk)) == 1


def test_a_throttle_lasts_from_when_it_was_carried_out(desk):
    key = desk.key()
    desk.answer(alert_about(key, number=1))
    desk.now += 3000
    Executor(desk.engine, clock=desk.clock).run_effects()
    for number, (wait, acts) in enumerate([(3000, 1), (599, 1), (1, 2)], 2):
        desk.now += wait
        desk.answer(alert_about(key, number=number))
        assert len(effects(desk)) == acts


@pytest.mark.parametrize(("after_s", "acts"), [(86_000, False), (86_401, True)])
def test_what_a_person_undid_counts_for_as_long_as_the_incident(desk, after_s, acts):
    """A throttle would be over after an hour: that a person took it back is not."""
    key = desk.key()
    desk.answer(alert_about(key, number=1))
    (row,) = desk.rows(lane="effect")
    with transaction(desk.engine) as connection:
        undo(connection, row.id, actor="bob", now=desk.now)
    # what keeps the incident open is no reason to act
    desk.now += after_s / 2
    desk.answer(alert_about(key, number=2, severity="low"))
    desk.now += after_s / 2
    desk.answer(alert_about(key, number=3))
    assert ("throttle", "waiting") in effects(desk) if acts else len(effects(desk)) == 1


@pytest.mark.parametrize("enabled", [frozenset(), ALL])
def test_what_was_shown_is_not_shown_again(desk, enabled):
    key = desk.key()
    for number in range(2):
        desk.answer(alert_about(key, number=number), enabled=enabled)
    assert len(effects(desk)) == 1


def test_what_was_given_up_does_not_stand_in_for_the_deed(desk):
    key = desk.key()
    desk.answer(alert_about(key, number=1))
    Executor(desk.engine, effects={}, clock=desk.clock).run_effects()
    desk.answer(alert_about(key, number=2))
    assert effects(desk) == [("throttle", "dead"), ("throttle", "waiting")]


def test_an_announcement_goes_once_to_each_who_was_told(desk):
    key = desk.key()
    desk.answer(alert_about(key))
    (row,) = incidents_of(desk)
    said = {"type": "incident.resolved"}
    with transaction(desk.engine) as connection:
        incident = join(
            connection, alert_about(key), decide(alert_about(key), None, desk.policy, ALL), None,
            desk.now, 86_400.0,
        )  # fmt: skip
        for cause in ("a", "b"):
            announce(
                connection, incident, said, ("notify:x", "notify:y", "notify:x"), (cause,), 5.0
            )
    told = [each for each in desk.rows(effect="notify") if each.arguments == said]
    assert [(each.lane, each.subject, each.alert_id, each.state) for each in told] == [
        ("notify:x", key, "", "waiting"),
        ("notify:y", key, "", "waiting"),
    ] * 2
    assert {(each.attempts, each.not_before, each.created_at, each.error) for each in told} == {
        (0, 0.0, 5.0, "")
    }
    assert [each.idempotency_key for each in told] == [
        idempotency_key("msg", row.id, cause, f"notify:{lane}") for cause in "ab" for lane in "xy"
    ]
    assert incident.id == row.id


def test_recording_the_same_alert_again_changes_nothing(desk):
    key = desk.key()
    alert = alert_about(key, severity="critical")
    desk.answer(alert)
    before = desk.rows(), incidents_of(desk)
    desk.now += 1000
    desk.answer(alert)
    assert (desk.rows(), incidents_of(desk)) == before


def test_what_is_rolled_back_leaves_nothing(desk):
    key = desk.key()
    decision = decide(alert_about(key), desk.known(key), desk.policy, ALL)

    def fail():
        with transaction(desk.engine) as connection:
            record(connection, alert_about(key), decision, None, START)
            raise ArithmeticError

    with pytest.raises(ArithmeticError):
        fail()
    assert desk.rows() == []
    assert incidents_of(desk) == []


def test_a_second_alert_of_an_incident_is_not_acted_on_again(desk):
    key = desk.key()
    for number in range(3):
        desk.answer(alert_about(key, number=number))
    assert effects(desk) == [("throttle", "waiting")]
    assert len(desk.rows(effect="notify")) == 1
    assert len(incidents_of(desk)) == 1


def test_a_decision_grows_with_the_evidence_and_never_shrinks(desk):
    key = desk.key()
    for number, severity in enumerate(["high", "critical", "high", "low", "critical"]):
        desk.answer(alert_about(key, number=number, severity=severity))
    assert [effect for effect, _ in effects(desk)] == ["throttle", "revoke"]
    (incident,) = incidents_of(desk)
    assert incident.severity == "critical"


def test_a_throttle_that_has_run_out_is_renewed(desk):
    key = desk.key()
    desk.answer(alert_about(key, number=1))
    desk.now += 3601
    desk.answer(alert_about(key, number=2))
    assert len(effects(desk)) == 2
    assert len(incidents_of(desk)) == 1


def test_alerts_far_apart_are_two_incidents(desk):
    key = desk.key()
    desk.answer(alert_about(key, number=1))
    desk.now += 86_401
    desk.answer(alert_about(key, number=2))
    assert len(incidents_of(desk)) == 2


def test_what_was_only_shown_does_not_stand_in_for_the_deed(desk):
    key = desk.key()
    shown = desk.answer(alert_about(key, number=1), enabled=frozenset())
    assert (shown.action, shown.dry_run) == ("throttle", True)
    desk.answer(alert_about(key, number=2), enabled=frozenset())
    desk.answer(alert_about(key, number=3))
    assert effects(desk) == [("throttle", "dry_run"), ("throttle", "waiting")]


def test_a_leak_followed_by_foreign_use_is_critical(desk):
    key = desk.key()
    leak = alert_about(key, number=1, kind="leak", family="leak", severity="medium")
    foreign = alert_about(key, number=2, severity="medium")
    desk.answer(leak)
    answered = desk.answer(foreign)
    assert (answered.severity, answered.action) == ("critical", "revoke")
    assert "leaked before" in answered.summary
    assert answered.id == foreign.id


@pytest.mark.parametrize(
    "harmless", [{"family": "volume"}, {"severity": "low"}, {"family": "leak", "kind": "leak"}]
)
def test_a_leak_followed_by_anything_else_is_not(desk, harmless):
    key = desk.key()
    desk.answer(alert_about(key, number=1, kind="leak", family="leak", severity="low"))
    answered = desk.answer(alert_about(key, number=2, **({"severity": "medium"} | harmless)))
    assert answered.severity != "critical"


def test_an_alert_about_an_address_touches_no_key(desk):
    answered = desk.answer(alert_about("", ip="203.0.113.9", kind="stuffing", severity="critical"))
    assert answered.action == "none"
    assert effects(desk) == []
    assert desk.rows(lane="notify:security")[0].subject == "ip:203.0.113.9"


def test_hostile_text_does_not_stop_a_revocation(desk):
    key = desk.key()
    hostile = "\x1b[2J\0\ud800 <script>" + "x" * 100_000
    desk.answer(alert_about(key, severity="critical", summary=hostile))
    assert effects(desk) == [("revoke", "waiting")]
    said = desk.rows(effect="notify")[0].arguments["data"]["alert"]["summary"]
    assert "\0" not in said
    assert len(said) <= 2000


LATER = [
    ({"then": ActionKind.REVOKE, "then_after_s": 60.0}, "revoke"),
    ({"undo_after_s": 60.0}, "undo"),
]


@pytest.mark.parametrize(("later", "effect"), LATER)
@pytest.mark.parametrize("dry_run", [False, True])
def test_what_follows_an_action_is_written_beside_it_and_after_a_show_nothing(
    desk, later, effect, dry_run
):
    key = desk.key()
    alert = alert_about(key)
    decided = replace(decide(alert, desk.known(key), desk.policy, ALL), dry_run=dry_run, **later)
    with transaction(desk.engine) as connection:
        record(connection, alert, decided, desk.known(key), START)
    first, *more = desk.rows(lane="effect")
    assert (first.state, len(more)) == ("dry_run" if dry_run else "waiting", 1 - dry_run)
    for one in more:
        assert (one.effect, one.state, one.not_before) == (effect, "scheduled", START + 60)
        assert one.arguments["follows"] == first.id
        assert one.arguments["blast"] == first.arguments["blast"]


def test_what_an_action_would_hit_is_written_with_it(desk):
    key = desk.key()
    alert = alert_about(key)
    hour = int(START // usage.HOUR_S - 1) * usage.HOUR_S
    with transaction(desk.engine) as connection:
        used = usage.Use(key, hour, "GET", 2, "203.0.113.0/24", 7)
        usage.record(connection, [used], {key: START}, START)
        decided = decide(alert, desk.known(key), desk.policy, ALL)
        record(
            connection, alert, decided, desk.known(key), START, called=lambda _: ["GET /v1/orders"]
        )
    (effect,) = desk.rows(lane="effect")
    blast = effect.arguments["blast"]
    assert (blast["requests"], blast["called"]) == (7, ["GET /v1/orders"])
