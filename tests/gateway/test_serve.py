import hmac
import json
import socket
from hashlib import sha256

import pytest

from keystore.issue import KeyOrder, Origin


def code_of(answer):
    return json.loads(answer.body)["error"]["code"]


def test_a_key_is_let_in_and_recognised(running):
    place, served = running
    issued = place.issue()
    answer = served.get(issued.secret, "/v1/things")
    assert answer.status == 200
    assert json.loads(answer.body)["key_id"] == issued.key.id
    assert answer.headers["x-key-status"] == "active"


@pytest.mark.parametrize(
    ("headers", "path", "code"),
    [
        ({}, "/", "missing_api_key"),
        ({"X-API-Key": "nobody-has-this"}, "/", "api_key_not_found"),
        ({"X-API-Key": "one", "Authorization": "Bearer two"}, "/", "ambiguous_credentials"),
        ({"X-API-Key": "one"}, "/?key=two", "ambiguous_credentials"),
        ({"Authorization": "Basic !"}, "/", "malformed_credentials"),
    ],
)
def test_without_one_good_key_the_answer_is_401_and_says_why(running, headers, path, code):
    answer = running[1].get(path=path, headers=headers)
    assert (answer.status, code_of(answer)) == (401, code)
    assert answer.headers["www-authenticate"]


def test_no_key_reaches_the_disk_wherever_it_stands_and_the_pipeline_hears_of_each(
    make_place, eventually
):
    place = make_place()
    good, other = place.issue(), place.issue()
    events = place.folder / "events.jsonl"
    (place.folder / "keywatch.toml").write_text(f'[gateway]\nevents = "{events}"\n')
    with place.serving() as served:
        served.get(good.secret, f"/v1/{other.secret}/x")
        served.get(good.secret, f"/v1/things?foo={good.secret}")
        served.get(good.secret, "/v1/things", {"User-Agent": f"me {good.secret}"})
        served.get(path=f"/v1/{other.secret}", headers={"X-API-Key": "nobody-has-this"})
        for log in (place.log, events):
            eventually(lambda log=log: log.exists() and log.read_bytes().count(b"\n") == 4)
            text = log.read_text()
            assert good.secret not in text
            assert other.secret not in text
            assert all(json.loads(line) for line in text.splitlines())
    watch = ("watch", "--once", "--access-log")
    for log, kind in ((place.log, "nginx-json"), (events, "keywatch-json")):
        assert place.say(*watch, str(log), "--format", kind).returncode == 0
        told = json.loads(place.say("alerts", "list", "--json").stdout)
        exposed = [
            one["key"]
            for one in told
            if one["kind"] == "exposed-in-log" and str(log) in one["summary"]
        ]
        assert sorted(exposed) == sorted([good.key.id, other.key.id]), kind


def test_a_key_revoked_in_another_process_is_refused_and_a_restored_one_let_in(running, eventually):
    place, served = running
    issued = place.issue()
    assert served.get(issued.secret).status == 200
    place.run("keys", "revoke", issued.key.id, "--reason", "leaked")
    answer = eventually(lambda: (a := served.get(issued.secret)).status == 401 and a)
    assert code_of(answer) == "api_key_revoked"
    assert answer.headers["x-key-status"] == "revoked"
    place.run("keys", "restore", issued.key.id, "--reason", "a mistake")
    eventually(lambda: served.get(issued.secret).status == 200)


def test_a_throttled_key_gets_429_with_retry_after_until_it_is_let_go(running, eventually):
    place, served = running
    issued = place.issue()
    assert "retry-after" not in served.get(issued.secret).headers
    place.store.throttle(issued.key.id, per_min=1, actor="test")
    answer = eventually(lambda: (a := served.get(issued.secret)).status == 429 and a)
    assert 1 <= int(answer.headers["retry-after"]) <= 60
    assert answer.headers["x-ratelimit-limit"] == "1"
    error = json.loads(answer.body)["error"]
    assert error["code"] == "rate_limit_exceeded"
    assert (error["details"]["limit"], error["details"]["window"]) == (1, 60)
    place.store.unthrottle(issued.key.id, actor="test")
    eventually(lambda: served.get(issued.secret).status == 200)


def test_a_suspended_key_gets_403_until_it_is_resumed(running, eventually):
    place, served = running
    issued = place.issue()
    served.get(issued.secret)
    place.store.suspend(issued.key.id, actor="test")
    answer = eventually(lambda: (a := served.get(issued.secret)).status == 403 and a)
    assert code_of(answer) == "api_key_suspended"
    place.store.resume(issued.key.id, actor="test")
    eventually(lambda: served.get(issued.secret).status == 200)


def test_a_key_expires_without_anybody_writing_it(running, eventually):
    place, served = running
    issued = place.issue(life_s=0.5)
    answer = eventually(lambda: (a := served.get(issued.secret)).status == 401 and a)
    assert code_of(answer) == "api_key_expired"
    assert answer.headers["x-key-status"] == "expired"


def test_a_rotated_key_works_and_says_when_it_ends(running, eventually):
    place, served = running
    old = place.issue()
    served.get(old.secret)
    new = place.store.rotate(old.key.id, actor="test")
    assert served.get(new.secret).headers["x-key-status"] == "active"
    answer = eventually(
        lambda: (a := served.get(old.secret)).headers["x-key-status"] == "deprecated" and a
    )
    assert answer.status == 200
    assert {"deprecation", "sunset", "x-key-expires-at"} <= answer.headers.keys()


