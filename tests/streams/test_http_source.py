"""The intake over a real socket: answered when committed, once whatever is sent again."""

import gzip
import http.client
import json
import socket
import threading
from contextlib import contextmanager

import pytest
import uvicorn

from database.transaction import reading, transaction
from streams import checkpoint, posted
from streams.sources import http as intake
from vocabulary.errors import DatabaseError

TOKEN = "a token of a test"
BODY = b'{"a":1}\n\n{"a":2}'


@pytest.fixture
def known(engine):
    def known(keys):
        with reading(engine) as connection:
            return checkpoint.delivered(connection, keys)

    return known


@pytest.fixture
def source(known):
    with intake.HttpSource("test", known, max_waiting=40) as source:
        source.open(None)
        yield source


@pytest.fixture
def patience():
    return {"body_timeout_s": 30.0, "commit_s": 30.0}


@contextmanager
def served(source, **patience):
    listening = socket.create_server(("127.0.0.1", 0))
    app = intake.app(source, [TOKEN, "another"], **patience)
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", ws="none"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]})
    thread.start()
    yield listening.getsockname()[1]
    source.close()
    server.should_exit = True
    thread.join()
    listening.close()


@pytest.fixture
def port(source, patience):
    with served(source, **patience) as number:
        yield number


def ask(port, body=BODY, *, token=TOKEN, method="POST", path="/events", **headers):
    connection = http.client.HTTPConnection("127.0.0.1", port)
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        connection.request(method, path, body, {"Authorization": f"Bearer {token}", **named})
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read()), answer.headers
    finally:
        connection.close()


@contextmanager
def asking(port, *bodies, **headers):  # with `token` as well
    """Ask in threads; their answers are there when the block has ended."""
    answers = []
    threads = [
        threading.Thread(target=lambda body=body: answers.append(ask(port, body, **headers)[:2]))
        for body in bodies
    ]
    for thread in threads:
        thread.start()
    yield answers
    for thread in threads:
        thread.join()


def next_chunk(source):
    while (chunk := source.read(1000, 0.0)) is None:
        pass
    return chunk


def commit(engine, chunk):
    with transaction(engine) as connection:
        checkpoint.save(connection, chunk.source, chunk.position, 5.0)


def test_answers_when_the_batch_is_committed(engine, source, port):
    with asking(port, BODY) as answers:
        chunk = next_chunk(source)
        assert list(chunk.lines) == [b'{"a":1}', b'{"a":2}']
        commit(engine, chunk)
        assert not answers
        assert source.read(1000, 0.0) is None
    assert answers == [(200, {"status": "committed", "lines": 2, "dead": 0})]


def test_the_answer_tells_how_many_lines_were_no_events(engine, source, port):
    with asking(port, b"a\nb\nc", b"d\ne\nf") as answers:
        chunk = next_chunk(source)
        while len(chunk.lines) < 6:  # the other one came too late for this chunk
            source.open(None)
            chunk = next_chunk(source)
        commit(engine, chunk)
        dead = [at for at, line in zip(chunk.offsets, chunk.lines, strict=True) if line in b"c f d"]
        source.note_dead(dead)
        source.read(1000, 0.0)
    assert sorted(body["dead"] for _, body in answers) == [1, 2]


def test_a_batch_counts_once_however_often_it_is_sent(engine, source, port):
    with asking(port, BODY, BODY, BODY, Idempotency_Key="one") as answers:
        commit(engine, next_chunk(source))
        source.read(1000, 0.0)
    assert {status for status, _ in answers} == {200}
    assert ask(port, BODY, Idempotency_Key="one")[1] == {"status": "known"}
    packed = ask(port, gzip.compress(BODY), Idempotency_Key="one", Content_Encoding="gzip")
    assert packed[1] == {"status": "known"}
    assert source.read(1000, 0.0) is None


def test_without_a_key_every_post_counts(engine, source, port):
    """Two requests in one millisecond may be written alike; nobody said that they are one."""
    for _ in range(2):
        with asking(port, b"same") as answers:
            commit(engine, next_chunk(source))
            source.read(1000, 0.0)
        assert answers == [(200, {"status": "committed", "lines": 1, "dead": 0})]


