"""What the server does to those who take their time."""

import asyncio

import pytest
import uvicorn
from uvicorn.server import ServerState

from gateway.joined import JoinedTransport
from gateway.server import BoundedProtocol


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
        joined.write_now(b"at once")
        joined.write(large := bytes(70_000))
        assert sent == [b"head body", b"held, ", b"at once", large]
        joined.write(b"last")
        joined.close()
        await asyncio.sleep(0)
        assert sent[4:] == [b"last", b"closed"]
        assert not joined.is_closing()

    asyncio.run(go())
