import pytest
from sqlalchemy import select

from actions import judgement
from actions.brakes import breaker_is_open
from actions.executor import Executor
from actions.policy import parse
from actions.undo import done_since, undo
from database.schema import incidents
from database.transaction import reading, transaction
from tests.actions.desk import alert_about


def policy(guards):
    lines = ["[guards]", guards, "[[case]]", 'severity = ["critical"]', 'action = "revoke"']
    rest = ["[[case]]", 'action = "throttle"', "rate_per_min = 9"]
    return parse("\n".join(lines + rest), "p.toml")


def storm(desk, keys, severity="critical"):
    for key in keys:
        desk.answer(alert_about(key, number=key, severity=severity))
        Executor(desk.engine, clock=desk.clock).run_effects()
    return [desk.store.get(key).state for key in keys].count("revoked")


def judged(desk, verb):
    with transaction(desk.engine) as connection:
        verb(connection, judgement.held(connection), actor="bob", now=desk.now)
    Executor(desk.engine, clock=desk.clock).run_effects()


def held(desk):
    return [row.subject for row in desk.rows(state="held")]


def test_revocations_beyond_the_cap_are_held_and_throttles_are_not(desk):
    desk.policy = policy("revocations_per_hour = 3\nbreaker_keys = 100\nbreaker_share = 1.0")
    keys = [desk.key() for _ in range(6)]
    assert storm(desk, keys) == 3
    assert held(desk) == keys[3:]
    assert "cap" in desk.rows(state="held")[0].error
    told = {row.lane for row in desk.rows(effect="notify", subject=keys[-1])}
    assert "notify:security" in told
    another = desk.key()
    storm(desk, [another], "high")
    assert desk.store.get(another).throttle_per_min == 9


def test_the_cap_counts_one_hour(desk):
    desk.policy = policy("revocations_per_hour = 1\nbreaker_keys = 100\nbreaker_share = 1.0")
    assert storm(desk, [desk.key(), desk.key()]) == 1
    desk.now += 3601
    assert storm(desk, [desk.key()]) == 1


def test_a_cap_of_none_holds_every_revocation(desk):
    desk.policy = policy("revocations_per_hour = 0")
    assert storm(desk, [desk.key()]) == 0
    assert len(held(desk)) == 1


def test_the_breaker_opens_on_too_many_keys_and_stays_open_until_a_person_decides(desk):
    desk.policy = policy("breaker_keys = 2\nrevocations_per_hour = 100")
    keys = [desk.key() for _ in range(4)]
    assert storm(desk, keys, "high") == 0
    assert held(desk) == keys[2:]
    desk.now += 10_000
    late = desk.key()
    assert storm(desk, [late]) == 0
    with reading(desk.engine) as connection:
        assert breaker_is_open(connection)
    judged(desk, judgement.reject)
    with reading(desk.engine) as connection:
        assert not breaker_is_open(connection)
    assert desk.store.get(late).state == "active"
    assert storm(desk, [desk.key()]) == 1


def test_what_is_approved_is_carried_out(desk):
    desk.policy = policy("breaker_keys = 1")
    keys = [desk.key() for _ in range(3)]
    assert storm(desk, keys) == 1
    judged(desk, judgement.approve)
    assert [desk.store.get(key).state for key in keys] == ["revoked"] * 3


@pytest.mark.parametrize("severity", ["high", "critical"])
@pytest.mark.parametrize(("share", "through"), [(0.1, 5), (0.5, 8), (1.0, 16)])
def test_the_breaker_opens_on_a_share_of_the_working_keys(desk, share, through, severity):
    # Of 16 working keys: a tenth is less than the five below which no share is looked at.
    desk.policy = policy(f"breaker_keys = 100\nbreaker_share = {share}")
    keys = [desk.key() for _ in range(24)]
    for key in keys[:8]:
        desk.store.revoke(key, actor="ann")
    storm(desk, keys[8:], severity)
    assert len(desk.rows(lane="effect", state="done")) == through


def test_a_key_that_was_touched_already_does_not_count_twice(desk):
    desk.policy = policy("breaker_keys = 1")
    key = desk.key()
    assert storm(desk, [key], "high") == 0
    desk.answer(alert_about(key, number="worse", severity="critical"))
    assert held(desk) == []


def test_dry_runs_are_not_counted(desk):
    desk.policy = policy("revocations_per_hour = 1")
    for number in range(5):
        shown = alert_about(desk.key(), number=number, severity="critical")
        desk.answer(shown, enabled=frozenset())
    assert storm(desk, [desk.key()]) == 1


def test_a_fault_that_would_revoke_every_tenth_key_is_stopped_and_taken_back(desk):
    keys = [desk.key() for _ in range(300)]
    struck = keys[::10]
    assert storm(desk, struck) <= 10
    with reading(desk.engine) as connection:
        numbers = done_since(connection, desk.now - 600)
    for number in sorted(numbers, reverse=True):
        with transaction(desk.engine) as connection:
            undo(connection, number, actor="bob", now=desk.now)
    Executor(desk.engine, clock=desk.clock).run_once()
    assert {desk.store.get(key).state for key in keys} == {"active"}


