"""What applications behind the gateway say without a server: refusals, and where an answer ends."""

import asyncio

import pytest

from gateway.exchange import Incoming
from gateway.forward import allowed
from gateway.standalone import _greeting
from gateway.upstream import Upstream


@pytest.mark.parametrize(
    ("target", "query"),
    [
        (b"*", b""),
        (b"http://other/", b""),
        (b"/a b", b""),
        (b"/a", b"x=\r\nX-Api-Key-Id: k"),
        (b"/\x7f", b""),
    ],
)
def test_a_target_that_would_end_its_line_is_refused_before_anybody_is_asked(target, query):
    scope = {
        "type": "http",
        "method": "GET",
        "raw_path": target,
        "query_string": query,
        "headers": [],
    }
    assert spoken(Upstream("http://127.0.0.1:1", lambda _: False), scope)[0]["status"] == 400


@pytest.mark.parametrize(
    ("application", "closed"),
    [
        (
            Upstream("http://127.0.0.1:1", lambda _: False),
            [{"type": "websocket.close", "code": 1011}],
        ),
        (allowed, []),
        (_greeting, [{"type": "websocket.close", "code": 1000}]),
    ],
)
def test_a_websocket_that_nobody_serves_is_not_accepted(application, closed):
    assert spoken(application, {"type": "websocket"}) == closed


def spoken(application, scope):
    sent = []

    async def send(message):
        sent.append(message)

    asyncio.run(application(scope, None, send))
    return sent


def test_what_comes_behind_an_answer_ends_its_connection():
    incoming = Incoming("GET")
    incoming.feed(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert incoming.is_reusable
    incoming.feed(b"HTTP/1.1 200 OK\r\n")
    assert not incoming.is_reusable
    assert (incoming.status, incoming.take_body()) == (200, b"ok")
