"""Logging in through an OpenID provider on this machine: what is believed and what is not."""

import json
from urllib.parse import parse_qs, urlsplit

import pytest
from msgspec.structs import replace
from starlette.testclient import TestClient

from database.transaction import reading, transaction
from keywatch.config_console import ConsoleSettings, OidcSettings
from keywatch.console.site import site
from keywatch.people import oidc, users
from tests.console.house import PASSWORD
from tests.gateway.issuer import LocalIssuer, jwk_of, rsa_key
from tests.httpd import serving

US = "http://testserver"


class Idp(LocalIssuer):
    """An OpenID provider: discovery, keys, and tokens with the claims that a test wants."""

    def __init__(self):
        super().__init__()
        self.claims, self.nonce, self.header = {}, None, {}
        self.signed_by = None
        self.calls_itself = None

    def answer(self, asked):
        path = urlsplit(asked.path).path
        if path == "/.well-known/openid-configuration":
            told = {
                "issuer": self.calls_itself or self.url,
                "authorization_endpoint": f"{self.url}/authorize",
                "token_endpoint": f"{self.url}/token",
                "jwks_uri": f"{self.url}/keys",
            }
            return 200, {}, json.dumps(told).encode()
        if path == "/keys":
            return 200, {}, json.dumps({"keys": [jwk_of(self.key, self.kid)]}).encode()
        form = parse_qs(asked.body.decode())
        assert form["code_verifier"]
        assert asked.headers["authorization"].startswith("Basic ")
        said = {"iss": self.url, "aud": "keywatch", "sub": "17", "nonce": self.nonce}
        said |= {"preferred_username": "Ada", "groups": ["sec"]} | self.claims
        token = self.token(key=self.signed_by, **said)
        return 200, {}, json.dumps({"id_token": token, "access_token": "x"}).encode()


@pytest.fixture
def idp():
    local = Idp()
    with serving(local.answer) as server:
        local.url = server.url
        yield local


@pytest.fixture
def client(house, idp):
    oidc = OidcSettings(
        issuer=idp.url,
        client_id="keywatch",
        client_secret="told at registration",
        roles={"sec": "operator", "boss": "admin"},
    )
    house.desk.settings = replace(house.settings, console=ConsoleSettings(url=US, oidc=oidc))
    with TestClient(site(house.desk), base_url=US, follow_redirects=False) as made:
        yield made


def away(client, idp, next_="/keys"):
    """Go to the provider; return what it was asked."""
    answer = client.get("/oidc/start", params={"next": next_})
    assert answer.status_code == 303, answer.text
    asked = {k: v[0] for k, v in parse_qs(urlsplit(answer.headers["location"]).query).items()}
    idp.nonce = asked["nonce"]
    return asked


def test_who_has_a_role_is_let_in_and_goes_on_to_where_they_wanted(client, idp, house):
    assert "single sign-on" in client.get("/login").text
    asked = away(client, idp)
    assert asked["code_challenge_method"] == "S256"
    answer = client.get("/oidc/back", params={"code": "c", "state": asked["state"]})
    assert answer.headers["location"] == "/keys"
    assert "operator" in client.get("/keys").text
    with reading(house.engine) as connection:
        assert users.get(connection, "ada").origin == f"{idp.url}#17"


def test_the_role_follows_the_groups_of_the_day(client, idp, house):
    for groups, role in ((["sec"], "operator"), (["boss", "sec"], "admin"), ("sec", "operator")):
        idp.claims = {"groups": groups}
        asked = away(client, idp)
        client.get("/oidc/back", params={"code": "c", "state": asked["state"]})
        with reading(house.engine) as connection:
            assert users.get(connection, "ada").role == role


