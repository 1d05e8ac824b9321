"""Keys that are used are read again: cheaply if nothing changed, and whatever changed is seen."""

import asyncio
import time
from hashlib import sha256

import pytest
from sqlalchemy import text

from database.transaction import transaction
from gateway.app import Gateway, asked_of
from gateway.follower import Follower, Question, place_of
from gateway.options import Options
from gateway.reader import Reader
from gateway.renewal import Renewal
from keystore.accounts import Changes
from keystore.plans import Plan
from tests.gateway.test_app import ask, echo, scope_of, with_key
from tests.gateway.test_validate import conversation
from vocabulary.credential import credential_of

NOW = 1_700_000_000.0
HELD_S = 60.0


def by_sql(shelf, statement, **values):
    """Change what the feed does not tell of."""
    with transaction(shelf.store.engine) as connection:
        connection.execute(text(statement), values)


def used_lately(shelf):
    by_sql(shelf, "UPDATE keys SET last_used_at = :at", at=NOW)


@pytest.fixture
def follower(shelf):
    follower = Follower(shelf.store.engine, place_of(shelf.store.engine))
    yield follower
    follower.close()


def looked_up(follower, secret):
    credential = credential_of(secret)
    follower.is_touched()
    (answer,) = follower.look_up([Question(bytes.fromhex(credential.sha256), credential)])
    return answer


def renewed(follower, *answers, now=NOW):
    """Return the digests that stand as they did."""
    follower.is_touched()
    asked = [Renewal(answer.digest, answer.mark, now, now + HELD_S) for answer in answers]
    return {same.digest for same in follower.unchanged(asked)}


def test_only_the_keys_whose_rows_changed_are_worked_out_anew(shelf, follower):
    issued = [shelf.issue() for _ in range(9)]
    used_lately(shelf)
    answers = [looked_up(follower, one.secret) for one in issued]
    by_sql(shelf, "UPDATE keys SET owner = 'another' WHERE id = :id", id=issued[3].key.id)
    expected = {sha256(one.secret.encode()).digest() for one in issued} - {answers[3].digest}
    assert renewed(follower, *answers) == expected


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE keys SET state = 'revoked'",
        "UPDATE keys SET suspended = (1 = 1)",
        "UPDATE keys SET throttle_per_min = 5",
        "UPDATE keys SET scopes = '[\"read\"]'",
        "UPDATE keys SET networks = '[\"192.0.2.0/24\"]'",
        "UPDATE keys SET expires_at = 1700000030",
        "UPDATE keys SET account_id = NULL, plan_id = NULL",
        "UPDATE keys SET kind = 'token'",
        "UPDATE accounts SET suspended = (1 = 1)",
        "UPDATE accounts SET throttle_per_min = 5",
        "UPDATE plans SET key_limits = '[\"1/min\"]'",
        "UPDATE plans SET tokens_per_day = 5",
        "DELETE FROM keys",
    ],
)
def test_what_was_changed_by_sql_is_seen(shelf, follower, change):
    store = shelf.store
    store.plans.put(Plan(id="basic", key_limits=("600/min",)), actor="test")
    store.accounts.create("acme", Changes(plan="basic"), actor="test")
    issued = shelf.issue(account="acme")
    used_lately(shelf)
    answer = looked_up(follower, issued.secret)
    assert renewed(follower, answer) == {answer.digest}
    by_sql(shelf, change)
    assert renewed(follower, answer) == set()


@pytest.mark.parametrize(
    ("change", "at"),
    [
        ("UPDATE keys SET expires_at = :at", NOW + 30),
        ("UPDATE keys SET expires_at = :at + 30 * 86400", NOW + 30),
        ("UPDATE keys SET state = 'deprecated', grace_until = :at", NOW + 30),
        ("UPDATE keys SET throttle_per_min = 1, throttle_until = :at", NOW + 60),
        ("UPDATE keys SET suspended = (1 = 1), suspended_until = :at", NOW + 1),
        ("UPDATE accounts SET suspended = (1 = 1), suspended_until = :at", NOW + 1),
        ("UPDATE accounts SET throttle_per_min = 1, throttle_until = :at", NOW + 60),
    ],
)
def test_a_key_whose_time_comes_meanwhile_is_worked_out_anew(shelf, follower, change, at):
    shelf.store.accounts.create("acme", actor="test")
    issued = shelf.issue(account="acme")
    used_lately(shelf)
    by_sql(shelf, change, at=at)
    answer = looked_up(follower, issued.secret)
    assert renewed(follower, answer, now=at - HELD_S) == set()
    assert renewed(follower, answer, now=at - HELD_S - 1) == {answer.digest}
    assert renewed(follower, answer, now=at) == {answer.digest}


