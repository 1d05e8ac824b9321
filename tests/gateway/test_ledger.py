"""What gateways write to the key store: last uses, and what keys have spent."""

import asyncio
from threading import Thread, current_thread

import pytest

from database.transaction import reading
from gateway.app import Gateway
from gateway.ledger import Ledger
from gateway.limits import Limit
from gateway.options import Options
from gateway.reader import Reader
from keystore import spending
from keystore.issue import KeyOrder
from keystore.keys import DAY_S
from keystore.store import KeyStore
from tests.databases import open_empty
from tests.gateway.test_app import ask, echo, scope_of, with_key

DAILY = Limit("tokens-d", 100, int(DAY_S), level="tokens")
PAID = Options(tokens_header="x-tokens")


@pytest.fixture
def store(database_url):
    engine = open_empty(database_url)
    yield KeyStore(engine)
    engine.dispose()


def issue(store, **order):
    return store.create(KeyOrder(**order), actor="test")


async def true(condition):
    """Wait on the loop until the condition holds."""
    async with asyncio.timeout(60):
        while not await condition():  # noqa: ASYNC110  (another thread brings it about)
            await asyncio.sleep(0.005)


async def status(app, issued):
    return (await ask(app, scope_of(with_key(issued.secret))))[0]["status"]


async def costly(scope, receive, send):
    """Answer as an AI API does that says what the answer cost."""
    headers = [(b"x-tokens", b"60")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": b"{}"})


def level(store, key_id):
    with reading(store.engine) as connection:
        return sum(one.level for one in spending.of_keys(connection, [key_id]))


def test_the_gateway_writes_down_when_a_key_was_used_and_that_only_once_an_hour(store):
    used, unused, old = issue(store), issue(store), issue(store)
    now = [old.key.created_at]

    async def go():
        app = Gateway(echo, Reader(store.engine), clock=lambda: now[0])
        assert await status(app, used) == 200
        await app.close()
        now[0] += 1800
        app = Gateway(echo, Reader(store.engine), clock=lambda: now[0])
        assert [await status(app, one) for one in (used, old)] == [200, 200]
        await app.close()
        now[0] += 1801
        app = Gateway(echo, Reader(store.engine), clock=lambda: now[0])
        assert [await status(app, one) for one in (used, old)] == [200, 200]
        await app.close()

    asyncio.run(go())
    first = old.key.created_at
    last = [store.get(one.key.id).last_used_at for one in (used, unused, old)]
    assert last == [first + 3601, None, first + 1800]


def test_a_budget_holds_for_all_gateways_together_and_beyond_their_end(store):
    ai, apps = issue(store, tokens_per_day=100), (costly, echo, echo)

    async def go():
        async def written():
            return level(store, ai.key.id) == 120

        async def refused():
            return await status(other, ai) == 429

        one, other, late = (Gateway(inner, Reader(store.engine), PAID) for inner in apps)
        assert await status(other, ai) == 200
        assert [await status(one, ai) for _ in range(2)] == [200, 200]
        await true(written)
        assert await status(one, ai) == 429
        await true(refused)
        await one.close()
        assert await status(late, ai) == 429
        await other.close()
        await late.close()

    asyncio.run(go())


def test_what_is_paid_elsewhere_counts_at_once_for_a_key_that_is_looked_up(store):
    ai = issue(store, tokens_per_min=50)
    store.pay(ai.key.id, 50)

    async def go():
        app = Gateway(echo, Reader(store.engine), PAID)
        assert await status(app, ai) == 429
        await app.close()

    asyncio.run(go())


def test_where_nothing_can_be_written_nothing_is_forgotten(tmp_path, store, eventually, caplog):
    key = issue(store, tokens_per_day=100).key
    ledger = Ledger(store.engine.url, lambda: 1000.0, 60.0, every_s=0.001)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE budgets RENAME TO hidden")
    ledger.used(key)
    ledger.charge([(DAILY, key.id)], 70)
    eventually(lambda: "cannot be written down" in caplog.text)
    ledger.charge([(DAILY, key.id)], 30)
    assert ledger.overspent([DAILY], key.id).limit == DAILY
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO budgets")
    eventually(lambda: "written down again" in caplog.text)
    ledger.stop()
    assert level(store, key.id) == 100
    assert store.get(key.id).last_used_at == 1000.0


@pytest.mark.parametrize(("later_s", "owed"), [(0, 100), (30, 50), (3600, 0)])
def test_what_cannot_be_written_drains_all_the_same(store, eventually, caplog, later_s, owed):
    minutely = Limit("tokens-min", 100, 60, level="tokens")
    key, now = issue(store, tokens_per_min=100).key, [1000.0]
    ledger = Ledger(store.engine.url, lambda: now[0], 60.0, every_s=0.001)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE budgets RENAME TO hidden")
    ledger.charge([(minutely, key.id)], 100)
    eventually(lambda: "cannot be written down" in caplog.text)
    assert ledger.overspent([minutely], key.id) is not None
    now[0] += later_s
    eventually(lambda: (ledger.overspent([minutely], key.id) is None) == (owed < 100))
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO budgets")
    eventually(lambda: "written down again" in caplog.text)
    ledger.stop()
    assert level(store, key.id) == owed


def test_what_was_said_drains_before_what_could_not_be_said(store, eventually, caplog):
    """One bucket drains once: of 60 and 60 after half a minute 70 of 120 are left."""
    minutely = Limit("tokens-min", 100, 60, level="tokens")
    key, now = issue(store, tokens_per_min=100).key, [1000.0]
    ledger = Ledger(store.engine.url, lambda: now[0], 60.0, every_s=0.001)
    ledger.charge([(minutely, key.id)], 60)
    eventually(lambda: level(store, key.id) == 60)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE budgets RENAME TO hidden")
    ledger.charge([(minutely, key.id)], 60)
    eventually(lambda: "cannot be written down" in caplog.text)
    now[0] += 30
    eventually(lambda: ledger.overspent([minutely], key.id) is None)
    with store.engine.begin() as connection:
        connection.exec_driver_sql("ALTER TABLE hidden RENAME TO budgets")
    eventually(lambda: "written down again" in caplog.text)
    ledger.stop()
    # The last write may have begun before the half minute was over: then all is there, and drains.
    with reading(store.engine) as connection:
        (said,) = spending.of_keys(connection, [key.id])
    assert said.left(minutely.amount, now[0]) == 70


def test_a_budget_that_is_raised_leaves_what_was_spent_as_it_is(store):
    ledger = Ledger(store.engine.url, lambda: 1000.0, 60.0)
    ledger.charge([(DAILY, "key_a")], 100)
    assert ledger.overspent([DAILY], "key_a").retry_s == pytest.approx(864)
    raised = Limit("tokens-d", 200, int(DAY_S), level="tokens")
    assert ledger.overspent([raised], "key_a") is None
    ledger.stop()
    assert level(store, "key_a") == 100


def test_debts_of_keys_that_are_held_no_longer_take_no_memory(store):
    now = [1000.0]
    ledger = Ledger(store.engine.url, lambda: now[0], 60.0, every_s=0.001)
    for name in ("key_old", "key_mid", "key_new"):
        ledger._sweep_at = 0
        ledger.charge([(DAILY, name)], 1)
        ledger.stop()
        now[0] += 61
    assert {key for key, _ in ledger._debts} == {"key_mid", "key_new"}
    assert [level(store, name) for name in ("key_old", "key_mid", "key_new")] == [1, 1, 1]


def test_no_budget_is_seen_between_what_is_written_and_what_is_read_of_it(store):
    asking, told = [], []

    def clock():
        if current_thread().name == "ledger":  # it looks at the clock in the middle of its work
            asking.append(Thread(target=lambda: told.append(ledger.overspent([DAILY], "key_a"))))
            asking[-1].start()
            asking[-1].join(0.05)  # who is kept waiting asks until the work is done
        return 1000.0

    ledger = Ledger(store.engine.url, clock, 60.0, every_s=0.001)
    ledger.charge([(DAILY, "key_a")], 100)
    ledger.stop()
    for thread in asking:
        thread.join()
    assert asking
    assert all(one is not None and not one.allowed for one in told)
