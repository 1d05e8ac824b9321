"""Guards that need people, time or traffic, and the user's own say."""

import pytest
from msgspec.structs import replace

from actions import hook as hooks
from actions import judgement
from actions.blast import blast_of
from actions.executor import Executor, Limits
from actions.hook import consulted
from actions.maintenance import Window
from actions.policy import parse
from actions.respond import respond
from database.transaction import reading, transaction
from keystore import usage
from keystore.usage import HOUR_S, Use
from tests.actions.desk import ALL, START, alert_about
from vocabulary.action import ActionKind, Decision
from vocabulary.credential import KnownKey
from vocabulary.errors import ConfigError

REVOKE = '\n[[case]]\naction = "revoke"\nnotify = ["security"]\n'
DAY_S = 86_400.0


def policy(guards, cases=REVOKE):
    return parse(f"[guards]\n{guards}\n{cases}", "p.toml")


def work(desk):
    Executor(desk.engine, clock=desk.clock, limits=Limits(guards=desk.policy.guards)).run_effects()


def state(desk, key):
    return desk.store.get(key).state


def judged(desk, verb, who):
    with transaction(desk.engine) as connection:
        numbers = judgement.held(connection)
        done = verb(connection, numbers, actor=who, now=desk.now)
    work(desk)
    return done


def test_two_people_must_approve_and_one_twice_is_not_two(desk):
    desk.policy = policy('two_person = ["revoke"]')
    key = desk.key()
    desk.answer(alert_about(key))
    assert "two people" in desk.rows(state="held")[0].error
    assert judged(desk, judgement.approve, "bob") == []
    assert judged(desk, judgement.approve, "bob") == []
    assert state(desk, key) == "active"
    assert len(judged(desk, judgement.approve, "carol")) == 1
    assert state(desk, key) == "revoked"


def test_one_person_is_enough_to_say_no(desk):
    desk.policy = policy('two_person = ["revoke"]')
    key = desk.key()
    desk.answer(alert_about(key))
    judged(desk, judgement.approve, "bob")
    assert len(judged(desk, judgement.reject, "carol")) == 1
    assert state(desk, key) == "active"


WEEKLY = "[[guards.maintenance]]\nname = 'move'\nweekly = 'sun 12:00-18:00'\n"


@pytest.mark.parametrize(
    ("extra", "about", "held"),
    [
        ("", {}, True),
        ("owner = ['ann']\n", {}, True),
        ("owner = ['bob']\n", {}, False),
        ("environment = ['test']\n", {}, False),
        ("", {"kind": "leak", "family": "leak"}, False),
    ],
)
def test_in_a_maintenance_window_actions_about_anomalies_are_held(desk, extra, about, held):
    desk.policy = policy(WEEKLY + extra)  # START is a Sunday, 15:06 UTC
    key = desk.key()
    desk.answer(alert_about(key, **about))
    work(desk)
    assert (state(desk, key) == "active") == held
    desk.now += 4 * 3600
    other = desk.key()
    desk.answer(alert_about(other, number=2, **about))
    work(desk)
    assert state(desk, other) == "revoked"


@pytest.mark.parametrize(
    ("weekly", "tz", "holds"),
    [
        ("sun 15:00-15:07", "UTC", True),
        ("sun 15:00-15:06", "UTC", False),
        ("sat 22:00-16:00", "UTC", True),
        ("sun 16:00-14:00", "UTC", False),
        ("sat 16:00-15:30", "UTC", True),
        ("mon 00:00-01:00", "Asia/Tokyo", True),
        ("sun 15:00-16:00", "Asia/Tokyo", False),
        ("sun 00:00-00:00", "UTC", True),
    ],
)
def test_weekly_windows_are_on_their_own_clock_and_go_over_midnight(weekly, tz, holds):
    assert Window(weekly=weekly, tz=tz).holds(None, START) == holds


def test_a_window_that_is_once():
    window = Window(begin="2025-06-15T15:00:00Z", end="2025-06-15T16:00:00Z")
    assert [window.holds(None, START + s) for s in (-600, 0, 3600)] == [False, True, False]


def test_a_launch_day_is_announced_for_keys_and_holds_back_no_critical_evidence(desk):
    launching, stolen, other = (desk.key() for _ in range(3))
    about = f"key = ['{launching}', '{stolen}']\nseverity = ['low', 'medium', 'high']\n"
    desk.policy = policy(WEEKLY + about)
    desk.answer(alert_about(launching, number=1))
    desk.answer(alert_about(stolen, number=2, severity="critical"))
    desk.answer(alert_about(other, number=3))
    work(desk)
    found = [state(desk, key) for key in (launching, stolen, other)]
    assert found == ["active", "revoked", "revoked"]


STAGED = """
[[case]]
severity = ["high"]
action = "throttle"
rate_per_min = 9
duration = "2h"
then = "revoke"
after = "30m"
notify = ["security"]
[[case]]
action = "revoke"
"""


