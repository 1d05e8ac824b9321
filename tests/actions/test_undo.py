import pytest
from sqlalchemy import select

from actions import judgement
from actions.executor import Executor
from actions.policy import parse
from actions.undo import done_since, undo
from database.schema import audit, incidents
from database.transaction import reading, transaction
from keystore.audit import verify
from tests.actions.desk import alert_about
from vocabulary.errors import TransitionError, UsageError


def act(desk, *alerts):
    for alert in alerts:
        desk.answer(alert)
        Executor(desk.engine, clock=desk.clock).run_effects()
    return [row.id for row in desk.rows(lane="effect")]


def take_back(desk, number, **options):
    with transaction(desk.engine) as connection:
        return undo(connection, number, actor="bob", now=desk.now, **options)


def test_a_revocation_is_undone_once_and_told(desk):
    key = desk.key()
    (number,) = act(desk, alert_about(key, severity="critical"))
    assert take_back(desk, number).changed
    assert desk.store.get(key).state == "active"
    assert not take_back(desk, number).changed
    (row, told) = desk.rows(lane="effect")
    assert (row.state, row.result["undone"]["actor"]) == ("undone", "bob")
    assert (told.effect, told.state, told.arguments["undoes"]) == ("restore", "done", number)
    with reading(desk.engine) as connection:
        about = select(audit).where(audit.c.subject == key)
        last = connection.execute(about.order_by(audit.c.seq.desc())).first()
        assert (last.actor, last.verb, last.subject) == ("bob", "restore", key)
        assert verify(connection).broken_at == 0


def test_a_throttle_goes_back_to_the_one_before(desk):
    key = desk.key()
    desk.store.throttle(key, per_min=500, until=None, actor="bob")
    (number,) = act(desk, alert_about(key))
    assert desk.store.get(key).throttle_per_min == 30
    take_back(desk, number)
    assert desk.store.get(key).throttle_per_min == 500


def test_a_throttle_that_was_over_by_itself_does_not_come_back(desk):
    key = desk.key()
    desk.store.throttle(key, per_min=500, until=desk.now + 10, actor="bob")
    (number,) = act(desk, alert_about(key))
    desk.now += 60
    take_back(desk, number)
    assert desk.store.get(key).throttle_per_min is None


def test_a_suspension_is_lifted(desk):
    desk.policy = parse('[[case]]\naction = "suspend"\nduration = "1h"', "p.toml")
    key = desk.key()
    (number,) = act(desk, alert_about(key))
    assert desk.store.get(key).is_suspended(desk.now)
    take_back(desk, number)
    assert not desk.store.get(key).is_suspended(desk.now)


def test_throttle_and_revocation_are_undone_in_any_order(desk):
    key = desk.key()
    alerts = alert_about(key, number=1), alert_about(key, number=2, severity="critical")
    throttle, revocation = act(desk, *alerts)
    take_back(desk, throttle)
    assert desk.store.get(key).state == "revoked"
    take_back(desk, revocation)
    found = desk.store.get(key)
    assert (found.state, found.throttle_per_min) == ("active", None)


def test_the_later_undo_does_not_count_as_a_change_by_a_person(desk):
    key = desk.key()
    alerts = alert_about(key, number=1), alert_about(key, number=2, severity="critical")
    throttle, revocation = act(desk, *alerts)
    take_back(desk, revocation)
    take_back(desk, throttle)
    assert desk.store.get(key).throttle_per_min is None


def test_what_a_person_did_since_is_not_overruled_without_force(desk):
    key = desk.key()
    (number,) = act(desk, alert_about(key))
    desk.store.throttle(key, per_min=3, until=None, actor="carol")
    with pytest.raises(TransitionError, match="carol has changed"):
        take_back(desk, number)
    assert desk.store.get(key).throttle_per_min == 3
    take_back(desk, number, force=True)
    assert desk.store.get(key).throttle_per_min is None


def test_a_newer_action_of_the_same_kind_is_undone_first(desk):
    key = desk.key()
    act(desk, alert_about(key, number=1))
    desk.now += 4000
    first, second = act(desk, alert_about(key, number=2))
    with pytest.raises(TransitionError, match=f"undo {second} first"):
        take_back(desk, first)
    take_back(desk, second)
    take_back(desk, first)