def test_a_key_that_was_not_used_for_an_hour_is_worked_out_anew_so_that_it_is_noted(
    shelf, follower
):
    issued = shelf.issue()
    assert renewed(follower, looked_up(follower, issued.secret)) == set()
    used_lately(shelf)
    answer = looked_up(follower, issued.secret)
    assert renewed(follower, answer, now=NOW + 3500) == {answer.digest}
    assert renewed(follower, answer, now=NOW + 3600) == set()


def test_a_key_with_a_budget_is_always_worked_out_anew(shelf, follower):
    issued = shelf.issue(tokens_per_day=100)
    used_lately(shelf)
    assert looked_up(follower, issued.secret).mark == 0


def test_a_row_that_cannot_be_put_as_text_keeps_nobody_out(shelf, follower):
    if shelf.store.engine.dialect.name != "sqlite":
        pytest.skip("its columns hold what they are declared to")
    odd, other = shelf.issue(), shelf.issue()
    used_lately(shelf)
    by_sql(shelf, "UPDATE keys SET name = x'00ff' WHERE id = :id", id=odd.key.id)
    answers = [looked_up(follower, one.secret) for one in (odd, other)]
    assert [answer.grants.key.id for answer in answers] == [odd.key.id, other.key.id]
    assert renewed(follower, *answers) == set()
    assert renewed(follower, answers[1]) == {answers[1].digest}


class Heard(Reader):
    """Counts what was read again, once it is taken in."""

    same = others = 0

    def start(self, deliver):
        loop = asyncio.get_running_loop()

        def told(news):
            deliver(news)
            loop.call_soon_threadsafe(self.count, news)

        super().start(told)

    def count(self, news):
        self.same += len(news.same)
        self.others += len(news.answers)

    async def has_told(self, same, others):
        async with asyncio.timeout(20):
            while (self.same, self.others) != (same, others):  # noqa: ASYNC110  (a thread)
                await asyncio.sleep(0.001)


def test_a_hot_key_goes_on_without_waiting_until_sql_revokes_it(shelf):
    issued = shelf.issue()
    scope = scope_of(with_key(issued.secret))
    now = [time.time()]
    by_sql(shelf, "UPDATE keys SET last_used_at = :at", at=now[0])

    async def go():
        reader = Heard(shelf.store.engine, ticks=lambda: int(now[0] * 1e9))
        options = Options(cached_s=HELD_S, silence_s=1e6)
        app = Gateway(echo, reader, options, lambda: now[0], ticks=lambda: int(now[0] * 1e9))
        assert (await ask(app, scope))[0]["status"] == 200
        await reader.has_told(0, 1)
        for times in range(5):
            now[0] += HELD_S - 5
            assert app.at_once(asked_of(scope)).refusal is None
            await reader.has_told(times + 1, 1)
        now[0] += HELD_S + 5
        assert app.at_once(asked_of(scope)) is None
        assert (await ask(app, scope))[0]["status"] == 200
        await reader.has_told(6, 1)
        by_sql(shelf, "UPDATE keys SET state = 'revoked'")
        now[0] += HELD_S - 5
        assert app.at_once(asked_of(scope)).refusal is None
        await reader.has_told(6, 2)
        assert app.at_once(asked_of(scope)).refusal.code == "api_key_revoked"
        await app.close()

    asyncio.run(go())


def test_a_change_that_was_told_is_not_undone_by_what_was_read_before_it(shelf):
    """The reader never tells it in this order; were it to, the key would stay revoked."""
    issued = shelf.issue()
    used_lately(shelf)
    store, digest = shelf.store, sha256(issued.secret.encode()).digest()
    follower = Follower(store.engine, place_of(store.engine))
    before = looked_up(follower, issued.secret)
    same = Renewal(digest, before.mark, NOW, NOW + HELD_S)
    store.revoke(issued.key.id, actor="test")
    after = follower.grants(frozenset({issued.key.id}))
    follower.close()

    async def talk(validator, reader):
        await reader.tell(answers=(before,))
        assert not validator.cached(
            issued.secret.encode(), time.time(), time.monotonic_ns()
        ).grant.fault
        await reader.tell(changed=tuple(after), same=(same,))
        await reader.tell(same=(same,))
        fault = validator.cached(
            issued.secret.encode(), time.time(), time.monotonic_ns()
        ).grant.fault
        assert fault == "api_key_revoked"

    conversation(talk)
