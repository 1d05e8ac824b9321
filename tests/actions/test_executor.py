import pytest
from sqlalchemy import select, update

from actions import notify, queue
from actions.effects import Effect
from actions.executor import LEASE_S, Executor
from actions.retry import EFFECT_ATTEMPTS, NOTIFICATION_ATTEMPTS, delay_s
from actions.stages import UNDO
from database.schema import audit, incidents, outbox
from database.transaction import reading, transaction
from tests.actions.desk import alert_about
from vocabulary.errors import ConfigError, ServiceError


class Told(list):
    """A notifier that keeps what it is told, and fails as long as it should."""

    def __init__(self, failures=0, error=ServiceError):
        super().__init__()
        self.failures, self.error = failures, error

    def __call__(self, message, idempotency_key, now):
        if self.failures:
            self.failures -= 1
            raise self.error("the receiver is away")
        self.append((idempotency_key, message["data"]["alert"]["id"]))


def executor(desk, **other):
    told = Told()
    names = ("owner", "security", "log")
    options = {"notifiers": dict.fromkeys(names, told), "clock": desk.clock, "random": lambda: 0.0}
    return Executor(desk.engine, **(options | other))


def verbs(desk, key):
    with reading(desk.engine) as connection:
        query = select(audit.c.verb).where(audit.c.subject == key).order_by(audit.c.seq)
        return list(connection.execute(query).scalars())


def test_a_high_alert_throttles_the_key_for_an_hour(desk):
    key = desk.key()
    desk.answer(alert_about(key))
    assert executor(desk).run_once() == 2
    found = desk.store.get(key)
    assert (found.throttle_per_min, found.throttle_until) == (30, desk.now + 3600)
    assert not found.is_throttled(desk.now + 3601)


def test_a_critical_alert_revokes_the_key_and_contains_the_incident(desk):
    key = desk.key()
    desk.answer(alert_about(key, severity="critical"))
    executor(desk).run_once()
    assert desk.store.get(key).state == "revoked"
    assert not desk.store.get(key).leak_proven
    with reading(desk.engine) as connection:
        assert connection.execute(select(incidents.c.state)).scalar_one() == "contained"


def test_a_proven_leak_is_noted_at_the_key(desk):
    key = desk.key()
    desk.answer(alert_about(key, severity="critical", kind="leak", family="leak"))
    executor(desk).run_once()
    assert desk.store.get(key).leak_proven


def test_nothing_is_done_twice(desk):
    key = desk.key()
    desk.answer(alert_about(key))
    one, other = executor(desk), executor(desk)
    assert [one.run_once(), other.run_once(), one.run_once()] == [2, 0, 0]
    assert verbs(desk, key) == ["create", "throttle"]


def test_a_dry_run_touches_nothing_and_is_told(desk):
    key, told = desk.key(), Told()
    desk.answer(alert_about(key, severity="critical"), enabled=frozenset())
    executor(desk, notifiers={"security": told}).run_once()
    assert desk.store.get(key).state == "active"
    assert len(told) == 1


def test_an_effect_never_loosens_what_a_person_set(desk):
    key = desk.key()
    desk.store.throttle(key, per_min=5, until=None, actor="bob")
    desk.answer(alert_about(key))
    executor(desk).run_once()
    assert desk.store.get(key).throttle_per_min == 5
    assert desk.store.get(key).throttle_until is None


def test_effects_on_a_key_keep_their_order_while_one_is_retried(desk):
    key, other = desk.key(), desk.key()
    failures = [ServiceError("away"), ServiceError("away")]
    done = []

    def apply(connection, order):
        del connection
        if order.key_id == key and failures:
            raise failures.pop()
        done.append((order.key_id, order.arguments["rate_per_min"]))
        return {}

    effect = Effect(apply, lambda *_: None)
    carrying = executor(desk, effects={"throttle": effect, "revoke": effect})
    desk.answer(alert_about(key, number=1))
    desk.answer(alert_about(key, number=2, severity="critical"))
    desk.answer(alert_about(other, number=3))
    carrying.run_effects()
    assert done == [(other, 30)]
    for _ in range(3):
        desk.now += 4
        carrying.run_effects()
    assert done == [(other, 30), (key, 30), (key, 0)]


