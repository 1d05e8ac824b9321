"""The gateway in front of WSGI and Starlette-like applications, in real servers."""

import http.client
import io
import json
import threading
from wsgiref.simple_server import WSGIRequestHandler, make_server
from wsgiref.util import setup_testing_defaults
from wsgiref.validate import validator

import pytest

from gateway.limits import Limit
from gateway.options import Options
from gateway.reader import Reader
from gateway.wsgi import WsgiGateway

SEEN = (
    "HTTP_X_REAL_IP",
    "HTTP_X_API_KEY_ID",
    "HTTP_X_API_KEY_ENVIRONMENT",
    "HTTP_X_KEYWATCH_X",
    "QUERY_STRING",
)


def echo(environ, start):
    if environ["PATH_INFO"] == "/fails":
        raise RuntimeError
    seen = {name: environ[name] for name in SEEN if name in environ}
    start("200 OK", [("Content-Type", "application/json")])
    return [json.dumps(seen).encode()]


class Quiet(WSGIRequestHandler):
    def log_message(self, *_):
        pass

    def get_stderr(self):
        return io.StringIO()


@pytest.fixture
def serve(place):
    """Return what runs a gateway before `echo` and gives a function that asks it."""
    running = []

    def start(options=Options(), **more):  # noqa: B008  (frozen)
        app = WsgiGateway(validator(echo), Reader(place.store.engine), options, **more)
        server = make_server("127.0.0.1", 0, app, handler_class=Quiet)
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        running.append((app, server, thread))

        def ask(secret=None, path="/", headers=None):
            connection = http.client.HTTPConnection("127.0.0.1", server.server_port, timeout=20)
            sent = dict(headers or {}) | ({"X-API-Key": secret} if secret else {})
            connection.request("GET", path, headers=sent)
            response = connection.getresponse()
            told = {name.lower(): value for name, value in response.getheaders()}
            found = response.status, told, response.read()
            connection.close()
            return found

        return ask

    yield start
    for app, server, thread in running:
        server.shutdown()
        server.server_close()
        thread.join()
        app.close()


def test_the_application_sees_who_it_is_and_no_forged_headers(place, serve):
    issued, ask = place.issue(), serve()
    forged = {"X-Api-Key-Id": "key_forged", "X-Keywatch-X": "1", "X-Real-IP": "10.0.0.9"}
    status, headers, body = ask(issued.secret, "/?a=b", forged)
    assert (status, headers["x-key-status"]) == (200, "active")
    assert json.loads(body) == {
        "HTTP_X_API_KEY_ID": issued.key.id,
        "HTTP_X_API_KEY_ENVIRONMENT": "live",
        "QUERY_STRING": "a=b",
    }
    status, _, body = ask(headers=forged)
    assert (status, json.loads(body)["error"]["code"]) == (401, "missing_api_key")


def test_a_key_in_the_query_does_not_reach_the_application(place, serve):
    issued = place.issue()
    status, _, body = serve(Options(query_keys=True))(path=f"/?key={issued.secret}&a=b")
    assert (status, json.loads(body)["QUERY_STRING"]) == (200, "key=REDACTED&a=b")


def test_limits_and_revocations_hold(place, serve, eventually):
    issued, other = place.issue(), place.issue()
    ask = serve(Options(limits=(Limit("two", 2, 3600),)))
    assert [ask(issued.secret)[0] for _ in range(3)] == [200, 200, 429]
    assert ask(issued.secret)[1]["retry-after"]
    assert ask(other.secret)[0] == 200
    place.store.revoke(other.key.id, actor="test")
    eventually(lambda: ask(other.secret)[0] == 401)


def test_accesses_are_told_once_each_with_their_status(place, serve):
    issued, seen = place.issue(), []
    ask = serve(sink=seen.append)
    ask(issued.secret, "/a%20b?key=hush")
    ask()
    ask(issued.secret, "/fails")
    assert [(one.status, one.key_id) for one in seen] == [
        (200, issued.key.id),
        (401, ""),
        (500, issued.key.id),
    ]
    assert seen[0].size > 0
    assert seen[0].target.startswith(b"/a%20b?")
    assert b"hush" not in seen[0].target


def test_two_headers_that_a_server_joins_are_two_keys(place, serve):
    issued = place.issue()
    assert serve()(headers={"X-API-Key": f"{issued.secret},{issued.secret}"})[0] == 401


def test_closed_twice_or_before_its_first_request_it_minds_nothing(place):
    told = []
    app = WsgiGateway(echo, Reader(place.store.engine), sink=told.append)
    app.close()
    environ = {"HTTP_X_API_KEY": place.issue().secret}
    setup_testing_defaults(environ)
    answer = app(environ, lambda *_: None)  # a list, which has nothing to close
    body = b"".join(answer)
    answer.close()
    app.close()
    app.close()
    assert [one.size for one in told] == [len(body)]


def test_what_an_answer_cost_is_paid_from_the_keys_budget(place):
    ai = place.issue(tokens_per_day=100)

    def costly(environ, start):
        del environ
        start("200 OK", [("Content-Type", "text/plain"), ("X-Tokens", "60")])
        return [b"ok"]

    app = WsgiGateway(costly, Reader(place.store.engine), Options(tokens_header="X-Tokens"))
    statuses = []
    for _ in range(3):
        environ = {"HTTP_X_API_KEY": ai.secret, "REMOTE_ADDR": "192.0.2.1"}
        setup_testing_defaults(environ)
        answer = app(environ, lambda status, *_: statuses.append(status[:3]))
        b"".join(answer)
        getattr(answer, "close", lambda: None)()
    app.close()
    assert statuses == ["200", "200", "429"]