def test_a_key_that_is_used_for_other_lines_is_refused(engine, source, port):
    with asking(port, b"a", Idempotency_Key="one"):
        chunk = next_chunk(source)
        assert ask(port, b"b", Idempotency_Key="one")[0] == 422  # while it is not committed
        commit(engine, chunk)
        source.read(1000, 0.0)
    assert ask(port, b"b", Idempotency_Key="one")[0] == 422
    assert ask(port, b"b", Idempotency_Key="x" * 201)[0] == 400
    assert source.read(1000, 0.0) is None


def test_a_key_is_its_senders_and_its_sources_own(engine, source, port, known):
    with asking(port, b"a", Idempotency_Key="one"):
        commit(engine, next_chunk(source))
        source.read(1000, 0.0)
    with asking(port, b"b", Idempotency_Key="one", token="another") as answers:
        commit(engine, next_chunk(source))
        source.read(1000, 0.0)
    with intake.HttpSource("elsewhere", known) as other, served(other) as elsewhere:
        other.open(None)
        with asking(elsewhere, b"c", Idempotency_Key="one") as more:
            commit(engine, next_chunk(other))
            other.read(1000, 0.0)
    assert answers == more == [(200, {"status": "committed", "lines": 1, "dead": 0})]


def test_who_names_no_batch_and_is_told_to_send_again_is_not_counted_twice(source):
    source.offer("post:1", [b"a"])
    source.withdraw("post:1")
    assert source.read(1000, 0.0) is None
    source.offer("post:2", [b"x" * 40])  # and its room is free again


def test_what_was_not_committed_is_given_again(engine, source, port):
    with asking(port, b"a") as answers:
        first = next_chunk(source)
        source.open(None)
        again = next_chunk(source)
        assert list(again.lines) == list(first.lines)
        commit(engine, again)
        source.read(1000, 0.0)
    assert answers[0][0] == 200


def test_what_was_committed_though_nobody_heard_of_it_is_not_given_again(engine, source, port):
    with asking(port, b"a") as answers:
        commit(engine, next_chunk(source))
        source.open(None)
    assert answers[0][0] == 200
    assert source.read(1000, 0.0) is None


def test_a_batch_that_another_worker_committed_undoes_the_transaction(engine):
    position = {"run": "r", "lines": 1, "deliveries": {"key:one": "a"}}
    with transaction(engine) as connection:
        checkpoint.save(connection, "http:a", position, 5.0)
    with pytest.raises(DatabaseError, match="another worker"), transaction(engine) as connection:
        checkpoint.save(connection, "http:b", position, 5.0)
    with reading(engine) as connection:
        assert checkpoint.load(connection, "http:b") is None
        assert checkpoint.load(connection, "http:a") == {"run": "r", "lines": 1}


def test_says_to_wait_when_too_much_waits(engine, source, port):
    with asking(port, b"x" * 30) as answers:
        chunk = next_chunk(source)
        status, _, headers = ask(port, b"y" * 30)
        assert (status, headers["Retry-After"]) == (429, "1")
        commit(engine, chunk)
        source.read(1000, 0.0)
    assert answers[0][0] == 200
    with asking(port, b"y" * 30) as answers:
        commit(engine, next_chunk(source))
        source.read(1000, 0.0)
    assert answers[0][0] == 200


@pytest.mark.parametrize("patience", [{"body_timeout_s": 30.0, "commit_s": 0.05}])
def test_says_to_come_again_when_nothing_is_committed(port):
    status, _, headers = ask(port)
    assert (status, headers["Retry-After"]) == (503, "5")


def test_reads_arrays_and_gzip(engine, source, port):
    array = gzip.compress(b' [{"a":1},\n {"b":\n2}]')
    with asking(port, array, Content_Encoding="gzip", Content_Type="application/json"):
        chunk = next_chunk(source)
        assert list(chunk.lines) == [b'{"a":1}', b'{"b": 2}']
        commit(engine, chunk)
        source.read(1000, 0.0)
    assert ask(port, b"")[1] == {"status": "committed", "lines": 0, "dead": 0}