def test_an_effect_that_fails_leaves_the_key_as_it_was(desk):
    key = desk.key()

    def apply(connection, order):
        desk_effects["revoke"].apply(connection, order)
        raise ServiceError("too late")

    from actions.effects import effects  # noqa: PLC0415

    desk_effects = effects()
    desk.answer(alert_about(key, severity="critical"))
    carrying = executor(desk, effects={"revoke": Effect(apply, lambda *_: None)})
    for _ in range(EFFECT_ATTEMPTS + 1):
        carrying.run_effects()
        desk.now += 4000
    assert desk.store.get(key).state == "active"
    (row,) = desk.rows(lane="effect")
    assert (row.state, row.attempts) == ("dead", EFFECT_ATTEMPTS)
    assert "too late" in row.error


@pytest.mark.parametrize("defect", [KeyError("x"), ZeroDivisionError()])
def test_a_defect_of_an_effect_stops_no_other(desk, defect):
    key, other = desk.key(), desk.key()

    def apply(connection, order):
        del connection
        if order.key_id == key:
            raise defect
        return {}

    desk.answer(alert_about(key, number=1))
    desk.answer(alert_about(other, number=2))
    executor(desk, effects={"throttle": Effect(apply, lambda *_: None)}).run_effects()
    assert [row.state for row in desk.rows(lane="effect")] == ["waiting", "done"]


@pytest.mark.parametrize("change", [{"effect": UNDO, "arguments": {}}, {"arguments": ["none"]}])
def test_a_row_that_makes_no_sense_holds_up_no_other(desk, change):
    first, second = desk.key(), desk.key()
    desk.answer(alert_about(first, number=1, severity="critical"))
    with transaction(desk.engine) as connection:
        connection.execute(update(outbox).where(outbox.c.lane == "effect").values(change))
    desk.answer(alert_about(second, number=2, severity="critical"))
    executor(desk).run_effects()
    assert desk.store.get(second).state == "revoked"
    (row,) = (one for one in desk.rows(lane="effect") if one.subject == first)
    assert (row.state, row.attempts) == ("waiting", 1)
    assert row.error.startswith("the effect failed: ")


def test_a_key_that_cannot_be_changed_is_given_up_at_once(desk):
    key = desk.key()
    desk.answer(alert_about(key))
    desk.store.revoke(key, actor="bob")
    executor(desk).run_once()
    (row,) = desk.rows(lane="effect")
    assert (row.state, row.attempts) == ("dead", 1)
    assert "revoked" in row.error


def test_an_unknown_effect_is_given_up(desk):
    desk.answer(alert_about(desk.key()))
    executor(desk, effects={}).run_once()
    assert desk.rows(lane="effect")[0].state == "dead"


def test_a_failing_notifier_blocks_no_action_and_no_other_notifier(desk):
    key, other = desk.key(), desk.key()
    away, here = Told(failures=1000), Told()
    carrying = executor(desk, notifiers={"owner": away, "security": here})
    desk.answer(alert_about(key, number=1))
    desk.answer(alert_about(other, number=2, severity="critical"))
    carrying.run_once()
    assert desk.store.get(key).throttle_per_min == 30
    assert desk.store.get(other).state == "revoked"
    assert len(here) == 1
    for _ in range(NOTIFICATION_ATTEMPTS):
        desk.now += 4000
        carrying.run_once()
    (row,) = desk.rows(lane="notify:owner")
    assert (row.state, row.attempts) == ("dead", NOTIFICATION_ATTEMPTS)


@pytest.mark.parametrize("error", [ServiceError, RuntimeError])
def test_a_notification_is_repeated_under_the_same_id_until_it_is_taken(desk, error):
    told = Told(failures=2, error=error)
    desk.answer(alert_about(desk.key()))
    carrying = executor(desk, notifiers={"owner": told})
    for _ in range(4):
        carrying.run_once()
        desk.now += 4
    (row,) = desk.rows(effect="notify")
    assert (row.state, row.attempts) == ("done", 3)
    assert [key for key, _ in told] == [row.idempotency_key]


