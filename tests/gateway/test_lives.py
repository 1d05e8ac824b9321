"""What ends by itself: expiry, grace, throttle and suspension, on every database, to the second."""

import asyncio

from gateway.app import Gateway
from gateway.reader import Reader
from keystore.keys import DAY_S
from tests.gateway.test_app import ask, scope_of, with_key
from tests.gateway.test_ledger import PAID, costly, level, true

BY = {"actor": "test"}


def test_what_ends_by_itself_ends_in_memory_too(shelf):
    store = shelf.store
    ending, rotated, slow, resting = (shelf.issue(life_s=life) for life in (60, None, None, None))
    begin = ending.key.created_at
    store.rotate(rotated.key.id, grace_s=120, **BY)
    store.throttle(slow.key.id, per_min=1, until=begin + 600, **BY)
    store.suspend(resting.key.id, until=begin + 600, **BY)
    grace_end = store.get(rotated.key.id).grace_until
    now = [begin]

    async def go():
        app = Gateway(ok, Reader(store.engine), clock=lambda: now[0])

        async def told(issued, at):
            now[0] = at
            start, _ = await ask(app, scope_of(with_key(issued.secret)))
            return start["status"], dict(start["headers"])[b"x-key-status"]

        assert await told(ending, begin + 59.9) == (200, b"deprecated")
        assert await told(ending, begin + 60) == (401, b"expired")
        assert await told(rotated, grace_end - 0.1) == (200, b"deprecated")
        assert await told(rotated, grace_end) == (401, b"revoked")
        assert [(await told(slow, begin + 500))[0] for _ in range(2)] == [200, 429]
        assert [(await told(slow, begin + 600))[0] for _ in range(5)] == [200] * 5
        assert await told(resting, begin + 599.9) == (403, b"active")
        assert await told(resting, begin + 600) == (200, b"active")
        assert await told(resting, begin + 90 * DAY_S + 1) == (401, b"expired")
        await app.close()

    asyncio.run(go())


def test_a_budget_comes_back_as_its_window_drains(shelf):
    ai = shelf.issue(tokens_per_min=100)
    now = [ai.key.created_at]

    async def go():
        app = Gateway(costly, Reader(shelf.store.engine), PAID, clock=lambda: now[0])

        async def status():
            return (await ask(app, scope_of(with_key(ai.secret))))[0]["status"]

        async def written():
            return level(shelf.store, ai.key.id) == 120

        async def let_in():
            return await status() == 200

        # An answer costs 60; a token comes back every 0.6 s.
        assert [await status() for _ in range(3)] == [200, 200, 429]
        await true(written)
        now[0] += 12
        assert await status() == 429
        now[0] += 1
        await true(let_in)  # soon: what has been written counts until it is known to be
        await app.close()

    asyncio.run(go())


def test_a_gateway_follows_what_others_do_to_keys(shelf):
    issued = shelf.issue()
    store, key = shelf.store, issued.key.id

    async def go():
        app = Gateway(ok, Reader(store.engine))

        async def becomes(status):
            async with asyncio.timeout(60):
                while True:
                    start, _ = await ask(app, scope_of(with_key(issued.secret)))
                    if start["status"] == status:
                        return
                    await asyncio.sleep(0.001)

        await becomes(200)
        for verb, status in (
            ("suspend", 403), ("resume", 200), ("revoke", 401), ("restore", 200)
        ):  # fmt: skip
            getattr(store, verb)(key, **BY)
            await becomes(status)
        store.throttle(key, per_min=1, **BY)
        await becomes(429)
        store.unthrottle(key, **BY)
        await becomes(200)
        store.rotate(key, grace_s=0, **BY)
        await becomes(401)
        await app.close()

    asyncio.run(go())


async def ok(scope, receive, send):
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b""})
