"""The gateway in front of somebody's own application, driven without a server."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import text

from database.transaction import open_database, transaction
from gateway.app import Gateway, asked_of
from gateway.limits import Limit
from gateway.mounts import mounts
from gateway.options import Options
from gateway.querykeys import AGAIN_NS
from gateway.reader import Reader
from keystore.issue import KeyOrder
from keystore.store import KeyStore


async def echo(scope, receive, send):
    """Answer with what of the request arrived."""
    headers = [
        [name.decode("latin-1"), value.decode("latin-1")] for name, value in scope["headers"]
    ]
    seen = {"headers": headers, "query": scope["query_string"].decode("latin-1")}
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": json.dumps(seen).encode()})


@asynccontextmanager
async def gateway(place, options=None, inner=echo, **more):
    made = Gateway(inner, Reader(place.store.engine), options or Options(), **more)
    try:
        yield made
    finally:
        await made.close()


def scope_of(*headers, kind="http", query=b"", client="192.0.2.1", **more):
    return {
        "type": kind,
        "method": "GET",
        "path": "/",
        "raw_path": b"/",
        "http_version": "1.1",
        "query_string": query,
        "headers": list(headers),
        "client": (client, 1),
        **more,
    }


async def ask(app, scope, body=b""):
    sent = []

    async def receive():
        if scope["type"] == "websocket":
            return {"type": "websocket.connect"}
        return {"type": "http.request", "body": body}

    async def send(message):
        sent.append(message)

    await app(scope, receive, send)
    return sent


def with_key(secret):
    return b"x-api-key", secret.encode()


def test_the_application_sees_who_it_is_and_no_forged_headers(place):
    issued = place.issue()

    async def go():
        async with gateway(place, Options(query_keys=True)) as app:
            forged = (b"x-api-key-id", b"key_forged"), (b"x-keywatch-x", b"1"), (b"x-a", b"b")
            query = b"a=1&key=" + issued.secret.encode()
            scope = scope_of(*forged, query=query)
            before = {**scope, "headers": list(scope["headers"])}
            _, body = await ask(app, scope)
            assert scope == before
            return json.loads(body["body"])

    seen = asyncio.run(go())
    assert seen["headers"] == [
        ["x-a", "b"],
        ["x-api-key-id", issued.key.id],
        ["x-api-key-environment", "live"],
    ]
    assert seen["query"] == "a=1&key=REDACTED"


ORIGINS = (
    *(b"x-real-ip", b"forwarded", b"x-forwarded-for", b"x-forwarded-proto", b"true-client-ip"),
    *(b"x-forwarded-host", b"x-original-uri", b"cf-connecting-ip", b"x-client-ip"),
)


def test_where_a_client_says_that_it_is_reaches_the_application_from_proxies_alone(place):
    issued, told = place.issue(), [(name, b"10.0.0.9") for name in ORIGINS]
    disguised = [(name.replace(b"-", b"_"), b"10.0.0.9") for name in ORIGINS if b"-" in name]

    async def go():
        async with gateway(place, Options(trusted_proxies=("10.0.0.0/8",))) as app:
            for client in ("192.0.2.1", "10.0.0.1"):
                scope = scope_of(with_key(issued.secret), *told, *disguised, client=client)
                _, body = await ask(app, scope)
                yield {name for name, _ in json.loads(body["body"])["headers"]}

    async def all_of():
        return [names async for names in go()]

    clients, proxys = asyncio.run(all_of())
    ours = {"x-api-key", "x-api-key-id", "x-api-key-environment"}
    assert clients == ours
    assert proxys == ours | {name.decode() for name in ORIGINS}


def test_a_limit_holds_exactly_under_concurrency(shelf):
    issued = shelf.issue()

    async def go():
        options = Options(limits=(Limit("default", 10, 60),))
        async with gateway(shelf, options, ticks=lambda: 1) as app:
            # The ticks stand still: so does the reader's silence.
            app._validator._silence_ns = float("inf")
            asked = [ask(app, scope_of(with_key(issued.secret))) for _ in range(50)]
            return [sent[0]["status"] for sent in await asyncio.gather(*asked)]

    answers = asyncio.run(go())
    assert sorted(answers) == [200] * 10 + [429] * 40


def test_many_who_wait_for_one_key_share_one_look_up(shelf):
    issued = shelf.issue()
    asked = []

    class Counting(Reader):
        def ask(self, question):
            asked.append(question)
            super().ask(question)

    async def go():
        app = Gateway(echo, Counting(shelf.store.engine))
        await ask(app, scope_of())
        answers = await asyncio.gather(
            *(ask(app, scope_of(with_key(issued.secret))) for _ in range(100))
        )
        await app.close()
        return {sent[0]["status"] for sent in answers}

    assert asyncio.run(go()) == {200}
    assert len(asked) == 1
    assert issued.secret not in repr(asked)


def test_one_who_gives_up_waiting_does_not_take_the_others_along(place):
    issued = place.issue()

    async def go():
        async with gateway(place) as app:
            await ask(app, scope_of())
            first = asyncio.create_task(ask(app, scope_of(with_key(issued.secret))))
            second = asyncio.create_task(ask(app, scope_of(with_key(issued.secret))))
            await asyncio.sleep(0)
            first.cancel()
            return (await second)[0]["status"]

    assert asyncio.run(go()) == 200


def test_accesses_are_told_with_the_client_behind_a_trusted_proxy(place):
    issued, seen = place.issue(), []
    forwarded = (b"x-forwarded-for", b"6.6.6.6, 203.0.113.1"), (b"x-request-id", b"abc")

    async def go():
        options = Options(trusted_proxies=("10.0.0.0/8",))
        async with gateway(place, options, sink=seen.append) as app:
            agent = (b"user-agent", b"curl")
            await ask(app, scope_of(with_key(issued.secret), *forwarded, agent, client="10.0.0.1"))
            await ask(app, scope_of(*forwarded, query=b"key=hush&a=b", client="192.0.2.1"))

    asyncio.run(go())
    first, second = seen
    assert (first.ip, first.request_id, first.key_id) == ("203.0.113.1", "abc", issued.key.id)
    assert (first.status, first.agent) == (200, b"curl")
    assert first.size > 0
    assert (second.ip, second.status, second.key_id) == ("192.0.2.1", 401, "")
    assert second.request_id != "abc"
    assert b"hush" not in second.target


def test_of_what_is_very_long_whole_parts_are_logged(place):
    seen = []
    path, query = b"/" + b"a" * 60 + b"/" + b"b" * 30_000, b"c=d&" + b"e" * 30_000

    async def go():
        async with gateway(place, sink=seen.append) as app:
            agent = (b"user-agent", b"curl " + b"f" * 30_000)
            await ask(app, scope_of(agent, raw_path=path))
            await ask(app, scope_of(raw_path=b"/short", query=query))
            await ask(app, scope_of(raw_path=b"/" + b"g" * 4095))

    asyncio.run(go())
    assert seen[0].target == b"/" + b"a" * 60 + b"/..."
    assert seen[0].agent == b"curl ..."
    assert seen[1].target == b"/short?c=d&..."
    assert seen[2].target == b"/" + b"g" * 4095


def test_an_application_that_fails_is_logged_as_500(place):
    issued, seen = place.issue(), []

    async def broken(scope, receive, send):
        raise RuntimeError

    async def go():
        async with gateway(place, inner=broken, sink=seen.append) as app:
            await ask(app, scope_of(with_key(issued.secret)))

    with pytest.raises(RuntimeError):
        asyncio.run(go())
    assert seen[0].status == 500


def test_a_websocket_without_a_key_is_refused_before_the_application_sees_it(place):
    issued, seen = place.issue(), []

    async def accepting(scope, receive, send):
        await send({"type": "websocket.accept"})

    async def go():
        async with gateway(place, inner=accepting, sink=seen.append) as app:
            plain = await ask(app, scope_of(kind="websocket"))
            told = await ask(
                app, scope_of(kind="websocket", extensions={"websocket.http.response": {}})
            )
            let_in = await ask(app, scope_of(with_key(issued.secret), kind="websocket"))
        return plain, told, let_in

    plain, told, let_in = asyncio.run(go())
    assert plain == [{"type": "websocket.close", "code": 1008}]
    assert told[0]["type"] == "websocket.http.response.start"
    assert told[0]["status"] == 401
    assert let_in[0]["type"] == "websocket.accept"
    assert [access.status for access in seen] == [401, 401, 101]


def test_a_clock_that_jumps_neither_lets_in_nor_shuts_out_wrongly(shelf):
    issued, now = shelf.issue(), [shelf.store.clock()]
    expires_at = issued.key.expires_at

    async def go():
        statuses = []
        async with gateway(shelf, clock=lambda: now[0]) as app:
            start = now[0]
            for moment in (start, start - 10 * 86400, expires_at + 1, start, expires_at + 1):
                now[0] = moment
                sent = await ask(app, scope_of(with_key(issued.secret)))
                statuses.append(sent[0]["status"])
        return statuses

    assert asyncio.run(go())[:3] == [200, 200, 401]


def test_it_starts_and_stops_with_the_application(place):
    issued, events = place.issue(), []

    async def inner(scope, receive, send):
        if scope["type"] != "lifespan":
            await echo(scope, receive, send)
            return
        for _ in range(2):
            kind = (await receive())["type"]
            events.append(kind)
            await send({"type": f"{kind}.complete"})

    async def go():
        app = Gateway(inner, Reader(place.store.engine))
        orders, told = asyncio.Queue(), asyncio.Queue()
        life = asyncio.create_task(app({"type": "lifespan"}, orders.get, told.put))
        await orders.put({"type": "lifespan.startup"})
        await told.get()
        current = app.is_current()
        sent = await ask(app, scope_of(with_key(issued.secret)))
        await orders.put({"type": "lifespan.shutdown"})
        await life
        return current, sent[0]["status"]

    assert asyncio.run(go()) == (True, 200)
    assert events == ["lifespan.startup", "lifespan.shutdown"]


def test_paths_are_mounted_by_whole_segments_the_longest_first(place):
    async def go(path):
        taken = []

        def app(name):
            async def answer(scope, receive, send):
                taken.append(name)

            return answer

        await ask(
            mounts(app("default"), {"/a": app("a"), "/a/b": app("ab")}, {"/c": app("c")}),
            {**scope_of(), "path": path},
        )
        return taken[0]

    found = [asyncio.run(go(path)) for path in ("/", "/a", "/a/x", "/ab", "/a/b/c", "/a/bc")]
    assert found == ["default", "a", "a", "default", "ab", "a"]
    assert [asyncio.run(go(path)) for path in ("/c", "/c/x")] == ["c", "default"]


def test_follows_the_key_store_on_every_database(database_url):
    engine = open_database(database_url)
    store = KeyStore(engine)
    issued = store.create(KeyOrder(), actor="test")

    async def go():
        app = Gateway(echo, Reader(open_database(database_url)))
        scope = scope_of(with_key(issued.secret))
        assert (await ask(app, scope))[0]["status"] == 200
        store.revoke(issued.key.id, actor="test")
        async with asyncio.timeout(20):
            while (await ask(app, scope))[0]["status"] != 401:  # noqa: ASYNC110  (a database)
                await asyncio.sleep(0.001)
        assert (await ask(app, scope_of((b"x-api-key", b"unknown"))))[0]["status"] == 401
        await app.close()

    asyncio.run(go())
    engine.dispose()


@pytest.mark.service
def test_goes_on_after_the_server_ended_its_connection(postgresql_url):
    engine = open_database(postgresql_url)
    store = KeyStore(engine)
    issued, other = (store.create(KeyOrder(), actor="test") for _ in range(2))

    async def status(app, secret):
        return (await ask(app, scope_of(with_key(secret))))[0]["status"]

    async def go():
        app = Gateway(echo, Reader(open_database(postgresql_url)))
        assert await status(app, issued.secret) == 200
        with engine.connect() as connection:
            connection.execute(
                text(
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
                    "WHERE datname = current_database() AND pid <> pg_backend_pid()"
                )
            )
        store.revoke(issued.key.id, actor="test")
        async with asyncio.timeout(20):
            while await status(app, issued.secret) != 401:  # noqa: ASYNC110  (a database)
                await asyncio.sleep(0.001)
        assert await status(app, other.secret) == 200
        await app.close()

    asyncio.run(go())
    engine.dispose()


def test_of_a_key_in_the_query_is_said_once_an_hour(place, caplog):
    issued, now = place.issue(), [0]
    # The reader has a clock of its own, which is not moved.
    options = Options(query_keys=True, silence_s=1e6)

    async def go():
        async with gateway(place, options, ticks=lambda: now[0]) as app:
            for step_s in (0, 0, AGAIN_NS):
                now[0] += step_s
                await ask(app, scope_of(query=b"key=" + issued.secret.encode()))
            await ask(app, scope_of(query=b"key=unknown"))
            await ask(app, scope_of(with_key(issued.secret)))
            return app.tally.text(is_current=True, cached_keys=0)

    told = asyncio.run(go())
    said = [r.message for r in caplog.records if r.name == "gateway.querykeys"]
    assert len(said) == 2
    assert all(issued.key.id in one and issued.secret not in one for one in said)
    assert "\nkeywatch_gateway_query_keys_total 4\n" in told


class Counting(Reader):
    """Counts what it is asked."""

    asked = 0

    def ask(self, question):
        self.asked += 1
        super().ask(question)

    def renew(self, renewal, *, at_once=False):
        self.asked += 1
        super().renew(renewal, at_once=at_once)


def test_a_key_that_is_used_is_read_again_before_anybody_has_to_wait_for_it(shelf):
    issued = shelf.issue()
    scope = scope_of(with_key(issued.secret))
    now = [shelf.store.clock()]

    async def go():
        reader = Counting(shelf.store.engine)
        app = Gateway(echo, reader, Options(cached_s=60.0), clock=lambda: now[0])
        assert (await ask(app, scope))[0]["status"] == 200
        now[0] += 35
        assert app.at_once(asked_of(scope)).refusal is None
        assert reader.asked == 1
        now[0] += 20
        for _ in range(3):
            assert app.at_once(asked_of(scope)).refusal is None
        assert reader.asked == 2
        now[0] += 10
        async with asyncio.timeout(20):
            while app.at_once(asked_of(scope)) is None:  # noqa: ASYNC110  (a thread)
                await asyncio.sleep(0.001)
        assert reader.asked == 2
        await app.close()

    asyncio.run(go())


def test_a_key_that_is_gone_unheard_is_let_in_no_longer_than_it_may_be_held(shelf):
    issued = shelf.issue()
    scope = scope_of(with_key(issued.secret))
    now = [shelf.store.clock()]

    async def go():
        app = Gateway(echo, Reader(shelf.store.engine), Options(cached_s=60.0), lambda: now[0])
        assert (await ask(app, scope))[0]["status"] == 200
        with transaction(shelf.store.engine) as connection:
            connection.execute(text("DELETE FROM keys"))
        now[0] += 61
        assert (await ask(app, scope))[0]["status"] == 401
        assert app.at_once(asked_of(scope)).refusal.code == "api_key_not_found"
        await app.close()

    asyncio.run(go())