THIEF = "203.0.113.99"


def stuffing(address=THIEF):
    return alert_about("", number=address, kind="stuffing", severity="medium", ip=address)


def theft(desk, keys, address=THIEF, severity="high"):
    for key in keys:
        desk.answer(alert_about(key, number=key, severity=severity, ip=address))
        Executor(desk.engine, clock=desk.clock).run_effects()
    return len(desk.rows(lane="effect", state="done"))


def test_a_thief_with_many_keys_does_not_open_the_breaker(desk):
    desk.policy = policy("breaker_keys = 3\nbreaker_share = 1.0")
    keys = [desk.key() for _ in range(11)]
    desk.answer(stuffing())
    assert theft(desk, keys[:8]) == 8
    # Two more are two more thieves, and there is room for two.
    theft(desk, keys[8:10], "")
    assert held(desk) == []
    desk.answer(alert_about(keys[10], number="elsewhere", severity="critical", ip="198.51.100.1"))
    assert held(desk) == [keys[10]]


def test_a_thief_with_many_addresses_of_one_network_is_one(desk):
    desk.policy = policy("breaker_keys = 3\nbreaker_share = 1.0")
    desk.answer(stuffing("2001:db8:7:1::9"))
    desk.answer(stuffing("2001:db8:7:1::a"))
    with reading(desk.engine) as connection:
        (incident,) = connection.execute(select(incidents.c.subject)).scalars()
    assert incident == "ip:2001:db8:7:1::/64"
    done = [theft(desk, [desk.key()], f"2001:db8:7:1::{number}") for number in range(6)]
    assert done[-1] == 6
    assert held(desk) == []


@pytest.mark.parametrize("told", ["nothing", "of another", "a false alarm", "long ago"])
def test_many_keys_at_one_address_that_is_no_thief_open_the_breaker(desk, told):
    desk.policy = policy("breaker_keys = 3\nbreaker_share = 1.0")
    keys = [desk.key() for _ in range(6)]
    if told != "nothing":
        desk.answer(stuffing("198.51.100.1" if told == "of another" else THIEF))
    if told == "a false alarm":
        with transaction(desk.engine) as connection:
            judgement.judge(connection, f"alert_{THIEF}", "false", actor="bob", now=desk.now)
    if told == "long ago":
        desk.now += 4000
    assert theft(desk, keys) == 3
    assert held(desk) == keys[3:6]


def test_of_all_keys_a_thief_with_many_gets_no_more_than_the_share(desk):
    desk.policy = policy("breaker_keys = 3\nbreaker_share = 0.2")
    keys = [desk.key() for _ in range(40)]
    desk.answer(stuffing())
    assert theft(desk, keys[:20]) == 8


def leaks(desk, keys):
    for key in keys:
        desk.answer(alert_about(key, number=key, severity="critical", kind="leak", family="leak"))
        Executor(desk.engine, clock=desk.clock).run_effects()
    return [desk.store.get(key).state for key in keys].count("revoked")


@pytest.mark.parametrize("whose", [{"account": "eve"}, {"owner": "eve"}], ids=["account", "owner"])
def test_who_leaks_many_keys_of_their_own_saves_no_key_that_they_stole(desk, whose):
    desk.policy = policy("revocations_per_hour = 4\nbreaker_keys = 3\nbreaker_share = 1.0")
    stolen, own = desk.key(), [desk.key(**whose) for _ in range(12)]
    assert leaks(desk, own) == 12
    assert storm(desk, [stolen]) == 1
    assert held(desk) == []


def test_leaks_of_many_owners_are_capped_and_open_the_breaker(desk):
    desk.policy = policy("revocations_per_hour = 2\nbreaker_keys = 100\nbreaker_share = 1.0")
    assert leaks(desk, [desk.key(owner=f"o{number}") for number in range(4)]) == 2
    desk.policy = policy("revocations_per_hour = 9\nbreaker_keys = 3\nbreaker_share = 1.0")
    assert leaks(desk, [desk.key(owner=f"p{number}") for number in range(4)]) == 1
    assert "breaker" in desk.rows(state="held")[-1].error


def test_of_an_account_no_more_keys_are_touched_and_those_of_others_are(desk):
    desk.policy = policy("breaker_keys = 3\nbreaker_share = 1.0")
    own, stolen = [desk.key(account="eve") for _ in range(6)], desk.key(account="acme")
    assert storm(desk, own) == 3
    assert held(desk) == own[3:]
    assert "account eve: more than 3 of its keys" in desk.rows(state="held")[0].error
    assert storm(desk, [stolen, desk.key()]) == 2
    desk.now += 3601
    another = desk.key(account="eve")
    assert storm(desk, [another]) == 0
    assert leaks(desk, [desk.key(account="eve")]) == 1
    judged(desk, judgement.reject)
    assert storm(desk, [desk.key(account="eve")]) == 1
