import pytest
from msgspec.structs import replace
from sqlalchemy import select

from actions.decide import decide
from actions.outbox import record
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