@pytest.mark.parametrize(
    "claims",
    [
        {"groups": []},
        {"groups": ["others"]},
        {"groups": {"sec": 1}},
        {"nonce": "another"},
        {"nonce": None},
        {"aud": "somebody else"},
        {"aud": ["keywatch", "other"]},
        {"azp": "other"},
        {"iss": "https://evil.example"},
        {"exp": 1000},
        {"sub": None},
        {"preferred_username": "../../etc"},
    ],
    ids=str,
)
def test_an_answer_that_is_not_good_lets_nobody_in(client, idp, house, claims):
    asked = away(client, idp)
    idp.claims = claims
    answer = client.get("/oidc/back", params={"code": "c", "state": asked["state"]})
    assert answer.status_code in (403, 502)
    assert client.get("/keys").status_code == 303
    with reading(house.engine) as connection:
        assert users.listed(connection) == []


def test_a_signature_by_another_key_is_not_believed(client, idp):
    asked = away(client, idp)
    idp.signed_by = rsa_key()
    answer = client.get("/oidc/back", params={"code": "c", "state": asked["state"]})
    assert answer.status_code == 403
    assert client.get("/keys").status_code == 303


def test_a_login_serves_once_and_only_the_browser_that_began_it(client, idp, house):
    asked = away(client, idp)
    with TestClient(site(house.desk), base_url=US, follow_redirects=False) as other:
        stolen = other.get("/oidc/back", params={"code": "c", "state": asked["state"]})
        assert stolen.status_code == 403
    wrong = client.get("/oidc/back", params={"code": "c", "state": "another"})
    assert wrong.status_code == 403
    again = client.get("/oidc/back", params={"code": "c", "state": asked["state"]})
    assert again.status_code == 403


def test_logins_that_others_begin_and_leave_keep_nobody_out(client, idp, monkeypatch):
    monkeypatch.setattr(oidc, "_MOST_FLOWS", 3)
    for _ in range(5):
        away(client, idp)
        client.cookies.clear()
    asked = away(client, idp)
    assert client.get("/oidc/back", params={"code": "c", "state": asked["state"]}).is_redirect


def test_a_login_that_took_too_long_is_over(client, idp, house):
    asked = away(client, idp)
    house.now += 601
    answer = client.get("/oidc/back", params={"code": "c", "state": asked["state"]})
    assert answer.status_code == 403


def test_nobody_takes_over_a_local_account_or_one_of_another_subject(client, idp, house):
    house.user("ada", "admin")
    asked = away(client, idp)
    answer = client.get("/oidc/back", params={"code": "c", "state": asked["state"]})
    assert answer.status_code in (400, 403, 502)
    idp.claims = {"preferred_username": "bea"}
    asked = away(client, idp)
    assert client.get("/oidc/back", params={"code": "c", "state": asked["state"]}).is_redirect
    client.cookies.clear()
    idp.claims = {"preferred_username": "bea", "sub": "18"}
    asked = away(client, idp)
    answer = client.get("/oidc/back", params={"code": "c", "state": asked["state"]})
    assert not answer.is_redirect


def test_a_disabled_account_stays_out_and_has_no_password(client, idp, house):
    asked = away(client, idp)
    client.get("/oidc/back", params={"code": "c", "state": asked["state"]})
    assert "have no password here" in client.get("/account").text
    wrong = client.post("/login", data={"name": "ada", "password": PASSWORD})
    assert wrong.status_code == 403
    with transaction(house.engine) as connection:
        users.disable(connection, "ada", actor="x", now=house.now)
    asked = away(client, idp)
    answer = client.get("/oidc/back", params={"code": "c", "state": asked["state"]})
    assert not answer.is_redirect


def test_a_provider_that_calls_itself_otherwise_is_not_followed(client, idp):
    idp.calls_itself = "https://evil.example"
    assert client.get("/oidc/start").status_code == 502


def test_the_way_on_never_leads_elsewhere(client, idp):
    asked = away(client, idp, "https://evil.example/")
    answer = client.get("/oidc/back", params={"code": "c", "state": asked["state"]})
    assert answer.headers["location"] == "/"
