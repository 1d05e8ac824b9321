"""Who looked at what: one row in the audit log for each page and answer with sensitive matter."""

import pytest
from sqlalchemy import select

from database.schema import audit as log
from database.transaction import reading
from keywatch.api.operations import OPERATIONS
from keywatch.assistant import Tools
from keywatch.console.site import PAGES
from keywatch.desk import looking
from keywatch.desk.desk import VIEW_S
from keywatch.people.roles import SCOPES
from vocabulary.errors import DatabaseError

INSENSITIVE_PAGES = {
    "/": "counts, and incidents by their summaries",
    "/keys": "what keys there are, nothing of their use but when it was last",
    "/actions": "what keywatch did",
    "/policy": "the policy, and which keys it would have met",
    "/account": "one's own account",
}
INSENSITIVE_READS = {
    "me": "who one is oneself",
    "overview": "counts",
    "list_keys": "as the page",
    "show_key": "a row of that list",
    "list_actions": "as the page",
    "show_action": "a row of that list",
    "list_sources": "positions and counts",
    "show_policy": "as the page",
}
"""What is shown without a row that tells to whom, and why."""


def seen(house, who):
    """Return what somebody looked at, as it stands in the audit log."""
    with reading(house.engine) as connection:
        rows = select(log.c.subject).where(log.c.actor == who, log.c.verb == "view")
        return list(connection.scalars(rows.order_by(log.c.seq)))


@pytest.fixture
def ids(house, happened):
    """An id of each thing."""
    house.profiled(happened["stolen"])
    with house.desk.reading() as connection:
        incident = looking.list_incidents(connection).items[0].id
        alert = looking.list_alerts(connection).items[0].id
    return {
        "incidents": incident,
        "keys": happened["stolen"],
        "leaks": "f0",
        "findings": "f0",
        "alerts": alert,
        "actions": "1",
        "users": "ada",
        "tokens": "",
    }


def rows_of_looking(house, who, client, path, ids):
    """Return the id that is looked at, and the rows that looking leaves."""
    house.now += VIEW_S + 1
    before, named = len(seen(house, who)), ids.get(path.split("/")[1], "")
    assert client.get(path.replace("{id}", named)).status_code == 200, path
    return named, seen(house, who)[before:]


def test_a_page_with_sensitive_matter_writes_down_who_saw_it(house, ids, visitor):
    client = visitor("ada", "admin")
    for one in PAGES:
        named, rows = rows_of_looking(house, "ada", client, one.path, ids)
        told = [f"view:{one.views.replace('{id}', named)}"]
        assert rows == ([] if one.path in INSENSITIVE_PAGES else told), one.path


def test_an_answer_with_sensitive_matter_writes_down_who_had_it(house, ids, client):
    client.headers["authorization"] = f"Bearer {house.token(*SCOPES)}"
    for one in (one for one in OPERATIONS if one.method == "GET"):
        named, rows = rows_of_looking(house, "token:robot", client, one.path, ids)
        told = [f"view:{one.views.replace('{id}', named)}"]
        assert rows == ([] if one.name in INSENSITIVE_READS else told), one.name


def test_an_assistant_leaves_the_same_rows(house, ids):
    tools = Tools(house.desk, "mcp:ada", may_act=False)
    tools.call("show_profile", {"id": ids["keys"]})
    tools.call("show_alert", {"id": ids["alerts"]})
    assert seen(house, "mcp:ada") == [
        f"view:profile of {ids['keys']}",
        f"view:alert {ids['alerts']}",
    ]


def test_who_looked_at_a_profile_is_written_down(house, happened, client):
    key = happened["stolen"]
    assert client.get(f"/keys/{key}/profile").status_code == 404
    assert seen(house, "token:robot") == []
    house.profiled(key)
    for _ in range(2):
        assert client.get(f"/keys/{key}/profile").json()["key"] == key
    assert seen(house, "token:robot") == [f"view:profile of {key}"]


def test_what_cannot_be_written_down_is_not_shown(house, ids, visitor, client, monkeypatch):
    page = visitor("ada", "admin")

    def full(*_):
        raise DatabaseError("the disk is full")

    monkeypatch.setattr("keywatch.desk.desk.audit.append", full)
    for _ in range(2):
        answer = page.get(f"/keys/{ids['keys']}")
        assert answer.status_code == 503
        assert "Hours of its week" not in answer.text
        refused = client.get(f"/keys/{ids['keys']}/profile")
        assert refused.status_code == 503
    assert refused.json()["error"]["code"] == "unavailable"
