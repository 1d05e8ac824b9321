"""The API: who may do what, what it says, and that it goes through the same verbs."""

import pytest
from sqlalchemy import insert, select, update
from starlette.testclient import TestClient

from database.schema import alerts, outbox, positions
from database.transaction import reading, transaction
from keystore import audit
from keywatch import metrics
from keywatch.api.app import MAX_BODY_BYTES, api
from keywatch.desk import contract, doing
from keywatch.people import tokens, users
from keywatch.people.roles import Person, Role
from keywatch.status import status
from tests.console.house import House
from vocabulary.errors import UsageError


def get(client, path, **query):
    answer = client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


def trail(house, subject):
    with reading(house.engine) as connection:
        return [(row.actor, row.verb, row.reason) for row in audit.rows_of(connection, subject)]


def test_without_a_token_nothing_is_said(house, happened):
    with TestClient(api(house.desk)) as client:
        for header in ({}, {"authorization": "Bearer kwat_wrong"}, {"authorization": "Basic eA=="}):
            answer = client.get("/keys", headers=header)
            assert answer.status_code == 401
            assert answer.json()["error"]["code"] == "unauthorized"
            assert answer.headers["www-authenticate"] == "Bearer"
        assert client.get("/openapi.json").status_code == 200


def test_a_token_does_what_its_scopes_say_and_no_more(house, happened):
    reader = {"authorization": f"Bearer {house.token('keys:read')}"}
    with TestClient(api(house.desk), headers=reader) as client:
        assert client.get("/keys").status_code == 200
        assert client.get("/alerts").status_code == 403
        assert client.get("/audit").status_code == 403
        answer = client.post(f"/keys/{happened['leaked']}/revoke", json={"reason": "x"})
        assert answer.status_code == 403
        assert "keys:write" in answer.json()["error"]["message"]
    assert house.store.get(happened["leaked"]).state == "active"


def test_a_token_ends(house):
    secret = house.token("read", life_s=60)
    with TestClient(api(house.desk), headers={"authorization": f"Bearer {secret}"}) as client:
        assert client.get("/me").json()["actor"] == "token:robot"
        house.now += 61
        assert client.get("/me").status_code == 401
        house.now -= 61
        with transaction(house.engine) as connection:
            found = tokens.listed(connection)[0]
            tokens.revoke(connection, found.id, actor="ann", now=house.now)
        assert client.get("/me").status_code == 401


def test_only_the_hash_of_a_token_is_kept(house, tmp_path):
    secret = house.token("read")
    house.engine.dispose()
    kept = b"".join(p.read_bytes() for p in tmp_path.glob("keywatch.db*"))
    assert secret.encode() not in kept
    assert secret.removeprefix(tokens.PREFIX).encode() not in kept


def test_a_revoked_key_is_revoked_under_the_tokens_name(house, client, happened):
    key = happened["leaked"]
    answer = client.post(f"/keys/{key}/revoke", json={"reason": "it leaked"})
    assert answer.json() == {"id": key, "changed": True, "waits_for": ""}
    assert get(client, f"/keys/{key}")["state"] == "revoked"
    assert ("token:robot", "revoke", "it leaked") in trail(house, key)
    assert client.post(f"/keys/{key}/revoke").json()["changed"] is False
    assert client.post(f"/keys/{key}/throttle", json={"per_min": 5}).status_code == 409
    assert client.post(f"/keys/{key}/restore").json()["changed"] is True
    assert get(client, f"/keys/{key}")["state"] == "active"


