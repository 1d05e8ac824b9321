"""What is answered at once is what would have been answered in time."""

import http.client
import json
import socket

import pytest

from tests.gateway.conftest import Place

VARIABLE = {"date", "server", "connection"}


def ask(served, target, headers, body=None):
    """Ask over a connection that is kept; a body makes the question wait for ASGI."""
    connection = http.client.HTTPConnection(served.host, served.port, timeout=20)
    try:
        connection.request("GET", target, body, headers)
        response = connection.getresponse()
        told = {n.lower(): v for n, v in response.getheaders() if n.lower() not in VARIABLE}
        return response.status, told, response.read()
    finally:
        connection.close()


@pytest.mark.parametrize("place_of_face", ["/auth", "/verify"])
@pytest.mark.parametrize("state", ["active", "revoked", "suspended", "unknown", "none", "two"])
def test_both_ways_say_the_same(running, place_of_face, state):
    place, served = running
    issued = place.issue()
    if state in {"revoked", "suspended"}:
        getattr(place.store, {"revoked": "revoke", "suspended": "suspend"}[state])(
            issued.key.id, actor="test"
        )
    sent = {
        "none": {},
        "unknown": {"X-API-Key": "nobody-has-this"},
        "two": {"X-API-Key": issued.secret, "Authorization": "Bearer other"},
    }.get(state, {"X-API-Key": issued.secret})
    ask(served, place_of_face, sent)  # from now on it is in memory
    assert ask(served, place_of_face, sent) == ask(served, place_of_face, sent, b"x")


@pytest.mark.parametrize("lives_s", [86_400.0, 80 * 86_400.0])
def test_what_is_left_of_a_limit_is_told_alike_in_both_ways(tmp_path, lives_s):
    place = Place(tmp_path, '[gateway]\nlimits = ["1000/h"]\n')
    issued = place.issue(life_s=lives_s)
    with place.serving() as served:
        for path in ("/auth", "/verify"):
            told = [ask(served, path, {"X-API-Key": issued.secret}, body) for body in (b"x", None)]
            (status, awaited, body), (other, instant, rest) = told
            assert (status, body) == (other, rest) == (200, b"")
            assert set(awaited) == set(instant) >= {"ratelimit", "x-ratelimit-reset"}
            assert ("sunset" in instant) == (lives_s < 30 * 86_400)
            left = [int(one["x-ratelimit-remaining"]) for one in (awaited, instant)]
            assert left[1] == left[0] - 1
            assert f"r={left[1]};" in instant["ratelimit"]
            same = set(instant) - {"x-ratelimit-remaining", "x-ratelimit-reset", "ratelimit"}
            assert [awaited[name] for name in same] == [instant[name] for name in same]
    place.store.engine.dispose()


def test_requests_in_one_segment_are_answered_in_their_order(running):
    place, served = running
    first, second = place.issue(), place.issue()
    for one in (first, second):
        served.get(one.secret, "/verify")
    head = "GET {} HTTP/1.1\r\nHost: h\r\nX-API-Key: {}\r\n\r\n"
    sent = [("/verify", first), ("/slow", second), ("/verify", second), ("/verify", first)]
    with socket.create_connection((served.host, served.port), timeout=20) as peer:
        peer.sendall("".join(head.format(path, one.secret) for path, one in sent).encode())
        answer = b""
        while answer.count(b"HTTP/1.1 200") < 4 and (part := peer.recv(65536)):
            answer += part
    ids = [one.key.id.encode() for _, one in sent]
    places = []
    for key_id in ids:
        places.append(answer.index(key_id, places[-1] + 1 if places else 0))
    assert places == sorted(places)


def test_a_proxy_that_tells_two_requests_is_refused(running):
    place, served = running
    issued = place.issue()
    head = (
        f"GET /verify HTTP/1.1\r\nHost: h\r\nX-API-Key: {issued.secret}\r\n"
        "X-Forwarded-Uri: /a\r\nX-Forwarded-Uri: /b\r\nConnection: close\r\n\r\n"
    )
    for _ in range(2):
        with socket.create_connection((served.host, served.port), timeout=20) as peer:
            peer.sendall(head.encode())
            answer = b""
            while part := peer.recv(65536):
                answer += part
        assert answer.startswith(b"HTTP/1.1 400")
        assert b"ambiguous_request" in answer


