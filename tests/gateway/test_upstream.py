"""The gateway as a reverse proxy, before servers that behave and servers that do not."""

import http.client
import json
import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import ClassVar

import pytest

from tests.gateway.conftest import Place


class Application(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    connections: ClassVar = set()

    def answer(self):
        self.connections.add(self.client_address)
        seen = {
            "method": self.command,
            "path": self.path,
            "body": len(self.body()),
            "headers": [[name.lower(), value] for name, value in self.headers.items()],
        }
        body = json.dumps(seen).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "X-Inner")
        self.send_header("X-Inner", "1")
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    do_GET = do_POST = do_HEAD = do_DELETE = answer  # noqa: N815

    def body(self):
        if "chunked" not in self.headers.get("Transfer-Encoding", ""):
            return self.rfile.read(int(self.headers.get("Content-Length", 0)))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size)
            self.rfile.readline()
        self.rfile.readline()
        return body

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def application():
    server = ThreadingHTTPServer(("127.0.0.1", 0), Application)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


ANSWERS = [
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200, b"ok"),
    (b"HTTP/1.1 200 OK\r\n\r\nuntil the end", 200, b"until the end"),
    (b"HTTP/1.0 200 OK\r\n\r\nold", 200, b"old"),
    (
        b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n",
        *(201, b""),
    ),
    (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n",
        *(200, b"ok"),
    ),
    (b"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", 304, b""),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 500 No\r\n\r\nno", 200, b"ok"),
    (b"", 502, None),
    (b"this is no HTTP\r\n\r\n", 502, None),
    (b"HTTP/1.1 200 OK\r\nContent-Le", 502, None),
    (b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\npart", None, None),
    (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nparts\r\n", None, None),
]


def say(listener):
    """Say the answer whose number is the path, whatever it is, and hang up."""
    while True:
        try:
            peer, _ = listener.accept()
        except OSError:
            return
        with peer:
            number = peer.recv(65536).split(b" ")[1].strip(b"/")
            peer.sendall(ANSWERS[int(number)][0])


@pytest.fixture(scope="module")
def before_rude(tmp_path_factory):
    """Give a secret and the gateway before a server without manners."""
    place = Place(tmp_path_factory.mktemp("rude"))
    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=say, args=[listener])
        thread.start()
        with place.serving("--upstream", f"http://127.0.0.1:{listener.getsockname()[1]}") as served:
            yield place.issue().secret, served
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()
    place.store.engine.dispose()


@pytest.fixture(scope="module")
def proxied(tmp_path_factory, application):
    place = Place(tmp_path_factory.mktemp("proxied"))
    with place.serving("--upstream", application) as served:
        yield place.issue(), served
    place.store.engine.dispose()


@pytest.mark.parametrize("path", ["/auth", "/auth/login", "/verify", "/verify/x", "/healthz/x"])
def test_the_applications_own_paths_are_its_own_whatever_they_are_called(proxied, path):
    issued, served = proxied
    for _ in range(2):  # the second time the key is in memory
        answer = served.get(issued.secret, path)
        assert json.loads(answer.body)["path"] == path
    assert served.get(None, path).status == 401
    assert served.get(path="/healthz").status == 200


def test_an_answer_has_one_date(proxied):
    issued, served = proxied
    connection = http.client.HTTPConnection(served.host, served.port)
    connection.request("GET", "/", headers={"X-API-Key": issued.secret})
    assert len(connection.getresponse().headers.get_all("date")) == 1
    connection.close()


def test_hands_on_what_is_let_in_and_nothing_else(proxied):
    issued, served = proxied
    forged = {
        "X-Api-Key-Id": "key_forged",
        "X-Forwarded-For": "6.6.6.6",
        "Te": "trailers",
        "Connection": "X-Hop, X-Api-Key-Id",
        "X-Hop": "1",
        "X-End": "2",
    }
    answer = served.get(issued.secret, "/a%20b?c=d", forged)
    seen = json.loads(answer.body)
    headers = dict(seen["headers"])
    assert (answer.status, seen["path"]) == (200, "/a%20b?c=d")
    assert headers["x-api-key-id"] == issued.key.id
    assert headers["x-forwarded-for"] == "127.0.0.1"
    assert headers["x-end"] == "2"
    assert {"x-hop", "te", "connection"}.isdisjoint(headers)
    assert "x-inner" not in answer.headers
    assert answer.headers["x-key-status"] == "active"
    assert served.get(None, "/").status == 401


def test_what_only_a_proxy_may_tell_reaches_no_application(proxied):
    issued, served = proxied
    names = """X-Forwarded-Client-Cert Client-Cert X-SSL-Client-Verify X_SSL_Client_Verify X-Real-IP
        Forwarded X-Forwarded-Host X-Forwarded-Uri X_Real_IP True-Client-IP X-Original-URL
        X-Rewrite-URL X-Original-URI X-Forwarded-Prefix""".split()
    answer = served.get(issued.secret, "/", dict.fromkeys(names, "SUCCESS"))
    seen = json.loads(answer.body)["headers"]
    assert answer.status == 200
    assert [name for name, value in seen if value == "SUCCESS"] == []


