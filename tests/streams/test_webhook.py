"""The webhook over a real socket."""

import asyncio
import http.client
import json
import socket
import sqlite3
import threading

import pytest
import uvicorn

from database.transaction import reading
from streams import repoqueue, webhook
from streams.asgi import Room
from tests.streams.test_github import BODY, SECRET, signed

PATH = "/webhooks/github"


async def a_delivery(app, parts, wait):
    """Send a body in parts, the last one when `wait` is over; return the status."""
    left, found = list(parts), []
    headers = [(b"x-hub-signature-256", b"sha256=" + b"0" * 64)]

    async def receive():
        if len(left) == 1:
            await wait.wait()
        return {"type": "http.request", "body": left.pop(0), "more_body": bool(left)}

    async def send(message):
        found.append(message.get("status"))

    scope = {"type": "http", "method": "POST", "path": PATH, "headers": headers, "client": None}
    await app(scope, receive, send)
    return found[0]


def test_bodies_that_nobody_vouches_for_share_a_bounded_memory(engine):
    app = webhook.app(engine, {"github": [SECRET]}, room=Room(1000, free=100))

    async def all_at_once():
        end, now = asyncio.Event(), asyncio.Event()
        now.set()
        held = asyncio.create_task(a_delivery(app, [b"x" * 1050, b"x"], end))
        await asyncio.sleep(0)
        assert await a_delivery(app, [b"x" * 400, b""], now) == 503
        assert await a_delivery(app, [b"x" * 100, b""], now) == 401
        end.set()
        assert await held == 401
        assert await a_delivery(app, [b"x" * 1050, b""], now) == 401

    asyncio.run(all_at_once())


@pytest.fixture
def told():
    return []


@pytest.fixture
def patience_s():
    return 30.0


@pytest.fixture
def port(engine, told, patience_s):
    app = webhook.app(
        engine, {"github": [SECRET]}, clock=lambda: 7.0, tell=told.append, body_timeout_s=patience_s
    )
    listening = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield listening.getsockname()[1]
    server.should_exit = True
    thread.join()
    listening.close()


def ask(port, method="POST", path=PATH, body=BODY, headers=None):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request(method, path, body, signed(body) if headers is None else headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())["status"], answer.headers
    finally:
        connection.close()


def queued(engine):
    with reading(engine) as connection:
        return repoqueue.take(connection, 1e9)


def test_queues_a_push_once(port, engine):
    assert ask(port)[:2] == (202, "queued")
    assert ask(port)[:2] == (200, "known")
    event = queued(engine).event
    assert (event.after, event.received_at) == ("b" * 40, 7.0)


def test_answers_a_ping(port, engine):
    assert ask(port, headers=signed(BODY, event="ping"))[:2] == (200, "nothing to do")
    assert queued(engine) is None


def test_refuses_a_forged_push_and_says_who_sent_it(port, engine, told):
    assert ask(port, headers=signed(BODY, "another"))[0] == 401
    assert ask(port, headers={})[0] == 401
    assert queued(engine) is None
    assert "127.0.0.1" in told[0]
    assert SECRET not in "".join(told)


def test_refuses_what_is_no_delivery(port):
    assert ask(port, path="/")[0] == 404
    status, _, headers = ask(port, "GET")
    assert (status, headers["Allow"]) == (405, "POST")
    assert ask(port, body=b"{}")[0] == 400


def test_refuses_a_body_that_is_too_large_before_it_is_sent(port):
    large = signed(BODY) | {"Content-Length": str(25 * 1024 * 1024 + 1)}
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in large.items())
        connection.sendall(f"POST {PATH} HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode())
        assert connection.recv(99).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("length", ["-1", "1e3", "¹"])
def test_a_length_that_is_no_number_is_refused(engine, length):
    """Servers see to that; another one might not."""
    assert told_by(engine, [], length)[0]["status"] == 400


def test_a_sender_that_goes_leaves_nothing(engine):
    messages = [{"type": "http.request", "body": BODY, "more_body": True}]
    sent = told_by(engine, [*messages, {"type": "http.disconnect"}], "9")
    assert sent[0]["status"] == 400
    assert queued(engine) is None


def told_by(engine, messages, length):
    headers = {**signed(BODY), "Content-Length": length}
    scope = {
        "type": "http",
        "path": PATH,
        "method": "POST",
        "headers": [(name.encode(), value.encode("latin-1")) for name, value in headers.items()],
    }
    sent, coming = [], iter(messages)

    async def receive():
        return next(coming)

    async def send(message):
        sent.append(message)

    asyncio.run(webhook.app(engine, {"github": [SECRET]})(scope, receive, send))
    return sent


def test_refuses_a_body_that_grows_too_large(port):
    def pieces():
        for _ in range(26):
            yield b"x" * 1024 * 1024

    connection = http.client.HTTPConnection("127.0.0.1", port)
    try:
        connection.request("POST", PATH, pieces(), signed(BODY), encode_chunked=True)
        assert connection.getresponse().status == 413
    except (BrokenPipeError, ConnectionResetError):
        pass  # closed before all was sent: refused as well
    finally:
        connection.close()


@pytest.mark.parametrize("patience_s", [0.1])
def test_does_not_wait_long_for_a_body(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = "".join(f"{name}: {value}\r\n" for name, value in signed(BODY).items())
        connection.sendall(
            f"POST {PATH} HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n{head}\r\n{{".encode()
        )
        assert connection.recv(99).startswith(b"HTTP/1.1 408")


def test_says_to_try_again_when_the_database_takes_nothing(port, engine, told):
    with sqlite3.connect(engine.url.database) as broken:
        broken.execute("DROP TABLE repo_events")
    status, _, headers = ask(port)
    assert (status, headers["Retry-After"]) == (503, "10")
    assert "repo_events" in told[0]
