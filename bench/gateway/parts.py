"""What the gateway's parts cost, without a server: microseconds of one thread's processor time.

.venv/bin/python bench/gateway/parts.py
"""

import asyncio
import json
import tempfile
import time
from pathlib import Path

from sqlalchemy import Engine

from database.transaction import open_database
from gateway.app import App, Gateway, Message, Receive, Scope, Send
from gateway.follower import Follower, Question, place_of
from gateway.limits import Limit
from gateway.options import Options
from gateway.reader import Reader
from keystore.issue import Issued, KeyOrder
from keystore.store import KeyStore
from vocabulary.credential import credential_of

REQUESTS, ROUNDS = 250, 200
"""Many short rounds: the best of them is one in which nobody else was at work."""


async def inner(scope: Scope, receive: Receive, send: Send) -> None:
    del scope, receive
    await send({"type": "http.response.start", "status": 200, "headers": []})
    await send({"type": "http.response.body", "body": b"ok\n"})


async def nowhere(message: Message) -> None:
    del message


async def nothing() -> Message:
    return {"type": "http.request"}


def scope_of(secret: str) -> Scope:
    headers = [(b"host", b"bench"), (b"user-agent", b"wrk"), (b"accept", b"*/*")]
    return {
        "type": "http",
        "method": "GET",
        "path": "/v1/things",
        "raw_path": b"/v1/things",
        "http_version": "1.1",
        "query_string": b"",
        "client": ("127.0.0.1", 1),
        "headers": [*headers, (b"x-api-key", secret.encode())],
    }


async def passing(app: App, issued: list[Issued]) -> float:
    """Return µs a request that is let through, the best of some rounds."""
    scopes = [scope_of(one.secret) for one in issued[:50]]
    for scope in scopes:
        await app(scope, nothing, nowhere)
    best = float("inf")
    for _ in range(ROUNDS):
        begin = time.thread_time()
        for number in range(REQUESTS):
            await app(scopes[number % len(scopes)], nothing, nowhere)
        best = min(best, time.thread_time() - begin)
        await asyncio.sleep(0.001)  # the key store must be heard of now and then
    return round(1e6 * best / REQUESTS, 2)


async def of_gateway(engine: Engine, issued: list[Issued], *limits: Limit) -> float:
    reader = Reader(engine)
    app = Gateway(inner, reader, Options(limits=limits), sink=lambda _: None)
    spent = await passing(app, issued)
    reader.stop()
    return spent


def looking_up(engine: Engine, issued: list[Issued], at_once: int) -> float:
    """Return µs a key that is looked up, so many in one statement."""
    credentials = [credential_of(one.secret) for one in issued]
    questions = [Question(bytes.fromhex(one.sha256), one) for one in credentials]
    follower = Follower(engine, place_of(engine))
    begin = time.thread_time()
    for start in range(0, len(questions), at_once):
        follower.look_up(questions[start : start + at_once])
    spent = time.thread_time() - begin
    follower.close()
    return round(1e6 * spent / len(questions), 2)


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        engine = open_database(f"sqlite:///{Path(folder) / 'keys.db'}")
        store = KeyStore(engine)
        issued = store.create_many([KeyOrder()] * 3000, actor="bench")
        limit = Limit("default", 1_000_000)
        result = {
            "empty_us": asyncio.run(passing(inner, issued)),
            "gateway_us": asyncio.run(of_gateway(engine, issued)),
            "gateway_with_limit_us": asyncio.run(of_gateway(engine, issued, limit)),
            "look_up_us": {str(n): looking_up(engine, issued, n) for n in (1, 4, 16, 64)},
        }
        engine.dispose()
    print(json.dumps(result, indent=2))


main()
