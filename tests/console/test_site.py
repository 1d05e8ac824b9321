"""The pages over HTTP: who gets in, what may be posted, and that hostile words stay words."""

import re

import pytest
from starlette.testclient import TestClient

from database.transaction import reading, transaction
from keystore import audit
from keystore.issue import KeyOrder
from keywatch.config_console import ConsoleSettings
from keywatch.console.protection import CONTENT_POLICY
from keywatch.console.site import site
from keywatch.console.visit import within
from keywatch.people import sessions, users
from tests.console.house import HOSTILE, PASSWORD

PAGES = ["/", "/incidents", "/keys", "/actions", "/leaks", "/sources", "/policy", "/account"]


def test_strangers_are_sent_to_the_door_and_back_to_where_they_wanted(house):
    house.user("ada", "admin")
    with TestClient(site(house.desk), follow_redirects=False) as client:
        for path in (*PAGES, "/audit", "/keys/key_x", "/incidents/inc_x"):
            answer = client.get(path)
            assert (answer.status_code, answer.headers["location"][:6]) == (303, "/login"), path
        assert client.post("/keys/key_x/revoke").status_code == 303
        assert client.get("/events").status_code == 401
        wrong = client.post("/login", data={"name": "ada", "password": "no", "next": "/keys"})
        assert wrong.status_code == 403
        assert "do not belong together" in wrong.text
        right = client.post("/login", data={"name": "ada", "password": PASSWORD, "next": "/keys"})
        assert right.headers["location"] == "/keys"
        cookie = right.headers["set-cookie"].lower()
        assert "httponly" in cookie
        assert "samesite=lax" in cookie
        assert client.get("/keys").status_code == 200


def test_who_guesses_too_often_is_told_when_to_come_back(house, visitor):
    client = visitor("ada", "admin")
    client.cookies.clear()
    guess = {"name": "ada", "password": "wrong"}
    answers = [client.post("/login", data=guess) for _ in range(6)]
    assert [one.status_code for one in answers] == [403] * 5 + [429]
    assert answers[-1].headers["retry-after"] == "15"
    assert "wait 15 seconds" in answers[-1].text
    assert client.post("/login", data=guess | {"password": PASSWORD}).status_code == 429
    house.now += 15
    assert client.post("/login", data=guess | {"password": PASSWORD}).status_code == 303


def test_over_tls_the_cookie_is_tied_to_the_host_and_to_tls(house):
    house.user("ada", "admin")
    settings = type(house.settings)(console=ConsoleSettings(url="https://keywatch.example"))
    house.desk.settings = settings
    with TestClient(site(house.desk), base_url="https://testserver") as client:
        answer = client.post(
            "/login", data={"name": "ada", "password": PASSWORD}, follow_redirects=False
        )
        assert answer.headers["set-cookie"].startswith("__Host-keywatch=")
        assert "secure" in answer.headers["set-cookie"].lower()
        assert "strict-transport-security" in answer.headers


@pytest.mark.parametrize(
    "elsewhere",
    ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)", "/a\r\nb"],
)
def test_the_way_back_never_leads_elsewhere(elsewhere):
    assert within(elsewhere) == "/"
    assert within("/keys?find=a") == "/keys?find=a"


def test_every_page_is_guarded_by_its_headers_and_runs_nothing_inline(house, happened, visitor):
    client = visitor("ada", "admin")
    detail = client.get("/incidents").text
    first = re.search(r'href="(/incidents/inc_\w+)"', detail)[1]
    for path in [*PAGES, "/audit", first, f"/keys/{happened['loud']}", "/nowhere"]:
        answer = client.get(path)
        assert answer.status_code in (200, 404), path
        assert answer.headers["content-security-policy"] == CONTENT_POLICY
        assert answer.headers["x-frame-options"] == "DENY"
        if answer.status_code == 200:
            assert answer.headers["cache-control"] == "no-store"
        assert not re.search(
            r"<script(?! src=\"/static/)|<[^>]*\s(on\w+|style)=|=\"javascript:", answer.text
        )
        assert not re.search(r"(src|href)=\"(https?:)?//", answer.text)


def test_hostile_words_are_shown_as_words(house, happened, visitor):
    client = visitor("ada", "admin")
    for path in ("/", "/incidents", "/leaks", "/sources", f"/keys/{happened['loud']}"):
        text = client.get(path).text
        assert "&lt;script&gt;alert(1)" in text, path
        assert "<script>alert" not in text
        assert "<img" not in text
        assert "{{7*7}}" in text
        assert "\u202e" not in text
        assert "\\u202e" in text