def test_overlays_are_put_on_and_lifted(house, client, happened):
    key = happened["leaked"]
    client.post(f"/keys/{key}/throttle", json={"per_min": 5, "for_s": 60})
    assert get(client, f"/keys/{key}")["throttle"]["per_min"] == 5
    client.post(f"/keys/{key}/suspend", json={"for_s": 60})
    assert get(client, f"/keys/{key}")["suspended"] is True
    client.post(f"/keys/{key}/unthrottle")
    client.post(f"/keys/{key}/resume")
    shown = get(client, f"/keys/{key}")
    assert shown["throttle"] is None
    assert shown["suspended"] is False
    for wrong in ({"per_min": 0}, {"per_min": 5, "for_s": -1}, {"per_min": 5, "for_s": 1e300}):
        assert client.post(f"/keys/{key}/throttle", json=wrong).status_code == 400


def test_a_held_action_is_approved_carried_out_and_undone(house, client, happened):
    (held,) = get(client, "/actions", state="held")["items"]
    assert held["subject"] == happened["held"]
    assert client.post(f"/actions/{held['id']}/approve").json()["changed"] is True
    house.carry_out()
    assert get(client, f"/keys/{happened['held']}")["state"] == "revoked"
    assert client.post(f"/actions/{held['id']}/undo").json()["changed"] is True
    assert get(client, f"/keys/{happened['held']}")["state"] == "active"
    assert client.post(f"/actions/{held['id']}/undo").json()["changed"] is False


def held_for_two(house, client):
    (held,) = get(client, "/actions", state="held")["items"]
    with transaction(house.engine) as connection:
        row = connection.execute(outbox.select().where(outbox.c.id == held["id"])).one()
        needs = {**row.arguments, "approvals": 2}
        connection.execute(outbox.update().where(outbox.c.id == held["id"]).values(arguments=needs))
    return held


def test_an_action_for_two_people_waits_for_the_second(house, client, happened):
    held = held_for_two(house, client)
    house.user("ada", "operator")

    def approved(**token):
        client.headers["authorization"] = f"Bearer {house.token('write', **token)}"
        return client.post(f"/actions/{held['id']}/approve").json()

    assert approved()["waits_for"] == "another person"
    # not another one: the same token again, and one more that the same person made
    assert client.post(f"/actions/{held['id']}/approve").json()["waits_for"] == "another person"
    assert approved(name="other")["waits_for"] == "another person"
    done = approved(name="adas", owner="ada")
    assert done == {"id": str(held["id"]), "changed": True, "waits_for": ""}


def test_who_has_an_account_and_a_token_is_one_person(house, client, happened):
    held = held_for_two(house, client)
    house.user("ada", "operator")
    ada = Person("ada", Role.OPERATOR.scopes, Role.OPERATOR)
    house.desk.act(ada, doing.approve, str(held["id"]), None)
    client.headers["authorization"] = f"Bearer {house.token('write', name='ci', owner='ada')}"
    told = client.post(f"/actions/{held['id']}/approve").json()
    assert told["waits_for"] == "another person"


def test_a_token_may_no_more_than_its_owner_and_ends_with_the_account(house, client, happened):
    house.user("ada", "operator")
    house.user("bo", "admin")
    client.headers["authorization"] = f"Bearer {house.token('read', 'write', owner='ada')}"
    assert client.get("/audit").status_code == 200
    with transaction(house.engine) as connection:
        users.set_role(connection, "ada", "viewer", actor="bo", now=house.now)
    assert client.get("/keys").status_code == 200
    assert client.get("/audit").status_code == 403
    assert client.post(f"/keys/{happened['leaked']}/revoke").status_code == 403
    with transaction(house.engine) as connection:
        users.disable(connection, "ada", actor="bo", now=house.now)
    assert client.get("/keys").status_code == 401
    with pytest.raises(UsageError, match="no user"):
        house.token("read", owner="nobody")


def test_a_held_action_is_rejected(house, client, happened):
    (held,) = get(client, "/actions", state="held")["items"]
    assert client.post(f"/actions/{held['id']}/reject").json()["changed"] is True
    house.carry_out()
    assert get(client, f"/keys/{happened['held']}")["state"] == "active"
    assert client.post("/actions/999999/approve").status_code == 404


