"""Look-ups by way of Redis: never what was true before a change that is known of."""

import asyncio

import pytest
import redis

from gateway.app import Gateway
from gateway.options import Options
from gateway.reader import Reader
from gateway.remote import RemoteCache
from keystore.grants import granted
from tests.gateway.test_app import ask, echo, scope_of, with_key

pytestmark = pytest.mark.service


@pytest.fixture
def caches(redis_url, tmp_path):
    """Return a maker of caches of one database."""
    made = []

    def make():
        made.append(RemoteCache(redis_url, str(tmp_path)))
        return made[-1]

    yield make
    for cache in made:
        cache.close()


def grants_of(issued):
    return granted(issued.key, None, None)


def test_what_one_reads_the_others_find(place, caches):
    one, other, issued = caches(), caches(), place.issue(scopes=("a",), account="acme")
    one.put({issued.key.hash: grants_of(issued), "0" * 64: None}, 5)
    assert other.get([issued.key.hash, "0" * 64, "1" * 64]) == {
        issued.key.hash: grants_of(issued),
        "0" * 64: None,
    }


def test_an_entry_written_after_a_change_that_its_writer_had_not_seen_is_not_believed(
    place, caches
):
    slow, quick, issued = caches(), caches(), place.issue()
    quick.changed([issued.key.hash], 6)
    slow.put({issued.key.hash: grants_of(issued)}, 5)
    assert quick.get([issued.key.hash]) == {}
    slow.put({issued.key.hash: grants_of(issued)}, 6)
    assert quick.get([issued.key.hash]) == {issued.key.hash: grants_of(issued)}


def test_nothing_older_than_what_one_knows_of_is_believed(place, caches):
    old, new, issued = caches(), caches(), place.issue()
    old.put({issued.key.hash: grants_of(issued)}, 5)
    new.forget(6)
    assert new.get([issued.key.hash]) == {}


def test_who_was_unknown_may_have_been_added(caches):
    one = caches()
    one.put({"0" * 64: None}, 5)
    one.added(6)
    assert one.get(["0" * 64]) == {}


def test_an_entry_of_another_key_or_none_at_all_is_not_believed(place, caches, redis_url):

    one, issued = caches(), place.issue()
    one.put({"0" * 64: grants_of(issued)}, 5)
    assert one.get(["0" * 64]) == {}
    with redis.Redis.from_url(redis_url) as client:
        client.set(one._name("1" * 64), b"\xc1nonsense")
    assert one.get(["1" * 64]) == {}


def test_a_gateway_finds_keys_by_way_of_redis_and_revocations_all_the_same(
    place, redis_service, tmp_path, caplog
):
    url = redis_service.start()
    issued, other, third = (place.issue() for _ in range(3))

    async def go():
        readers = [
            Reader(place.store.engine, remote=RemoteCache(url, str(tmp_path))) for _ in range(2)
        ]
        first, second = (Gateway(echo, reader) for reader in readers)

        async def status(app, secret):
            return (await ask(app, scope_of(with_key(secret))))[0]["status"]

        async def becomes(wanted, app, secret):
            async with asyncio.timeout(20):
                while await status(app, secret) != wanted:  # noqa: ASYNC110  (a database)
                    await asyncio.sleep(0.001)

        for app in (first, second):
            assert await status(app, issued.secret) == 200
        place.store.revoke(issued.key.id, actor="test")
        await becomes(401, first, issued.secret)
        await becomes(401, second, issued.secret)
        assert await status(first, "nobody-has-this") == 401
        assert await status(second, "nobody-has-this") == 401
        await asyncio.to_thread(redis_service.kill)
        assert await status(first, other.secret) == 200
        place.store.revoke(other.key.id, actor="test")
        await becomes(401, first, other.secret)
        await asyncio.to_thread(redis_service.start)
        assert await status(second, third.secret) == 200
        for app, reader in zip((first, second), readers, strict=True):
            await app.close()
            reader._remote.close()

    asyncio.run(go())
    assert issued.secret not in caplog.text


def test_secrets_of_peppered_stores_do_not_reach_redis(place, redis_url, tmp_path):

    async def go():
        remote = RemoteCache(redis_url, str(tmp_path))
        options = Options(peppers={"old": b"salt"})
        app = Gateway(echo, Reader(place.store.engine, remote=remote), options)
        await ask(app, scope_of(with_key("low-entropy")))
        await app.close()
        with redis.Redis.from_url(redis_url) as client:
            found = client.keys(remote._name("*"))
        remote.close()
        return found

    assert asyncio.run(go()) == []
