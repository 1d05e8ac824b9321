"""Keys of AI APIs: which models they ask, and how many tokens they spend."""

import asyncio
import json

import pytest

from gateway.app import Gateway
from gateway.models import MAX_BODY_BYTES, fault_of
from gateway.options import Options
from gateway.reader import Reader
from keystore import accounts, plans
from keystore.plans import Plan
from tests.gateway.test_app import scope_of, with_key
from tests.gateway.test_grants import write


async def model(scope, receive, send):
    """Answer as an AI API does: with what it was asked, and what that cost."""
    body, more = b"", True
    while more:
        message = await receive()
        body, more = body + message["body"], message["more_body"]
    headers = [(b"x-tokens", b"60")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


def told(place, key, *bodies, options=None):
    """Return status and body of each answer; a body is a list of its parts."""

    async def one(app, parts):
        waiting, sent = list(parts), []

        async def receive():
            part = waiting.pop(0)
            return {"type": "http.request", "body": part, "more_body": bool(waiting)}

        async def send(message):
            sent.append(message)

        await app(scope_of(with_key(key.secret), method="POST"), receive, send)
        return sent[0]["status"], sent[1]["body"]

    async def go():
        app = Gateway(model, Reader(place.store.engine), options or Options())
        found = [await one(app, parts) for parts in bodies]
        await app.close()
        return found

    return asyncio.run(go())


def test_a_key_asks_its_models_alone_and_the_application_gets_the_whole_body(place):
    key = place.issue(models=("small-*",))
    good = [b'{"model":"small-', b'1","x":[{"model":"large"}]}']
    bad = [b'{"model":"large"}']
    (status, body), (refused, why) = told(place, key, good, bad)
    assert (status, body) == (200, b"".join(good))
    assert (refused, json.loads(why)["error"]["code"]) == (403, "model_not_allowed")


@pytest.mark.parametrize(
    ("body", "fault"),
    [
        (b'{"model":"small-1"}', ""),
        (b'{"x":{"model":"large"},"model":"small-1"}', ""),
        (b'{"model":"small-1","x":{"model":"large"}}', ""),
        (b'{"model":"large"}', "model_not_allowed"),
        (b'{"mod\\u0065l":"large"}', "model_not_allowed"),
        (b'{"model":"small-1","model":"large"}', "model_unknown"),
        (b'{"model":"small-1\\nlarge"}', ""),
        (b'{"model":["small-1"]}', "model_unknown"),
        (b'{"x":1}', "model_unknown"),
        (b'["small-1"]', "model_unknown"),
        (b"model=large", "model_unknown"),
        (b"\xff\xfe", "model_unknown"),
        (b"[" * 100_000, "model_unknown"),
        (b'{"model":"small-1","Model":"large"}', "model_unknown"),
        (b'{"MODEL":"large"}', "model_not_allowed"),
        (None, "model_unknown"),
        (b"", "model_unknown"),
    ],
)
def test_what_cannot_be_read_is_refused(body, fault):
    assert fault_of(body, ("small-*",)) == fault


@pytest.mark.parametrize(
    ("method", "fault"), [("GET", ""), ("DELETE", ""), ("PUT", "model_unknown")]
)
def test_without_a_body_passes_what_usually_has_none(method, fault):
    assert fault_of(b"", ("small-*",), method) == fault


def test_a_body_that_is_too_long_to_be_read_is_refused(place):
    key = place.issue(models=("small-*",))
    part = b"x" * (MAX_BODY_BYTES // 2)
    assert told(place, key, [part, part, part, b""])[0][0] == 403


def test_a_proxy_that_asks_shows_no_body(running):
    place, served = running
    key = place.issue(models=("small-*",))
    for face in ("/verify", "/auth"):
        for _ in range(2):
            assert served.get(key.secret, face).status == 403


def test_who_has_spent_his_tokens_waits(place):
    key, rich = place.issue(tokens_per_day=100), place.issue()
    ask = [b"{}"]
    options = Options(tokens_header="X-Tokens")
    assert [s for s, _ in told(place, key, ask, ask, ask, options=options)] == [200, 200, 429]
    assert [s for s, _ in told(place, rich, ask, ask, ask, options=options)] == [200] * 3


def test_a_plans_budget_is_that_of_each_of_its_keys(place):
    write(place, plans.put, Plan(id="ai", tokens_per_min=60))
    write(place, accounts.create, "acme", accounts.Changes(plan="ai"))
    one, other = (place.issue(account="acme") for _ in range(2))
    options = Options(tokens_header="x-tokens")
    assert [s for s, _ in told(place, one, [b"{}"], [b"{}"], options=options)] == [200, 429]
    assert [s for s, _ in told(place, other, [b"{}"], options=options)] == [200]