@pytest.mark.parametrize("size", [0, 1, 3_000_000])
@pytest.mark.parametrize("chunked", [False, True])
def test_bodies_arrive_whole(proxied, size, chunked):
    issued, served = proxied
    connection = http.client.HTTPConnection(served.host, served.port, timeout=20)
    parts = [b"x" * 50_000] * (size // 50_000) + [b"x" * (size % 50_000)]
    for _ in range(2):
        connection.request(
            "POST",
            "/",
            iter([part for part in parts if part]) if chunked else b"".join(parts),
            {"X-API-Key": issued.secret},
            encode_chunked=chunked,
        )
        response = connection.getresponse()
        seen = json.loads(response.read())
        assert (response.status, seen["method"]) == (200, "POST")
        assert seen["body"] == size
    connection.close()


def test_an_answer_to_head_has_no_body(proxied):
    issued, served = proxied
    connection = http.client.HTTPConnection(served.host, served.port, timeout=20)
    for _ in range(3):
        connection.request("HEAD", "/", headers={"X-API-Key": issued.secret})
        response = connection.getresponse()
        assert (response.status, response.read()) == (200, b"")
    connection.close()


def sent_raw(served, *lines, body=b""):
    """Send these lines as they are, and return the status and what the application saw."""
    with socket.create_connection((served.host, served.port), timeout=20) as client:
        client.sendall(b"\r\n".join([*lines, b"Connection: close", b"", body]))
        answer = b"".join(iter(lambda: client.recv(65536), b""))
    head, _, told = answer.partition(b"\r\n\r\n")
    status = int(head.split()[1])
    return status, json.loads(told) if status == 200 else {}


def test_a_client_cannot_have_the_length_of_its_body_taken_away(proxied):
    """Without it the application would take the body for a request of its own."""
    issued, served = proxied
    status, seen = sent_raw(
        served,
        b"POST / HTTP/1.1",
        b"Host: here",
        b"X-API-Key: " + issued.secret.encode(),
        b"Connection: Content-Length, Host",
        b"Content-Length: 27",
        body=b"GET /inner HTTP/1.1\r\nA: b\r\n"[:27],
    )
    assert (status, seen["body"]) == (200, 27)
    headers = dict(seen["headers"])
    assert (headers["host"], headers["content-length"]) == ("here", "27")


@pytest.mark.parametrize(
    "lines",
    [
        [b"GET / HTTP/1.1"],
        [b"GET / HTTP/1.1", b"Host: here", b"Host: there"],
        [b"POST / HTTP/1.1", b"Host: here", b"Transfer-Encoding: gzip, chunked"],
    ],
    ids=["no host", "two hosts", "a coding that is not known here"],
)
def test_what_servers_may_read_in_two_ways_is_not_handed_on(proxied, lines):
    issued, served = proxied
    status, _ = sent_raw(served, *lines, b"X-API-Key: " + issued.secret.encode(), body=b"0\r\n\r\n")
    assert status == 400


@pytest.mark.parametrize("target", [b"/admin%00/x", b"/%00", b"/a%00?b=c"])
def test_a_path_that_some_servers_read_up_to_a_nul_is_refused(proxied, target):
    issued, served = proxied
    key = b"X-API-Key: " + issued.secret.encode()
    status, _ = sent_raw(served, b"GET " + target + b" HTTP/1.1", b"Host: here", key)
    assert status == 400


def test_a_nul_elsewhere_is_the_applications_own(proxied):
    issued, served = proxied
    key = b"X-API-Key: " + issued.secret.encode()
    status, seen = sent_raw(served, b"GET /a%2500?b=%00 HTTP/1.1", b"Host: here", key)
    assert (status, seen["path"]) == (200, "/a%2500?b=%00")


def test_lengths_in_disguise_stay_behind_and_an_old_client_needs_no_host(proxied):
    issued, served = proxied
    key = b"X-API-Key: " + issued.secret.encode()
    disguised = (b"Content_Length: 5", b"Transfer_Encoding: chunked", b"X_End: 1")
    status, seen = sent_raw(served, b"GET / HTTP/1.0", key, *disguised)
    headers = dict(seen["headers"])
    assert (status, headers["host"], headers["x_end"]) == (200, "", "1")
    assert {"content_length", "transfer_encoding"}.isdisjoint(headers)


def test_connections_are_kept(proxied):
    issued, served = proxied
    Application.connections.clear()
    for _ in range(5):
        assert served.get(issued.secret).status == 200
    assert len(Application.connections) == 1


@pytest.mark.parametrize("number", range(len(ANSWERS)))
def test_whatever_the_server_says_the_client_gets_one_answer_or_none(before_rude, number):
    secret, served = before_rude
    _, status, body = ANSWERS[number]
    for _ in range(2):
        if status is None:  # a part is never taken for the whole
            with pytest.raises((http.client.IncompleteRead, ConnectionError)):
                served.get(secret, f"/{number}")
            continue
        got = served.get(secret, f"/{number}")
        assert got.status == status
        assert body is None or got.body == body


def test_a_server_that_is_away_is_502(place):
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    with place.serving("--upstream", f"http://127.0.0.1:{port}") as served:
        answer = served.get(place.issue().secret)
        assert answer.status == 502
        assert b"upstream_unreachable" in answer.body
    assert "Traceback" not in (place.folder / "stderr").read_text()


@pytest.mark.parametrize("url", ["ftp://h", "h:80", "http://", "http://h/path", "http://u:s@h:x"])
def test_says_how_an_upstream_is_written(place, url):
    result = place.say("serve", "--upstream", url)
    assert result.returncode == 2
    assert "Traceback" not in result.stderr
