"""Who may do what: every page and every deed for each of the roles, and what admins alone may."""

import pytest
from starlette.testclient import TestClient

from database.transaction import reading
from keystore import audit
from keywatch.api.app import api
from keywatch.console.deeds import DEEDS
from keywatch.console.site import PAGES
from keywatch.people import tokens, users
from keywatch.people.roles import GUARDED, ISSUE, Role, scopes_of

EVERYBODY = {"/", "/incidents", "/incidents/{id}", "/keys", "/keys/{id}", "/actions", "/leaks",
             "/leaks/{id}", "/sources", "/policy", "/account"}  # fmt: skip
ACTS = {
    *(("keys", verb) for verb in ("revoke", "restore", "throttle", "suspend", "rotate")),
    *(("actions", verb) for verb in ("approve", "reject", "retry", "undo")),
    *(("incidents", verb) for verb in ("close", "note")),
}
RULES = {("users", "role"), ("users", "disable"), ("users", "enable"), ("tokens", "revoke")}
MAY = {
    "viewer": (EVERYBODY, set()),
    "operator": (EVERYBODY | {"/audit"}, ACTS),
    "admin": (EVERYBODY | {"/audit", "/people"}, ACTS | RULES),
}
"""Role → the pages it sees, and what it does."""


@pytest.mark.parametrize("role", MAY)
def test_a_role_sees_its_pages_and_does_its_deeds_and_no_others(house, visitor, role):
    client = visitor("someone", role)
    pages, deeds = MAY[role]
    for one in PAGES:
        answer = client.get(one.path.replace("{id}", "none"))
        wanted = (404 if "{id}" in one.path else 200) if one.path in pages else 403
        assert answer.status_code == wanted, one.path
        if "{id}" not in one.path and one.path != "/account":
            assert (f'<a href="{one.path}" data-key' in client.get("/").text) == (wanted == 200)
    csrf = client.csrf()
    assert {*DEEDS, ("keys", "rotate")} == ACTS | RULES
    for thing, verb in ACTS | RULES:
        answer = client.post(f"/{thing}/none/{verb}", data={"csrf": csrf})
        # a form without what it must say is refused as such, but only to who may send it
        may = answer.status_code in (400, 404)
        assert may or answer.status_code == 403
        assert may == ((thing, verb) in deeds), (thing, verb)


def test_only_an_admin_forces_a_key_back_whose_leak_is_proven(house, visitor):
    key = house.key()
    house.store.revoke(key, actor="x")
    house.store.mark_leak_proven(key, actor="x")
    operator, admin = visitor("olga", "operator"), visitor("ada", "admin")
    page = operator.get(f"/keys/{key}").text
    assert "only an admin" in page
    assert 'name="force"' not in page
    form = {"reason": "it must", "force": "true"}
    refused = operator.post(f"/keys/{key}/restore", data=form | {"csrf": operator.csrf()})
    assert refused.status_code == 403
    assert house.store.get(key).state == "revoked"
    done = admin.post(f"/keys/{key}/restore", data=form | {"csrf": admin.csrf()})
    assert done.status_code == 303
    assert house.store.get(key).state == "active"


def test_a_token_forces_only_if_it_says_so(house, client):
    key = house.key()
    house.store.revoke(key, actor="x")
    house.store.mark_leak_proven(key, actor="x")
    answer = client.post(f"/keys/{key}/restore", json={"force": True})
    assert answer.status_code == 403
    assert answer.json()["error"]["code"] == "forbidden"
    client.headers["authorization"] = f"Bearer {house.token('write', 'keys:force', name='r2')}"
    assert client.post(f"/keys/{key}/restore", json={"force": True}).json()["changed"] is True


def test_a_token_for_incidents_alone_teaches_no_baseline(house, client):
    house.alert(house.key(owner="ann"), "high")
    (one,) = client.get("/incidents").json()["items"]
    path, names = f"/incidents/{one['id']}/close", {}
    for scopes in (["incidents:write"], ["incidents:write", "alerts:write"]):
        made = house.token(*scopes, name=f"scopes{len(scopes)}")
        names[len(scopes)] = {"authorization": f"Bearer {made}"}
    for verdict in ("false", "confirmed"):
        refused = client.post(path, json={"state": verdict}, headers=names[1])
        assert (refused.status_code, "alerts:write" in refused.text) == (403, True)
    assert client.post(path, json={"state": "acknowledged"}, headers=names[1]).is_success
    assert client.post(path, json={"state": "false"}, headers=names[2]).is_success


def test_read_and_write_hold_nothing_that_is_guarded():
    assert not (GUARDED | ISSUE) & set(scopes_of(["read", "write"]))
    assert Role.ADMIN.scopes - Role.OPERATOR.scopes == GUARDED
    assert scopes_of(["people:read"]) == ("people:read",)


def test_admins_look_after_people_on_a_page(house, visitor):
    admin, olga = visitor("ada", "admin"), visitor("olga", "operator")
    house.token("read", name="deploy")
    page = admin.get("/people").text
    assert "olga" in page
    assert "deploy" in page
    csrf = admin.csrf()
    form = {"csrf": csrf, "back": "/people"}
    assert admin.post("/users/olga/role", data=form | {"role": "viewer"}).status_code == 303
    assert olga.get("/").status_code == 303, "whose role changes logs in again"
    assert admin.post("/users/olga/disable", data=form).headers["location"] == "/people?said=done"
    assert admin.post("/users/olga/disable", data=form).headers["location"] == "/people?said=same"
    last = admin.post("/users/ada/disable", data=form)
    assert last.status_code == 400
    assert "last admin" in last.text
    with reading(house.engine) as connection:
        olga_is, token = users.get(connection, "olga"), tokens.listed(connection)[0]
        trail = [(row.actor, row.verb) for row in audit.rows_of(connection, "user:olga")]
    assert (olga_is.role, olga_is.disabled) == ("viewer", True)
    assert trail[-2:] == [("ada", "change_role"), ("ada", "disable_user")]
    assert admin.post(f"/tokens/{token.id}/revoke", data=form).status_code == 303
    with reading(house.engine) as connection:
        assert tokens.listed(connection)[0].revoked_at == house.now


def test_programs_that_may_look_after_people_do_so_by_the_api(house):
    house.user("ada", "admin")
    house.user("olga", "operator")
    bearer = {"authorization": f"Bearer {house.token('people:read', 'people:write')}"}
    with TestClient(api(house.desk), headers=bearer) as client:
        listed = client.get("/users").json()["items"]
        assert [(one["name"], one["role"]) for one in listed] == [
            ("ada", "admin"),
            ("olga", "operator"),
        ]
        assert client.post("/users/olga/role", json={"role": "owner"}).status_code == 400
        assert client.post("/users/olga/role", json={"role": "viewer"}).json()["changed"] is True
        assert client.post("/users/olga/disable").json()["changed"] is True
        assert client.post("/users/olga/enable").json()["changed"] is True
        assert client.post("/users/nobody/enable").status_code == 404
        assert client.post("/users/ada/disable").status_code == 400
        (mine,) = client.get("/tokens").json()["items"]
        assert (mine["name"], mine["state"]) == ("robot", "active")
        assert "hash" not in mine
        assert client.post(f"/tokens/{mine['id']}/revoke").json()["changed"] is True
        assert client.get("/users").status_code == 401