def test_what_nobody_takes_on_grows_stronger(desk):
    desk.policy = policy("", STAGED)
    key = desk.key()
    desk.answer(alert_about(key))
    work(desk)
    assert desk.store.get(key).throttle_per_min == 9
    desk.now += 1799
    work(desk)
    assert state(desk, key) == "active"
    desk.now += 1
    work(desk)
    assert state(desk, key) == "revoked"
    work(desk)
    assert [row.state for row in desk.rows(effect="revoke")] == ["done"]


@pytest.mark.parametrize("verdict", ["acknowledged", "false"])
def test_who_takes_it_on_stops_what_would_follow(desk, verdict):
    desk.policy = policy("", STAGED)
    key = desk.key()
    desk.answer(alert_about(key))
    work(desk)
    with transaction(desk.engine) as connection:
        judgement.judge(connection, "alert_1", verdict, actor="bob", now=desk.now)
    desk.now += 1800
    work(desk)
    assert state(desk, key) == "active"
    assert "called off" in desk.rows(state="skipped")[0].error
    desk.now += 1
    desk.answer(alert_about(key, number="worse", severity="critical"))
    work(desk)
    assert state(desk, key) == "revoked"


def test_what_would_follow_is_in_no_ones_way(desk):
    desk.policy = policy("", STAGED)
    key = desk.key()
    desk.answer(alert_about(key))
    work(desk)
    desk.answer(alert_about(key, number="worse", severity="critical"))
    work(desk)
    assert state(desk, key) == "revoked"


def test_what_follows_is_braked_like_everything(desk):
    desk.policy = policy("revocations_per_hour = 0", STAGED)
    key = desk.key()
    desk.answer(alert_about(key))
    work(desk)
    desk.now += 1800
    work(desk)
    assert state(desk, key) == "active"
    assert "cap" in desk.rows(state="held")[0].error


def test_an_undo_of_the_first_stage_takes_the_second_along(desk):
    from actions.undo import undo  # noqa: PLC0415

    desk.policy = policy("", STAGED)
    key = desk.key()
    desk.answer(alert_about(key))
    work(desk)
    with transaction(desk.engine) as connection:
        undo(connection, desk.rows(effect="throttle")[0].id, actor="bob", now=desk.now)
    desk.now += 1800
    work(desk)
    assert state(desk, key) == "active"


TIMED = '[[case]]\naction = "revoke"\nundo_after = "2h"\n'


def test_a_revocation_for_a_time_is_undone_once_unless_confirmed(desk):
    desk.policy = policy("", TIMED)
    keys = [desk.key() for _ in range(2)]
    for number, key in enumerate(keys):
        desk.answer(alert_about(key, number=number))
    work(desk)
    with transaction(desk.engine) as connection:
        judgement.judge(connection, "alert_1", "confirmed", actor="bob", now=desk.now)
    assert [state(desk, key) for key in keys] == ["revoked", "revoked"]
    desk.now += 7200
    work(desk)
    work(desk)
    assert [state(desk, key) for key in keys] == ["active", "revoked"]
    assert [row.state for row in desk.rows(effect="undo")] == ["done", "skipped"]


def test_a_timed_undo_does_not_overrule_a_person(desk):
    desk.policy = policy("", TIMED)
    key = desk.key()
    desk.answer(alert_about(key))
    work(desk)
    desk.store.restore(key, actor="carol")
    desk.store.revoke(key, actor="carol")
    desk.now += 7200
    work(desk)
    assert state(desk, key) == "revoked"
    assert "carol" in desk.rows(effect="undo")[0].error