def test_a_key_whose_leak_is_proven_comes_back_by_force_alone(desk):
    key = desk.key()
    leak = alert_about(key, severity="critical", kind="leak", family="leak")
    (number,) = act(desk, leak)
    with pytest.raises(TransitionError, match="proven"):
        take_back(desk, number)
    assert desk.store.get(key).state == "revoked"
    take_back(desk, number, force=True)
    assert desk.store.get(key).state == "active"


def test_what_a_person_had_revoked_before_stays_revoked(desk):
    key = desk.key()
    desk.answer(alert_about(key, severity="critical"))
    desk.store.revoke(key, actor="carol")
    Executor(desk.engine, clock=desk.clock).run_effects()
    (number,) = act(desk)
    assert not take_back(desk, number).changed
    assert desk.store.get(key).state == "revoked"


def test_what_was_not_begun_is_called_off(desk):
    key = desk.key()
    desk.answer(alert_about(key, severity="critical"))
    (row,) = desk.rows(lane="effect")
    assert take_back(desk, row.id).changed
    Executor(desk.engine, clock=desk.clock).run_effects()
    assert desk.store.get(key).state == "active"


def test_what_never_happened_cannot_be_undone(desk):
    key = desk.key()
    desk.answer(alert_about(key), enabled=frozenset())
    effect, told = desk.rows()
    with pytest.raises(UsageError, match="dry run"):
        take_back(desk, effect.id)
    with pytest.raises(UsageError, match="notification"):
        take_back(desk, told.id)
    with pytest.raises(UsageError, match="no action 99"):
        take_back(desk, 99)


def test_after_an_undo_the_same_evidence_does_not_act_again_and_later_evidence_does(desk):
    key = desk.key()
    (number,) = act(desk, alert_about(key, number=1, severity="critical"))
    take_back(desk, number)
    act(desk, alert_about(key, number=2, severity="critical"))
    assert desk.store.get(key).state == "active"
    desk.now += 86_401
    act(desk, alert_about(key, number=3, severity="critical"))
    assert desk.store.get(key).state == "revoked"


def test_all_of_a_time_is_taken_back_newest_first(desk):
    made = [desk.key() for _ in range(3)]
    act(desk, *(alert_about(key, number=key, severity="critical") for key in made))
    with reading(desk.engine) as connection:
        numbers = done_since(connection, desk.now - 60)
    for number in sorted(numbers, reverse=True):
        take_back(desk, number)
    assert {desk.store.get(key).state for key in made} == {"active"}


def test_an_alert_is_judged_and_its_incident_with_it(desk):
    key = desk.key()
    desk.answer(alert_about(key, number="aa"))
    desk.answer(alert_about(key, number="ab"))

    def judge(alert, verdict):
        with transaction(desk.engine) as connection:
            judgement.judge(connection, alert, verdict, actor="bob", now=desk.now)
            return connection.execute(select(incidents.c.state)).scalar_one()

    assert judge("alert_aa", "acknowledged") == "acknowledged"
    assert judge("alert_aa", "false") == "acknowledged"
    assert judge("alert_ab", "false") == "false"
    with pytest.raises(UsageError, match="more than one"):
        judge("alert_a", "false")
    with pytest.raises(UsageError, match="no alert"):
        judge("other", "false")
    desk.answer(alert_about(key, number="b"))
    with reading(desk.engine) as connection:
        assert len(connection.execute(select(incidents)).all()) == 2


def test_an_undo_that_was_carried_out_is_no_action_to_undo(desk):
    desk.policy = parse('[[case]]\naction = "revoke"\nundo_after = "1h"', "p.toml")
    key = desk.key()
    act(desk, alert_about(key, severity="critical"))
    desk.now += 3601
    Executor(desk.engine, clock=desk.clock).run_effects()
    Executor(desk.engine, clock=desk.clock).run_effects()
    assert desk.store.get(key).state == "active"
    (undone,) = desk.rows(effect="undo")
    assert undone.state == "done"
    with pytest.raises(UsageError, match="was an undo itself"):
        take_back(desk, undone.id)


def test_saying_the_same_of_an_alert_again_changes_nothing(desk):
    desk.answer(alert_about(desk.key(), number="aa"))
    seen = []
    for _ in range(2):
        with transaction(desk.engine) as connection:
            assert judgement.judge(connection, "alert_aa", "false", actor="bob", now=desk.now)
        with reading(desk.engine) as connection:
            seen.append(connection.execute(select(audit.c.seq)).all())
    assert seen[0] == seen[1]
