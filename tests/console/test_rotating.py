"""Rotating a key in console and API: the new secret is shown once, and kept nowhere."""

import logging
import re

import pytest
from sqlalchemy import select

from database.schema import audit as log
from database.transaction import reading
from keystore.issue import KeyOrder
from keywatch.assistant import Tools
from tests.console.house import House

SURE = {"sure": "yes", "reason": "it is old"}


@pytest.fixture
def everything_said(caplog):
    """All that is logged, from the lowest level on."""
    caplog.set_level(logging.DEBUG)
    return caplog


def whose(house, secret) -> str:
    (found,) = house.store.find([house.store.credential(secret)])
    return found.key_id


def kept(house: House, folder) -> bytes:
    """Return all that is on disk."""
    house.engine.dispose()
    return b"".join(path.read_bytes() for path in folder.glob("keywatch.db*"))


def test_a_key_is_rotated_and_its_secret_shown_once(house, visitor, tmp_path, everything_said):
    client, key = visitor("ada", "operator"), house.key()
    answer = client.post(f"/keys/{key}/rotate", data=SURE | {"csrf": client.csrf()})
    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    secret = re.search(r'id="new-secret">([^<]+)<', answer.text)[1]
    old = house.store.get(key)
    assert whose(house, secret) == old.rotated_to
    assert old.state == "deprecated"
    with reading(house.engine) as connection:
        rows = connection.execute(select(log).where(log.c.subject == key)).all()
    assert (rows[-1].actor, rows[-1].verb, rows[-1].reason) == ("ada", "rotate", "it is old")
    for path in (f"/keys/{key}", f"/keys/{old.rotated_to}", "/audit", "/keys"):
        assert secret not in client.get(path).text, path
    assert secret not in everything_said.text
    assert secret.encode() not in kept(house, tmp_path)


def test_nothing_is_rotated_by_a_form_that_is_not_meant(house, visitor):
    client, key = visitor("ada", "operator"), house.key()
    csrf = client.csrf()
    unsure = client.post(f"/keys/{key}/rotate", data={"csrf": csrf, "reason": "x"})
    assert unsure.status_code == 400
    assert client.post(f"/keys/{key}/rotate", data=SURE).status_code == 403
    form = SURE | {"csrf": csrf}
    foreign = client.post(f"/keys/{key}/rotate", data=form, headers={"origin": "https://evil.ex"})
    assert foreign.status_code == 403
    assert client.post(f"/keys/{key}/rotate", data=form | {"grace_s": "-1"}).status_code == 400
    assert not house.store.get(key).rotated_to
    assert client.post(f"/keys/{key}/rotate", data=form | {"grace_s": "0"}).status_code == 200
    assert house.store.get(key).state == "revoked"
    again = client.post(f"/keys/{key}/rotate", data=form)
    assert again.status_code == 409, "sending the form again makes no second key"


def test_a_program_rotates_only_with_a_scope_of_its_own(house, client):
    key = house.key()
    assert client.post(f"/keys/{key}/rotate").status_code == 403, "write alone issues no secrets"
    client.headers["authorization"] = f"Bearer {house.token('keys:rotate', name='rotator')}"
    told = client.post(f"/keys/{key}/rotate", json={"grace_s": 60}).json()
    assert whose(house, told["secret"]) == told["replaced_by"]
    assert told["grace_until"]
    assert client.post(f"/keys/{key}/rotate").status_code == 409
    assert client.post("/keys/key_none/rotate").status_code == 404


def test_an_assistant_is_handed_no_secret(house):
    tools = Tools(house.desk, "mcp:ada", may_act=True)
    assert "revoke_key" in tools.operations
    assert "rotate_key" not in tools.operations


def test_budgets_tell_what_was_spent(house, client, visitor):
    order = KeyOrder(environment="live", tokens_per_min=500, tokens_per_day=4800)
    key = house.store.create(order, actor="x").key.id
    assert house.store.pay(key, 1200) == 2
    budgets = client.get(f"/keys/{key}/budgets").json()["items"]
    assert budgets[0] == {"window": "minute", "tokens": 500, "used": 1200}
    assert budgets[1] == {"window": "day", "tokens": 4800, "used": 1200}
    page = visitor("vi", "viewer").get(f"/keys/{key}").text
    assert "1&#8239;200 of 4&#8239;800 used (25 %)" in page
    assert "Rotate it" not in page
    assert client.get(f"/keys/{house.key()}/budgets").json()["items"] == []
    assert client.get("/keys/key_none/budgets").status_code == 404