def test_a_receiver_that_is_gone_for_good_is_given_up_at_once(desk):
    desk.answer(alert_about(desk.key()))
    executor(desk, notifiers={"owner": Told(failures=1, error=ConfigError)}).run_once()
    assert desk.rows(effect="notify")[0].state == "dead"


def test_a_name_that_nobody_configured_is_told_by_the_log(desk, capsys):
    desk.answer(alert_about(desk.key()))
    Executor(desk.engine, clock=desk.clock).run_once()
    assert '"type": "incident.opened"' in capsys.readouterr().err


def test_messages_about_a_key_keep_their_order_and_other_keys_do_not_wait(desk):
    key, other = desk.key(), desk.key()
    desk.policy = notify_all()
    told = Told(failures=1)
    carrying = executor(desk, notifiers={"owner": told})
    for number, (about, severity) in enumerate([(key, "low"), (key, "medium"), (other, "low")]):
        desk.answer(alert_about(about, number=number, severity=severity))
    carrying.run_once()
    assert [alert for _, alert in told] == ["alert_2"]
    desk.now += 4
    carrying.run_once()
    assert [alert for _, alert in told] == ["alert_2", "alert_0", "alert_1"]


def notify_all():
    from actions.policy import parse  # noqa: PLC0415

    return parse('[[case]]\nnotify = ["owner"]', "p.toml")


def test_what_a_dead_executor_had_leased_is_taken_over_when_its_time_is_up(desk):
    told = Told()
    desk.answer(alert_about(desk.key()))
    (row,) = desk.rows(effect="notify")
    with transaction(desk.engine) as connection:
        queue.lease(connection, [row.id], "the dead one", desk.now + LEASE_S)
    carrying = executor(desk, notifiers={"owner": told})
    carrying.run_notifications()
    assert told == []
    desk.now += LEASE_S
    carrying.run_notifications()
    assert len(told) == 1
    with transaction(desk.engine) as connection:
        queue.failed(connection, row.id, "the dead one", "late", None)
    assert desk.rows(effect="notify")[0].state == "done"


def test_who_finishes_waits_for_what_a_dead_executor_had_leased(desk):
    desk.answer(alert_about(desk.key(), severity="high"))
    executor(desk, owner="dead").run_effects()
    with transaction(desk.engine) as connection:
        rows = queue.due(connection, desk.now, 100, effects=False)
        queue.lease(connection, [row.id for row in rows], "dead", desk.now + LEASE_S)
    waited = []

    def wait(seconds):
        waited.append(seconds)
        desk.now += seconds

    executor(desk, owner="living").run_out(wait)
    assert {row.state for row in desk.rows()} == {"done"}
    assert sum(waited) == pytest.approx(LEASE_S, abs=1)
    executor(desk).run_out(wait)
    assert len(waited) == 1


def test_a_clock_that_jumps_back_holds_up_no_effect(desk):
    key = desk.key()
    desk.answer(alert_about(key))
    desk.now -= 100_000
    executor(desk).run_once()
    assert desk.store.get(key).throttle_per_min == 30


def test_a_held_effect_waits_for_a_person(desk):
    key = desk.key()
    desk.answer(alert_about(key))
    with transaction(desk.engine) as connection:
        connection.execute(update(outbox).where(outbox.c.lane == "effect").values(state="held"))
    executor(desk).run_once()
    assert desk.store.get(key).throttle_per_min is None


def test_waiting_doubles_up_to_an_hour_with_jitter():
    assert [delay_s(n, lambda: 0.0) for n in (1, 2, 3)] == [1.0, 2.0, 4.0]
    assert delay_s(3, lambda: 0.5) == 6.0
    assert delay_s(500, lambda: 0.0) == 1800.0


def test_every_notifier_of_the_folder_refuses_an_unknown_type_and_log_is_always_there():
    assert set(notify.ways()) >= {"log", "webhook"}
    assert set(notify.notifiers([])) == {"log"}
    with pytest.raises(ConfigError, match="carrier-pigeon"):
        notify.notifiers([{"name": "a", "type": "carrier-pigeon"}])