def test_looking_at_a_key_does_not_stand_in_the_way_of_an_undo(house, client, happened):
    (done,) = get(client, "/actions", key=happened["stolen"])["items"]
    client.get(f"/keys/{happened['stolen']}/profile")
    get(client, "/findings", key=happened["stolen"])
    assert client.post(f"/actions/{done['id']}/undo").json()["changed"] is True


def test_an_incident_tells_its_story_and_takes_notes_and_judgements(house, client, happened):
    listed = get(client, "/incidents", severity="critical")["items"]
    mine = next(one for one in listed if one["subject"] == happened["stolen"])
    assert mine["state"] == "contained"
    house.now += 5
    client.post(f"/incidents/{mine['id']}/note", json={"text": "called the owner"})
    told = get(client, f"/incidents/{mine['id']}")
    assert told["timeline"][-1]["who"] == "token:robot"
    assert told["timeline"][-1]["what"].endswith("called the owner")
    assert told["actions"][0]["effect"] == "revoke"
    client.post(f"/incidents/{mine['id']}/close", json={"state": "false", "note": "a test"})
    told = get(client, f"/incidents/{mine['id']}")
    assert told["state"] == "false"
    assert {one["feedback"] for one in told["alerts"]} == {"false"}
    again = client.post(f"/incidents/{mine['id']}/close", json={"state": "false"})
    assert again.json()["changed"] is False
    assert client.post(f"/incidents/{mine['id']}/note", json={"text": " "}).status_code == 400
    assert client.post("/incidents/inc_none/note", json={"text": "x"}).status_code == 404


def test_pages_follow_one_another_without_gap_or_repeat(house, client):
    made = []
    for _ in range(23):
        made.append(house.key())
        house.now += 1
    seen, after = [], ""
    while True:
        page = get(client, "/keys", limit=5, after=after)
        seen += [one["id"] for one in page["items"]]
        after = page["next"]
        if not after:
            break
    assert seen == made[::-1]
    assert client.get("/keys", params={"after": "nonsense"}).status_code == 400


def test_actions_follow_one_another_in_every_state(client, happened):
    newest = [one["id"] for one in get(client, "/actions")["items"]]
    assert len(newest) > 2
    first = get(client, "/actions", limit=2)
    rest = get(client, "/actions", before=int(first["next"]), limit=200)
    assert [one["id"] for one in (*first["items"], *rest["items"])] == newest
    for state in contract.ACTION_STATES:
        assert all(one["state"] == state for one in get(client, "/actions", state=state)["items"])


def test_metrics_tell_how_long_keys_went_on_working(house, happened):
    with transaction(house.engine) as connection:
        acts = outbox.c.alert_id.is_not(None) & (outbox.c.state == "done")
        ids = connection.execute(select(outbox.c.alert_id).where(acts)).scalars().all()
        connection.execute(update(alerts).where(alerts.c.id.in_(ids)).values(ts=house.now - 2))
        connection.execute(
            update(outbox).where(acts).values(created_at=house.now - 1, done_at=house.now)
        )
    with reading(house.engine) as connection:
        text = metrics.text(connection, house.now)
    assert 'keywatch_lockout_seconds{quantile="0.5"} 1\n' in text
    assert 'keywatch_evidence_to_lockout_seconds{quantile="0.95"} 2\n' in text


def test_keys_are_found_by_the_beginning_of_their_id_or_their_owner(client, house, happened):
    key = happened["held"]
    assert [one["id"] for one in get(client, "/keys", find=key)["items"]] == [key]
    assert [one["id"] for one in get(client, "/keys", find="carl")["items"]] == [key]
    assert get(client, "/keys", find="%")["items"] == []