@pytest.mark.parametrize("role", ["viewer", "operator"])
def test_what_a_role_may_not_do_is_neither_offered_nor_done(house, happened, visitor, role):
    client = visitor("someone", role)
    page = client.get(f"/keys/{happened['leaked']}").text
    answer = client.post(
        f"/keys/{happened['leaked']}/revoke",
        data={"csrf": client.csrf(), "reason": "x", "back": "/keys"},
    )
    if role == "viewer":
        assert "Revoke it" not in page
        assert answer.status_code == 403
        assert client.get("/audit").status_code == 403
    else:
        assert answer.headers["location"].startswith("/keys?said=")
        assert client.get("/audit").status_code == 200


def test_a_form_needs_the_sessions_own_token_and_origin(house, happened, visitor):
    client, other = visitor("ada", "operator"), visitor("eve", "operator")
    key = house.key()
    path = f"/keys/{key}/revoke"
    assert client.post(path, data={"reason": "x"}).status_code == 403
    assert client.post(path, data={"csrf": other.csrf()}).status_code == 403
    good = {"csrf": client.csrf()}
    for headers in (
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
        {"origin": "https://evil.example"},
        {"origin": "null"},
    ):
        assert client.post(path, data=good, headers=headers).status_code == 403
    assert house.store.get(key).state == "active"
    assert client.post(path, data=good, headers={"origin": "http://testserver"}).status_code == 303
    assert house.store.get(key).state == "revoked"
    assert client.get(path).status_code == 405


def test_deeds_go_through_the_same_verbs_under_ones_own_name(house, happened, visitor):
    client = visitor("ada", "operator")
    key, csrf = house.key(), client.csrf()
    sent = {"csrf": csrf, "reason": "too loud", "per_min": "7", "for_s": "3600"}
    assert client.post(f"/keys/{key}/throttle", data=sent).status_code == 303
    assert house.store.get(key).throttle_per_min == 7
    assert house.store.get(key).throttle_until == house.now + 3600
    with reading(house.engine) as connection:
        last = audit.rows_of(connection, key)[-1]
    assert (last.actor, last.verb, last.reason) == ("ada", "throttle", "too loud")
    wrong = client.post(f"/keys/{key}/throttle", data=sent | {"per_min": "many"})
    assert wrong.status_code == 400
    assert client.post("/keys/key_none/revoke", data=sent).status_code == 400
    gone = client.post("/keys/key_none/revoke", data={"csrf": csrf})
    assert gone.status_code == 404


def test_logging_out_ends_the_session_itself(house, visitor):
    client = visitor("ada", "viewer")
    kept = client.cookies["keywatch"]
    assert client.post("/logout", data={"csrf": client.csrf()}).status_code == 303
    client.cookies.set("keywatch", kept)
    assert client.get("/").status_code == 303


def test_a_new_password_needs_the_old_one_and_ends_every_session(house, visitor):
    client, again = visitor("ada", "viewer"), "a longer harbour of lamps"
    form = {"csrf": client.csrf(), "old": "wrong", "new": again}
    assert client.post("/account", data=form).status_code == 400
    weak = client.post("/account", data=form | {"old": PASSWORD, "new": "short"})
    assert weak.status_code == 400
    assert client.get("/").status_code == 200
    assert client.post("/account", data=form | {"old": PASSWORD}).status_code == 303
    assert client.get("/").status_code == 303
    login = client.post("/login", data={"name": "ada", "password": again})
    assert login.headers["location"] == "/"


def test_a_disabled_account_is_out_at_once(house, visitor):
    client = visitor("ada", "viewer")
    with transaction(house.engine) as connection:
        users.disable(connection, "ada", actor="x", now=house.now)
    assert client.get("/").status_code == 303


def test_an_open_page_keeps_nobody_logged_in(house, visitor):
    client = visitor("ada", "viewer")
    for _ in range(4):
        house.now += sessions.IDLE_S / 3
        answer = client.get("/", headers={"x-requested-for": "news"})
    assert answer.status_code == 303


def test_nothing_a_page_shows_holds_a_secret(house, visitor):
    client = visitor("ada", "admin")
    issued = house.store.create(KeyOrder(environment="live"), actor="x")
    for path in ("/keys", f"/keys/{issued.key.id}", "/audit"):
        text = client.get(path).text
        assert issued.secret not in text
        assert issued.key.hash not in text


def test_the_words_after_a_deed_are_ours(house, visitor):
    client = visitor("ada", "viewer")
    assert HOSTILE not in client.get("/", params={"said": HOSTILE}).text
    assert 'class="said"' not in client.get("/?said=nonsense").text
    assert "Done." in client.get("/?said=done").text