@pytest.mark.parametrize(
    ("body", "lines"),
    [
        (b'[{"a":1},{"b":2}]', [b'{"a":1}', b'{"b":2}']),
        (b"[03/Nov/2025] GET /\n[03/Nov/2025] GET /", [b"[03/Nov/2025] GET /"] * 2),
        (b"[1, 2]\n[3, 4]", [b"[1, 2]", b"[3, 4]"]),
        (b"[1, 2]", [b"[1, 2]"]),
    ],
)
def test_an_array_is_known_without_being_called_one(engine, source, port, body, lines):
    with asking(port, body):
        chunk = next_chunk(source)
        assert list(chunk.lines) == lines
        commit(engine, chunk)
        source.read(1000, 0.0)


def test_reads_all_members_of_gzip(engine, source, port):
    """Each append to a packed log is a member of its own."""
    body = b"".join(gzip.compress(b"%d\n" % number) for number in range(3))
    with asking(port, body, Content_Encoding="gzip") as answers:
        chunk = next_chunk(source)
        assert list(chunk.lines) == [b"0", b"1", b"2"]
        commit(engine, chunk)
        source.read(1000, 0.0)
    assert answers == [(200, {"status": "committed", "lines": 3, "dead": 0})]


def test_refuses_what_is_no_batch(port, monkeypatch):
    assert ask(port, token="wrong")[0] == 401
    assert ask(port, token="")[0] == 401
    assert ask(port, path="/else")[0] == 404
    assert ask(port, method="GET")[0] == 405
    assert ask(port, b"x", Content_Encoding="br")[0] == 415
    assert ask(port, b"x", Content_Encoding="gzip")[0] == 400
    assert ask(port, gzip.compress(b"x" * 99)[:-9], Content_Encoding="gzip")[0] == 400
    assert ask(port, gzip.compress(b"x") + b"and more", Content_Encoding="gzip")[0] == 400
    assert ask(port, b"[1,", Content_Type="application/json")[0] == 400
    monkeypatch.setattr(posted, "MAX_UNPACKED", 1000)
    assert ask(port, gzip.compress(b"x" * 99_000), Content_Encoding="gzip")[0] == 413


def test_refuses_a_body_that_is_too_large_before_it_is_sent(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = f"Authorization: Bearer {TOKEN}\r\nContent-Length: {intake.MAX_BODY + 1}\r\n"
        connection.sendall(f"POST /events HTTP/1.1\r\nHost: a\r\n{head}\r\n".encode())
        assert connection.recv(99).startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("patience", [{"body_timeout_s": 0.1, "commit_s": 9.0}])
def test_does_not_wait_long_for_a_body(port):
    with socket.create_connection(("127.0.0.1", port)) as connection:
        head = f"Authorization: Bearer {TOKEN}\r\nContent-Length: 9\r\n"
        connection.sendall(f"POST /events HTTP/1.1\r\nHost: a\r\n{head}\r\n{{".encode())
        assert connection.recv(99).startswith(b"HTTP/1.1 408")


def test_nobody_is_let_in_without_a_token(source):
    app = intake.app(source, [""])
    assert app is not None
    with pytest.raises(intake.Refused) as refused:
        intake._authenticated({"authorization": "Bearer "}, [])
    assert refused.value.answer.status == 401


def test_who_looked_before_the_commit_and_offers_after_it_counts_once(engine, source):
    first = source.offer("one", [b"a"])
    chunk = next_chunk(source)
    assert not source.is_known("one", [b"a"])
    commit(engine, chunk)
    source.read(1000, 0.0)
    assert first.result(0)
    assert source.offer("one", [b"a"]).result(0)
    assert source.read(1000, 0.0) is None


def test_what_comes_while_it_closes_is_to_be_sent_again(source, port):
    source.close()
    status, _, headers = ask(port)
    assert (status, headers["Retry-After"]) == (503, "5")


def test_of_settled_batches_so_many_are_remembered(engine, source, monkeypatch):
    monkeypatch.setattr(intake, "_MOST_SETTLED", 2)
    for key in "abc":
        source.offer(key, [b"x"])
        commit(engine, next_chunk(source))
        source.read(1000, 0.0)
    assert list(source._settled) == ["b", "c"]
    assert source.is_known("a", [b"x"])  # the database knows all of them
