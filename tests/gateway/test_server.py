"""What the server does to those who take their time."""

import asyncio
import socket
from contextlib import asynccontextmanager, suppress

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.bounded import BoundedProtocol
from gateway.instant import answering, written
from gateway.joined import JoinedTransport
from gateway.remote import RemoteCache
from gateway.server import listening
from gateway.shared import _redis
from vocabulary.errors import ConfigError, ServiceError


class Impatient(BoundedProtocol):
    head_timeout_s = 0.05


async def app(scope, receive, send):
    await send({"type": "http.response.start", "status": 204, "headers": []})
    await send({"type": "http.response.body"})


async def conversation(*parts):
    """Send the parts, each after the answer to the one before, and read until the end."""
    loop = asyncio.get_running_loop()
    config = uvicorn.Config(app, ws="none", lifespan="off", log_level="critical")
    config.load()
    server = await loop.create_server(lambda: Impatient(config, ServerState(), {}), "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection(*server.sockets[0].getsockname())
    answers = []
    for part in parts:
        writer.write(part)
        answers.append(await reader.readuntil(b"\r\n\r\n"))
    rest = await reader.read()
    writer.close()
    server.close()
    return [answer.split(b" ")[1] for answer in answers], rest


HEAD = b"GET / HTTP/1.1\r\nHost: h\r\n\r\n"


@pytest.mark.parametrize(
    ("parts", "statuses"),
    [
        ((b"",), [b"408"]),
        ((b"GET / HT",), [b"408"]),
        ((HEAD, b"GET / HT"), [b"204", b"408"]),
        ((HEAD, HEAD, b"G"), [b"204", b"204", b"408"]),
    ],
)
def test_who_does_not_finish_a_head_is_cut_off(parts, statuses):
    assert asyncio.run(conversation(*parts)) == (statuses, b"")


def test_what_is_written_in_one_turn_leaves_in_one_piece_and_in_order():
    sent = []

    class Real:
        write = staticmethod(lambda data: sent.append(bytes(data)))
        close = staticmethod(lambda: sent.append(b"closed"))
        is_closing = staticmethod(lambda: False)

    async def go():
        joined = JoinedTransport(Real(), asyncio.get_running_loop())
        joined.write(b"head ")
        joined.write(b"body")
        assert sent == []
        await asyncio.sleep(0)
        joined.write(b"held, ")
        joined.write(large := bytes(70_000))
        assert sent == [b"head body", b"held, " + large]
        joined.write(b"last")
        joined.close()
        await asyncio.sleep(0)
        assert sent[2:] == [b"last", b"closed"]
        assert not joined.is_closing()

    asyncio.run(go())


BODY, ASKED = bytes(4000), 4000
"""More answers than all buffers between two sockets take."""


def instant(peer, method, url, headers):
    del peer, method, headers
    return None if url == b"/slow" else written(200, [(b"content-length", b"4000")], BODY)


async def later(scope, receive, send):
    """Answer after a turn of the loop, as who asks somebody else would."""
    del scope, receive
    await asyncio.sleep(0)
    headers = [(b"content-length", b"4000")]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": BODY})


async def until(condition):
    while not condition():  # noqa: ASYNC110  (what is waited for tells nobody)
        await asyncio.sleep(0.001)


@asynccontextmanager
async def connected(protocol, application):
    """A client's reader and writer, and the server's side of the connection."""
    loop, made = asyncio.get_running_loop(), []
    config = uvicorn.Config(application, ws="none", lifespan="off", log_level="critical")
    config.load()

    def connection():
        made.append(protocol(config, ServerState(), {}))
        return made[-1]

    server = await loop.create_server(connection, "127.0.0.1", 0)
    with socket.create_connection(server.sockets[0].getsockname()) as client:
        reader, writer = await asyncio.open_connection(sock=client)
        await until(lambda: made and made[0].transport)
        try:
            yield reader, writer, made[0]
        finally:
            writer.transport.abort()
            with suppress(ConnectionError):
                await writer.wait_closed()
            server.close()


@pytest.mark.parametrize("path", [b"/fast", b"/slow"])
def test_who_asks_on_and_on_without_reading_fills_no_memory(path):
    async def go():
        async with connected(answering(instant), later) as (reader, writer, connection):
            reader._transport.pause_reading()
            writer.write(b"GET %b HTTP/1.1\r\nHost: h\r\n\r\n" % path * ASKED)
            await until(lambda: connection.flow.write_paused and connection._unread)
            assert not connection.transport.is_reading()
            waiting = connection.transport.get_write_buffer_size()
            assert waiting + len(connection.pipeline) * len(BODY) < len(BODY) * ASKED / 4
            reader._transport.resume_reading()
            for _ in range(ASKED):
                assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")
                assert await reader.readexactly(len(BODY)) == BODY
            assert not connection._unread
            assert connection.transport.is_reading()

    asyncio.run(go())


@pytest.mark.parametrize("asked", [0, 1, ASKED])
def test_who_neither_asks_nor_takes_answers_is_left(monkeypatch, asked):
    monkeypatch.setattr(BoundedProtocol, "head_timeout_s", 0.05)
    monkeypatch.setattr(BoundedProtocol, "idle_timeout_s", 0.2)

    async def go():
        async with connected(answering(instant), later) as (reader, writer, connection):
            reader._transport.pause_reading()
            writer.write(b"GET / HTTP/1.1\r\nHost: h\r\n\r\n" * asked)
            await until(connection.transport.is_closing)

    asyncio.run(go())


def test_who_waits_for_a_slow_answer_is_not_left(monkeypatch):
    monkeypatch.setattr(BoundedProtocol, "head_timeout_s", 0.05)
    monkeypatch.setattr(BoundedProtocol, "idle_timeout_s", 0.1)

    async def slow(scope, receive, send):
        await asyncio.sleep(0.4)
        await later(scope, receive, send)

    async def go():
        async with connected(BoundedProtocol, slow) as (reader, writer, _):
            writer.write(HEAD)
            assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 200 ")

    asyncio.run(go())


def test_an_address_that_cannot_be_had_is_told():
    with listening("127.0.0.1", 0) as taken:
        for host, port in (("127.0.0.1", taken.getsockname()[1]), ("no host at all", 0)):
            with pytest.raises(ServiceError, match="cannot listen"):
                listening(host, port)


@pytest.mark.parametrize("make", [lambda url: RemoteCache(url, "x"), lambda url: _redis(url, 1.0)])
def test_what_is_no_address_of_a_redis_is_refused(make):
    with pytest.raises(ConfigError, match="this is no Redis"):
        make("http://127.0.0.1:6379")