def used(desk, requests, hour=-2):
    begin = int(START // HOUR_S) * HOUR_S + hour * HOUR_S
    rows = [Use(key, begin, "GET", 2, "198.51.100.0/24", n) for key, n in requests.items()]
    with transaction(desk.engine) as connection:
        usage.record(connection, rows, {}, START)


def test_a_key_with_much_of_the_traffic_is_not_revoked_without_a_person(desk):
    desk.policy = policy("")
    keys = [desk.key() for _ in range(20)]
    used(desk, dict.fromkeys(keys, 10) | {keys[0]: 100})
    for number in (0, 1):
        desk.answer(alert_about(keys[number], number=number))
    work(desk)
    assert [state(desk, key) for key in keys[:2]] == ["active", "revoked"]
    assert "of all requests" in desk.rows(state="held")[0].error


def test_a_thief_cannot_make_a_key_too_busy_to_be_revoked(desk):
    desk.policy = policy("")
    keys = [desk.key() for _ in range(20)]
    used(desk, dict.fromkeys(keys, 10))
    used(desk, {keys[0]: 100_000}, hour=0)
    desk.answer(alert_about(keys[0]))
    work(desk)
    assert state(desk, keys[0]) == "revoked"


def test_where_keys_are_few_each_has_a_large_share(desk):
    desk.policy = policy("")
    key = desk.key()
    used(desk, {key: 100})
    desk.answer(alert_about(key))
    work(desk)
    assert state(desk, key) == "revoked"


def test_the_breaker_opens_on_a_share_of_the_traffic(desk):
    throttle = '[[case]]\naction = "throttle"\nrate_per_min = 9\n'
    desk.policy = policy("breaker_keys = 100\nbreaker_share = 1.0", throttle)
    keys = [desk.key() for _ in range(20)]
    used(desk, dict.fromkeys(keys, 10) | {keys[0]: 300, keys[1]: 300})
    for number in (2, 0, 1):
        desk.answer(alert_about(keys[number], number=number))
        work(desk)
    assert [row.subject for row in desk.rows(state="held")] == [keys[1]]
    assert "breaker" in desk.rows(state="held")[0].error


def test_the_blast_radius_is_written_down_with_the_action(desk):
    keys = [desk.key() for _ in range(2)]
    used(desk, {keys[0]: 30, keys[1]: 10})
    desk.answer(alert_about(keys[0]))
    said = desk.rows(lane="effect")[0].arguments["blast"]
    assert (said["requests"], said["share"]) == (30, 0.75)
    assert said["networks"] == [["198.51.100.0/24", 30]]
    with reading(desk.engine) as connection:
        assert "75.0% of all" in blast_of(connection, keys[0], START).sentence()
        assert "nobody" not in blast_of(connection, keys[1], START).sentence()
        called = [f"GET /v1/{number}" for number in range(7)]
        said = blast_of(connection, keys[0], START, called).sentence()
        assert said.endswith(
            "; it calls GET /v1/0, GET /v1/1, GET /v1/2, GET /v1/3, GET /v1/4 and 2 more"
        )
        assert not blast_of(connection, "key_none", START).known


def test_a_key_is_to_be_reissued(desk):
    desk.policy = policy("", '[[case]]\naction = "reissue"\nduration = "7d"\n')
    key = desk.key()
    desk.answer(alert_about(key))
    work(desk)
    found = desk.store.get(key)
    assert (found.state, found.grace_until) == ("deprecated", START + 7 * DAY_S)
    assert found.is_suspended(desk.now + DAY_S)
    new = desk.store.rotate(key, actor="ann")
    assert not new.key.is_suspended(desk.now)


EXPOSED = """
[[case]]
kind = ["leak"]
exposure = ["private"]
action = "rotate"
duration = "7d"
[[case]]
action = "revoke"
"""


@pytest.mark.parametrize(
    ("exposure", "action"), [("private", "rotate"), ("public", "revoke"), ("", "revoke")]
)
def test_where_a_leak_can_be_read_makes_a_difference(desk, exposure, action):
    desk.policy = policy("", EXPOSED)
    alert = alert_about(desk.key(), kind="leak", family="leak", exposure=exposure)
    assert desk.answer(alert).action == action


HOOK = """
from msgspec.structs import replace
from vocabulary.action import ActionKind

def spare(alert, key, decision):
    if key is not None and key.owner == "pay" and decision.action == "revoke":
        return replace(decision, action=ActionKind.SUSPEND, duration_s=60.0)
    return None

def broken(alert, key, decision):
    raise RuntimeError("no")

def silly(alert, key, decision):
    return "revoke"

def endless(alert, key, decision):
    return replace(decision, action=ActionKind.THROTTLE, rate_per_min=0)

def graceless(alert, key, decision):
    return replace(decision, action=ActionKind.REISSUE, duration_s=0.0)

def hasty(alert, key, decision):
    return replace(decision, then=ActionKind.REVOKE)
"""


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "mine.py"
    path.write_text(HOOK)
    return path


def test_the_users_own_say_comes_before_the_guards(desk, file):
    spare = hooks.load(f"{file}:spare")
    for owner, action in (("pay", "suspend"), ("ann", "revoke")):
        key = desk.key(owner=owner)
        with transaction(desk.engine) as connection:
            alert = alert_about(key, number=owner, severity="critical")
            known = desk.known(key)
            answered = respond(connection, alert, known, desk.policy, ALL, desk.now, spare)
        assert answered.action == action
    with reading(desk.engine) as connection:
        from actions.ledger import show_alert  # noqa: PLC0415

        assert (
            f"{file}:spare after policy.toml"
            in show_alert(connection, "alert_pay")["decision"]["line"]
        )


@pytest.mark.parametrize("name", ["broken", "silly", "endless", "graceless", "hasty"])
def test_a_say_that_fails_changes_nothing_and_is_told(file, name):
    wanted = Decision(ActionKind.THROTTLE, "p.toml:1", dry_run=True, rate_per_min=9)
    known = KnownKey("key_a", "active", "live", "live")
    said = consulted(hooks.load(f"{file}:{name}"), alert_about("key_a"), known, wanted)
    assert replace(said, guard="") == wanted
    assert name in said.guard


@pytest.mark.parametrize("named", ["none.py:f", "spare", "{file}:none", "{file}"])
def test_a_say_that_is_not_there_is_refused(file, named):
    with pytest.raises(ConfigError):
        hooks.load(named.format(file=file))


def test_a_file_that_fails_is_refused(tmp_path):
    (tmp_path / "bad.py").write_text("1 / 0")
    with pytest.raises(ConfigError, match="ZeroDivisionError"):
        hooks.load(f"{tmp_path}/bad.py:f")
    assert hooks.load("") is None
