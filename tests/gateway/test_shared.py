"""Limits in Redis: exact, whoever asks at once, and closed while it is away."""

import asyncio
from fractions import Fraction
from uuid import uuid4

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from gateway.app import Gateway
from gateway.limits import Limit
from gateway.options import Options
from gateway.reader import Reader
from gateway.shared import SharedBuckets
from tests.gateway.test_app import ask, echo, scope_of, with_key
from tests.gateway.test_limits import SlowBucket, slow_take
from vocabulary.errors import ConfigError, ServiceError

pytestmark = pytest.mark.service

US = 1_000_000
limits = st.builds(
    Limit,
    st.sampled_from("abc"),
    st.integers(1, 50),
    st.sampled_from([1, 7, 60, 3600, 86_400]),
    st.integers(0, 20),
)
gaps = st.lists(
    st.one_of(st.integers(0, 3), st.integers(0, 5 * US), st.integers(0, 200 * US)), max_size=40
)


class SlowMicros(SlowBucket):
    def __init__(self, limit):
        super().__init__(limit)
        self.rate = Fraction(limit.amount, limit.window_s * US)


@given(st.lists(limits, min_size=1, max_size=3, unique=True), gaps, st.integers(1, 5))
@example([Limit("a", 5, 1), Limit("b", 5, 3600)], [0, 0, 0], 1)
@example([Limit("a", 2, 3600, 1), Limit("b", 5, 7, 1)], [0, 0], 1)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_decides_as_a_slow_and_obviously_right_model_does(redis_url, chosen, gaps, at_once):
    async def go():
        shared, model = SharedBuckets(redis_url), [SlowMicros(limit) for limit in chosen]
        # The same example may be tried again: whoever it counts is new.
        claims = [(limit, uuid4().hex) for limit in chosen]
        # Before that no clock has been; what is not there yet is full.
        now = 1_700_000_000 * US
        for bucket in model:
            bucket.at = now
        for gap in gaps:
            now += gap
            for allowance in await shared.decide([claims] * at_once, now):
                allowed, speaks = slow_take(model, now)
                assert allowance.allowed == allowed
                assert allowance.limit == chosen[speaks]
                if allowed:
                    assert allowance.remaining == int(model[speaks].tokens)
        await shared.close()

    asyncio.run(go())


def test_a_clock_that_goes_back_gives_nothing_away(redis_url):
    async def go():
        shared, now = SharedBuckets(redis_url), 1_700_000_000 * US
        claims = [(Limit("back", 2, 60), "k")]
        assert [(await shared.decide([claims], now))[0].allowed for _ in range(3)] == [
            True,
            True,
            False,
        ]
        for past in (1, 500_000, 3600 * US):
            assert not (await shared.decide([claims], now - past))[0].allowed
        await shared.close()

    asyncio.run(go())


def test_who_waits_as_long_as_told_is_let_through(redis_url):
    async def go():
        shared, now = SharedBuckets(redis_url), 1_700_000_000 * US
        claims = [(Limit("wait", 7, 60, 1), "k")]
        await shared.decide([claims], now)
        told = (await shared.decide([claims], now))[0]
        wait_us = int(told.retry_s * US)
        before, after = await shared.decide([claims], now + wait_us - 1), None
        after = await shared.decide([claims], now + wait_us + 1)
        await shared.close()
        return before[0].allowed, after[0].allowed

    assert asyncio.run(go()) == (False, True)


def test_many_gateways_let_through_exactly_what_the_limit_says(place, redis_url):
    secret = place.issue().secret
    options = Options(limits=(Limit("many", 25, 86_400),), redis=redis_url)

    async def go():
        apps = [Gateway(echo, Reader(place.store.engine), options) for _ in range(4)]
        asked = [ask(app, scope_of(with_key(secret))) for _ in range(20) for app in apps]
        found = [sent[0]["status"] for sent in await asyncio.gather(*asked)]
        for app in apps:
            await app.close()
        return found

    found = asyncio.run(go())
    assert sorted(found) == [200] * 25 + [429] * 55


def test_an_amount_of_zero_refuses_all(redis_url):
    async def go():
        shared = SharedBuckets(redis_url)
        allowance = await shared.take([(Limit("zero", 0), "k")])
        await shared.close()
        return allowance.allowed, allowance.retry_s

    assert asyncio.run(go()) == (False, 60.0)


def test_a_limit_that_would_be_rounded_is_refused(redis_url):
    async def go():
        shared = SharedBuckets(redis_url)
        try:
            await shared.decide([[(Limit("huge", 999_999_999, 86_400 * 365), "k")]])
        finally:
            await shared.close()

    with pytest.raises(ConfigError, match="too large"):
        asyncio.run(go())


@pytest.mark.parametrize("closed", [True, False])
def test_redis_dies_and_comes_back(place, redis_service, closed, caplog):
    url = redis_service.start()
    secret = place.issue().secret
    limit = Limit(f"dies-{closed}", 6, 86_400)
    options = Options(limits=(limit,), redis=url, closed_without_redis=closed)

    async def go():
        app = Gateway(echo, Reader(place.store.engine), options)

        async def statuses(count):
            asked = [ask(app, scope_of(with_key(secret))) for _ in range(count)]
            return sorted(sent[0]["status"] for sent in await asyncio.gather(*asked))

        assert await statuses(2) == [200, 200]
        await asyncio.to_thread(redis_service.kill)
        while_away = await statuses(2)
        await asyncio.to_thread(redis_service.start)
        async with asyncio.timeout(20):
            while 503 in (last := await statuses(1)):  # noqa: ASYNC110  (a service)
                await asyncio.sleep(0.01)
        rest = last + await statuses(10)
        await app.close()
        return while_away, rest.count(200)

    while_away, rest = asyncio.run(go())
    # Redis forgot all; what this gateway let through it knows itself.
    assert (while_away, rest) == (([503, 503], 4) if closed else ([200, 200], 2))
    said = [record.message for record in caplog.records if "Redis" in record.message]
    assert len(said) == 2
    assert secret not in caplog.text


def test_a_redis_that_does_not_answer_is_not_waited_for(redis_url):
    async def go():
        async def silent(reader, writer):
            await reader.read()
            writer.close()

        server = await asyncio.start_server(silent, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        shared = SharedBuckets(f"redis://127.0.0.1:{port}", timeout_s=0.05)
        with pytest.raises(ServiceError):
            await shared.take([(Limit("slow", 1), "k")])
        await shared.close()
        server.close()
        await server.wait_closed()

    asyncio.run(go())