def test_what_is_read_agrees_with_what_happened(client, house, happened):
    overview = get(client, "/overview")
    assert overview["held"] == 1
    assert overview["keys"] == 4
    assert overview["lock_out"]["actions"] == 2
    assert sum(overview["days"][-1]["alerts"].values()) == 5
    assert get(client, "/sources")["items"][0]["dead"] == 1
    assert len(get(client, "/dead-letters")["items"]) == 1
    assert get(client, "/findings")["items"][0]["key_id"] == happened["leaked"]
    detail = get(client, f"/findings/{get(client, '/findings')['items'][0]['fingerprint']}")
    assert detail["rotate"]
    assert client.get("/findings/none").status_code == 404
    policy = get(client, "/policy")
    hit = {key for case in policy["cases"] for key in case["hit"]}
    assert set(happened.values()) <= hit
    uses = get(client, f"/keys/{happened['loud']}/use", days=1)["items"]
    assert len(uses) >= 24
    assert sum(one["refused"] for one in uses) > 0


def test_sources_tell_what_keywatch_status_tells(house, client, visitor):
    position = {"offset": 1, "lag_ms": 1500, "behind": 12_345, "newest_ms": int(house.now * 1000)}
    row = {"source": "kafka:events", "position": position, "updated_at": house.now}
    with transaction(house.engine) as connection:
        connection.execute(insert(positions), [row])
    (shown,) = get(client, "/sources")["items"]
    told = status(house.engine, house.now)["sources"]["kafka:events"]
    assert {name: shown[name] for name in told} == told
    assert (shown["lag_s"], shown["behind"]) == (1.5, 12_345)
    page = visitor("vi", "viewer").get("/sources").text
    assert '<td class="n" data-label="lag">1.5 s</td>' in page
    assert "12&#8239;345" in page
    assert '<td data-label="read up to">record 1</td>' in page


def test_who_looks_at_what_is_sensitive_is_written_down_once(house, client, happened):
    get(client, "/findings")
    get(client, "/findings")
    assert [row[1] for row in trail(house, "view:findings")] == ["view"]
    house.now += 601
    get(client, "/findings")
    assert len(trail(house, "view:findings")) == 2
    rows = get(client, "/audit", subject="view:findings")["items"]
    assert {row["actor"] for row in rows} == {"token:robot"}


def test_bodies_and_parameters_are_checked(client, happened):
    key = happened["leaked"]
    for body in (b"{", b"[]", b'{"other": 1}', b'{"per_min": "x"}', b"\xff\xfe"):
        answer = client.post(f"/keys/{key}/throttle", content=body)
        assert answer.status_code == 400, body
        assert answer.json()["error"]["code"] == "bad_request"
    large = client.post(f"/keys/{key}/revoke", content=b" " * (MAX_BODY_BYTES + 1))
    assert large.status_code == 413
    assert client.get("/keys?limit=0").status_code == 400
    assert client.get("/keys?limit=1&limit=2").status_code == 400
    assert client.get("/keys?nonsense=1").status_code == 400
    assert client.get("/keys/%00").status_code == 404
    assert client.get("/nowhere").json()["error"]["code"] == "not_found"
    assert client.delete(f"/keys/{key}").json()["error"]["code"] == "method_not_allowed"


@pytest.mark.parametrize("path", ["/keys", "/overview", "/me"])
def test_answers_are_not_cached(client, path):
    assert client.get(path).headers["cache-control"] == "no-store"


def test_it_works_the_same_on_postgresql(database_url):
    house = House(database_url)
    try:
        happened = house.furnish()
        with TestClient(api(house.desk)) as client:
            client.headers["authorization"] = f"Bearer {house.token('read', 'write')}"
            for path in (
                "/overview",
                "/incidents",
                "/alerts",
                "/keys",
                "/findings",
                "/actions",
                "/sources",
                "/dead-letters",
                "/policy",
                "/audit",
            ):
                assert client.get(path).status_code == 200, path
            assert client.post(f"/keys/{happened['loud']}/revoke").json()["changed"] is True
            page = get(client, "/keys", limit=2)
            assert len(get(client, "/keys", after=page["next"])["items"]) == 2
    finally:
        house.engine.dispose()
