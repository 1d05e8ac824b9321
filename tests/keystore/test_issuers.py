import json
import ssl
from base64 import b64decode
from threading import Event, Thread
from urllib.parse import parse_qs

import pytest

from keystore.issuers import Issuer, introspect, revoke_token
from keystore.jwks import Jwks, jwks_of
from keystore.web import Site
from tests.certificates import certificate
from tests.httpd import serving
from vocabulary.errors import ConfigError, ServiceError

ISSUER = "https://issuer.example"


def issuer(url="", **more) -> Issuer:
    given = {
        "name": "ours",
        "issuer": ISSUER,
        "audiences": ("api",),
        "revocation_url": f"{url}/revoke" if url else "",
        "introspection_url": f"{url}/introspect?v=1" if url else "",
    }
    return Issuer(**(given | more))


def says(status, document=None):
    body = b"" if document is None else json.dumps(document).encode()
    return lambda _asked: (status, {"Content-Type": "application/json"}, body)


def test_a_token_is_revoked_as_rfc_7009_says():
    with serving(says(200)) as server:
        ours = issuer(server.url, client_id="kw:1", client_secret="p q")
        revoke_token(ours, "a token", "refresh_token")
    (asked,) = server.asked
    assert (asked.method, asked.path) == ("POST", "/revoke")
    assert parse_qs(asked.body.decode()) == {
        "token": ["a token"],
        "token_type_hint": ["refresh_token"],
    }
    assert b64decode(asked.headers["authorization"].split()[1]) == b"kw%3A1:p%20q"


def test_a_public_client_names_itself_in_the_form():
    with serving(says(200, {"active": False})) as server:
        introspect(issuer(server.url, client_id="kw"), "t")
    assert parse_qs(server.asked[0].body.decode())["client_id"] == ["kw"]
    assert server.asked[0].path == "/introspect?v=1"


@pytest.mark.parametrize(
    ("status", "document", "error"),
    [
        (503, None, ServiceError),
        (401, {"error": "invalid_client"}, ServiceError),
        (400, {"error": "unsupported_token_type"}, ConfigError),
        (500, ["what"], ServiceError),
        (302, None, ServiceError),
    ],
)
def test_a_revocation_that_was_refused_is_told(status, document, error):
    with serving(says(status, document)) as server, pytest.raises(error) as told:
        revoke_token(issuer(server.url), "the token")
    assert "the token" not in str(told.value)


def test_what_the_issuer_echoes_is_not_shown():
    answer = says(400, {"error": "the token is bad"})
    with serving(answer) as server, pytest.raises(ServiceError) as told:
        revoke_token(issuer(server.url), "the token")
    assert "the token" not in str(told.value)


def test_a_good_token_is_introspected():
    document = {"active": True, "sub": "alice", "exp": 2000000000, "scope": "read", "more": 1}
    with serving(says(200, document)) as server:
        said = introspect(issuer(server.url), "t")
    assert (said.active, said.sub, said.exp, said.scope) == (True, "alice", 2e9, "read")


@pytest.mark.parametrize(
    "document", [{"active": False, "sub": "alice"}, {"active": True, "iss": "https://other"}]
)
def test_a_token_that_is_not_good_says_nothing_else(document):
    with serving(says(200, document)) as server:
        said = introspect(issuer(server.url), "t")
    assert (said.active, said.sub) == (False, "")


@pytest.mark.parametrize(
    "body", [b"", b"[]", b'{"active":"yes"}', b"[" * 100_000, b"x" * 2_000_000]
)
def test_an_answer_that_cannot_be_read_is_no_yes(body):
    with serving(lambda _asked: (200, {}, body)) as server, pytest.raises(ServiceError):
        introspect(issuer(server.url), "t")


def test_an_issuer_that_hangs_up_is_no_yes():
    with serving(lambda _asked: 1 / 0) as server, pytest.raises(ServiceError):
        introspect(issuer(server.url), "t")


@pytest.mark.parametrize("token", ["", "x" * 20_000])
def test_what_is_no_token_is_not_sent(token):
    with serving(says(200)) as server, pytest.raises(ConfigError):
        revoke_token(issuer(server.url), token)
    assert server.asked == []


@pytest.mark.parametrize(
    "wrong",
    [
        {"algorithms": ("none",)},
        {"algorithms": ()},
        {"algorithms": ("RS256", "HS256"), "shared_secret": "x" * 32},
        {"algorithms": ("HS256",), "jwks_url": "https://x/jwks", "shared_secret": "x" * 32},
        {"algorithms": ("HS256",), "shared_secret": "short"},
        {"audiences": ()},
        {"issuer": ""},
        {"leeway_s": 3600.0},
        {"max_life_s": 1e9},
    ],
)
def test_an_issuer_that_would_let_forged_tokens_in_is_refused(wrong):
    with pytest.raises(ConfigError):
        issuer(**wrong)


def test_nothing_secret_is_shown():
    ours = issuer(
        client_id="kw", client_secret="p q", algorithms=("HS256",), shared_secret="s" * 32
    )
    assert "p q" not in repr(ours)
    assert "s" * 32 not in repr(ours)


@pytest.mark.parametrize(
    "url", ["http://issuer.example/x", "ftp://x", "https://u:p@x/", "https://", "x", "https://x:y/"]
)
def test_credentials_go_by_https_alone(url):
    with pytest.raises(ConfigError):
        Site(url, "here")