def test_a_client_cannot_name_the_request_in_the_other_faces_words(running, eventually):
    place, served = running
    issued = place.issue()
    told = {"X-Original-URI": "/forged", "X-Forwarded-Uri": "/real?a=b"}
    assert served.get(issued.secret, "/verify", told).status == 200
    assert served.get(issued.secret, "/verify", told).status == 200

    def ours():
        lines = [json.loads(line) for line in place.log.read_text().splitlines()]
        return [line["request"] for line in lines if line["api_key_id"] == issued.key.id]

    assert eventually(lambda: len(ours()) == 2 and ours()) == ["GET /real?a=b HTTP/1.1"] * 2


def test_envoy_tells_the_path_behind_the_question(running, eventually):
    place, served = running
    issued = place.issue()
    assert served.get(issued.secret, "/verify/real?a=b", {"X-Forwarded-Uri": "/x"}).status == 200
    eventually(
        lambda: any(
            json.loads(line)["request"] == "GET /real?a=b HTTP/1.1"
            for line in place.log.read_text().splitlines()
            if issued.key.id in line
        )
    )


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: %d",
        b"Transfer-Encoding: chunked",
        b"Content-Length: 4\r\nTransfer-Encoding: chunked",
        b"Content-Length: 0\r\nContent-Length: %d",
        b"Content-Length: -1",
        b"Transfer-Encoding: xchunked",
        b"Transfer-Encoding : chunked",
        b"Content-Length: 0\r\n Content-Length: %d",
    ],
)
def test_no_request_is_smuggled_behind_another(running, framing):
    """Whatever its framing says, at most one answer goes to a request, and none to its body."""
    place, served = running
    good = place.issue()
    served.get(good.secret, "/verify")
    inner = b"GET /verify HTTP/1.1\r\nHost: h\r\nX-API-Key: %b\r\n\r\n" % good.secret.encode()
    if b"%d" in framing:
        framing = framing % len(inner)
    head = (
        b"GET /verify HTTP/1.1\r\nHost: h\r\nX-API-Key: nobody\r\n%b\r\nConnection: close\r\n\r\n"
    )
    answer = b""
    with socket.create_connection((served.host, served.port), timeout=5) as peer:
        try:
            peer.sendall(head % framing + inner)
            while part := peer.recv(65536):
                answer += part
        except OSError:
            pass
    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b"HTTP/1.1 200" not in answer
    assert good.key.id.encode() not in answer


@pytest.fixture(scope="module")
def unbelieved(tmp_path_factory):
    """A gateway as it comes: it trusts no proxy."""
    rule = '[[gateway.endpoints]]\npattern = "/admin/*"\nscopes = ["admin"]\n'
    place = Place(tmp_path_factory.mktemp("unbelieved"), rule)
    with place.serving() as served:
        yield place, served
    place.store.engine.dispose()


@pytest.mark.parametrize(
    ("path", "told"),
    [
        ("/auth", {"X-Original-URI": "/admin/x"}),
        ("/auth", {"X-Original-Method": "POST"}),
        ("/verify", {"X-Forwarded-Uri": "/admin/x", "X-Forwarded-Method": "GET"}),
        ("/verify", {"X-Original-URL": "http://api.example/admin/x"}),
        ("/verify/admin/x", {}),
    ],
)
def test_a_proxy_that_nobody_trusts_is_told_so_and_lets_nobody_in(unbelieved, path, told):
    place, served = unbelieved
    issued = place.issue()
    face = path.partition("/admin")[0]
    for _ in range(2):  # the second time the key is in memory
        assert served.get(issued.secret, face).status == 200
        answer = served.get(issued.secret, path, told)
        assert answer.status == 403
        assert json.loads(answer.body)["error"]["code"] == "proxy_not_trusted"
    said = (place.folder / "stderr").read_text()
    assert said.count(f"127.0.0.1 asks on {face} about requests of others") == 1
    assert "add it to gateway.trusted_proxies" in said