def test_a_credential_that_was_unknown_is_let_in_once_it_is_adopted(running, eventually):
    place, served = running
    secret = "made-elsewhere"
    assert code_of(served.get(secret)) == "api_key_not_found"
    place.store.adopt(KeyOrder(), Origin(sha256(secret.encode()).hexdigest()), actor="test")
    eventually(lambda: served.get(secret).status == 200)


def test_a_key_known_by_its_hmac_is_let_in_and_shut_out(running, eventually):
    place, served = running
    secret = "low-entropy"
    assert served.get(secret).status == 401
    mac = hmac.digest(b"salt-and-pepper", secret.encode(), "sha256").hex()
    key = place.store.adopt(KeyOrder(), Origin(mac, "old"), actor="test")
    eventually(lambda: served.get(secret).status == 200)
    assert served.get(mac).status == 401
    place.store.revoke(key.id, actor="test")
    eventually(lambda: served.get(secret).status == 401)


def test_a_key_without_a_secret_of_its_own_opens_nothing(running):
    place, served = running
    origin = Origin(sha256(b"public-name").hexdigest(), "public-id", "public-name")
    place.store.adopt(KeyOrder(), origin, actor="test")
    assert code_of(served.get("public-name")) == "api_key_not_found"


def test_a_key_in_the_query_is_taken_with_a_warning(running):
    place, served = running
    answer = served.get(path=f"/?api_key={place.issue().secret}")
    assert (answer.status, answer.headers["x-keywatch-warning"]) == (200, "api-key-in-query")


def test_custom_headers_carry_keys(running):
    place, served = running
    assert served.get(headers={"X-Custom-Key": place.issue().secret}).status == 200


def test_nginx_gets_only_what_it_understands(running, eventually):
    place, served = running
    issued = place.issue()
    answer = served.get(issued.secret, "/auth")
    assert (answer.status, answer.headers["x-api-key-id"]) == (200, issued.key.id)
    place.store.throttle(issued.key.id, per_min=1, actor="test")
    answer = eventually(lambda: (a := served.get(issued.secret, "/auth")).status == 403 and a)
    assert answer.headers["x-keywatch-status"] == "429"
    assert answer.headers["retry-after"]
    assert served.get(issued.secret, "/verify").status == 429
    assert served.get(path="/auth").status == 401


def test_identity_headers_of_clients_are_not_believed(running):
    place, served = running
    issued = place.issue()
    answer = served.get(issued.secret, "/verify", {"X-Api-Key-Id": "key_forged"})
    assert answer.headers["x-api-key-id"] == issued.key.id
    assert served.get(path="/verify", headers={"X-Api-Key-Id": issued.key.id}).status == 401


def test_is_healthy_while_the_key_store_is_heard_of(running):
    assert running[1].get(path="/healthz").status == 200


HEADS = [
    b"GET / HTTP/1.1\r\nHost: h\r\nX-API-Key: a\x00b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nX-API-Key: caf\xc3\xa9\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic \xff\xfe\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Basic QQ\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nAuthorization: Bearer a\r\nAuthorization: Bearer b\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nX-API-Key: a\r\n b\r\n\r\n",
    b"GET /\xff\xfe?\xff HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET /%00%ff?key=%00%ff HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET http://[::1/ HTTP/1.1\r\nHost: h\r\n\r\n",
    b"OPTIONS * HTTP/1.1\r\nHost: h\r\n\r\n",
    b"CONNECT h:1 HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nX-A: " + b"a" * 100_000 + b"\r\n\r\n",
    b"GET / HTTP/1.1\r\nHost: h\r\nX-A: " + b"a" * 2_000_000 + b"\r\n\r\n",
    b"GET /" + b"a" * 90_000 + b" HTTP/1.1\r\nHost: h\r\n\r\n",
    b"GET / HTTP/1.1\r\n" + b"".join(b"X-%d: a\r\n" % n for n in range(20_000)) + b"\r\n",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    b"\x00" * 100,
    b"GET / HTTP/9.9\r\n\r\n",
    b"\r\n\r\n\r\n",
]


@pytest.mark.parametrize("head", HEADS, ids=range(len(HEADS)))
def test_no_malformed_head_is_let_in_nor_ends_the_server(running, head):
    place, served = running
    answer = b""
    with socket.create_connection((served.host, served.port), timeout=5) as peer:
        try:
            peer.sendall(head)
            peer.shutdown(socket.SHUT_WR)
            while part := peer.recv(65536):
                answer += part
        except OSError:
            pass  # cut off while it was still sending
    status = answer.split(b" ")[1] if answer else b"none"
    assert status in {b"400", b"401", b"431", b"none"}
    assert served.process.poll() is None
    assert served.get(place.issue().secret).status == 200


def send_for_ever(peer):
    peer.sendall(b"GET / HTTP/1.1\r\nX-A: ")
    for _ in range(2000):
        peer.sendall(b"a" * 65536)


def test_headers_without_end_are_cut_off(running):
    _, served = running
    with (
        socket.create_connection((served.host, served.port), timeout=20) as peer,
        pytest.raises(OSError, match=r"."),
    ):
        send_for_ever(peer)