class Ticks:
    now = 1000.0

    def __call__(self):
        return self.now


def rsa(kid, **more):
    return {"kty": "RSA", "kid": kid, "n": "_" * 342, "e": "AQAB", **more}


@pytest.fixture
def ring():
    """Yield the keys that an issuer offers, a cache of them, its clock and its server."""
    offered = [rsa("one")]
    ticks = Ticks()

    def answer(_asked):
        return 200, {}, json.dumps({"keys": offered}).encode()

    with serving(answer) as server:
        yield offered, Jwks(Site(server.url, "here"), ticks), ticks, server


def test_keys_are_fetched_once_and_held(ring):
    _, keys, _, server = ring
    assert keys.held("one") is None
    assert keys.key("one")["kid"] == "one"
    assert keys.key("one")["kid"] == "one"
    assert len(server.asked) == 1


def test_a_rotated_key_is_fetched_when_it_is_first_used(ring):
    offered, keys, ticks, _ = ring
    keys.key("one")
    offered[:] = [rsa("two")]
    ticks.now += 10
    assert keys.key("two")["kid"] == "two"
    assert keys.held("one") is None


def test_a_withdrawn_key_goes_with_the_next_set(ring):
    offered, keys, ticks, _ = ring
    keys.key("one")
    offered[:] = [rsa("two")]
    ticks.now += 301
    assert keys.key("one") is None


def test_made_up_key_ids_do_not_become_requests(ring):
    _, keys, ticks, server = ring
    for number in range(100):
        assert keys.key(f"made up {number}") is None
    assert len(server.asked) == 1
    ticks.now += 10
    for number in range(100):
        keys.key(f"made up {number}")
    assert len(server.asked) == 2


def test_an_issuer_that_is_away_is_bridged_for_a_while_and_no_longer(ring):
    offered, keys, ticks, _ = ring
    keys.key("one")
    offered[:] = ["x"] * 200
    ticks.now += 3000
    assert keys.key("one") is not None
    assert keys.problem
    ticks.now += 601
    assert keys.key("one") is None


def test_only_public_keys_that_may_verify_are_taken(ring):
    offered, keys, _, _ = ring
    offered[:] = [
        rsa("enc", use="enc"),
        rsa("private", d="x"),
        {"kty": "oct", "kid": "hmac", "k": "x"},
        rsa("wrap", key_ops=["wrapKey"]),
        rsa("short", n="_" * 341),
        rsa("numberless", n=None),
        "no key",
        rsa("good", use="sig", key_ops=["verify"]),
    ]
    assert keys.key("good") is not None
    assert keys.held("")["kid"] == "good"
    assert [
        keys.held(kid)
        for kid in (
            "enc",
            "private",
            "hmac",
            "wrap",
            "short",
            "numberless",
        )
    ] == [None] * 6


def test_a_token_without_a_key_id_gets_no_key_where_there_are_several(ring):
    offered, keys, _, _ = ring
    offered.append(rsa("two"))
    keys.refresh()
    assert keys.held("") is None


def test_a_service_that_cannot_prove_who_it_is_gets_nothing(tmp_path):
    certificate(tmp_path)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "server.pem")
    with serving(says(200), context) as server, pytest.raises(ServiceError, match="SSL"):
        revoke_token(issuer(server.url.replace("http:", "https:")), "the token")
    assert server.asked == []


def test_a_header_that_would_become_two_is_not_sent():
    with pytest.raises(ConfigError) as told:
        Site("https://issuer.example", "here", headers={"X-Token": "hidden\r\nX-More: 1"})
    assert "hidden" not in str(told.value)


def test_where_an_operator_says_so_http_leaves_this_machine():
    assert Site("http://issuer.example/x", "here", plain_http=True).place == (
        "http://issuer.example:80"
    )


def test_a_service_that_never_ends_its_answer_is_cut_off():
    """Every byte renews a socket's own timeout: the request as a whole has its end."""
    ended = Event()

    def trickle(asked):
        ended.wait(60)
        return 200, {}, b""

    with serving(trickle) as server:
        with pytest.raises(ServiceError):
            Site(server.url, "here", timeout_s=0.05).ask("GET")
        ended.set()


@pytest.mark.parametrize("verb", [revoke_token, introspect])
def test_an_issuer_without_the_service_is_not_asked(verb):
    with pytest.raises(ConfigError, match="no such service"):
        verb(issuer(), "t")


def test_an_introspection_that_was_refused_is_told():
    with serving(says(401)) as server, pytest.raises(ServiceError, match="does not know us"):
        introspect(issuer(server.url), "t")


@pytest.mark.parametrize(
    ("status", "body"), [(404, b"{}"), (200, b"[1]"), (200, b"[" * 100_000), (200, b"{}")]
)
def test_an_answer_that_is_no_key_set_believes_nobody_and_is_told(status, body):
    with serving(lambda _: (status, {}, body)) as server:
        keys = jwks_of(server.url, "ours")
        assert keys.key("one") is None
    assert keys.problem


def test_threads_that_miss_the_same_key_ask_once(ring):
    """The second finds, once it may, that the first has fetched meanwhile."""
    _, keys, _, server = ring
    with keys._lock:
        waiting = [Thread(target=keys.key, args=("one",)) for _ in range(2)]
        for thread in waiting:
            thread.start()
        keys.refresh()
    for thread in waiting:
        thread.join()
    assert (keys.held("one")["kid"], len(server.asked)) == ("one", 1)
