"""The MCP server: the official client talks to it; it reads freely and acts in two steps."""

import json
import os
import sys
from importlib.metadata import version

import anyio
import pytest

from database.transaction import reading
from keystore import audit
from keystore.issue import KeyOrder
from keywatch import assistant
from keywatch.assistant import CONFIRM_S, Tools, server
from vocabulary.errors import KeywatchError, UsageError


@pytest.fixture
def tools(house, happened):
    return Tools(house.desk, "mcp:ada", may_act=True)


def test_the_official_client_lists_and_calls_tools(house, happened):
    from mcp import ClientSession, StdioServerParameters  # noqa: PLC0415  (dear, and each of pytest's processes imports all test files)
    from mcp.client.stdio import stdio_client  # noqa: PLC0415  (likewise)

    async def talk():
        environ = {**os.environ, "KEYWATCH_DATABASE": house.settings.database}
        words = ["-m", "keywatch", "mcp"]
        program = StdioServerParameters(command=sys.executable, args=words, env=environ)
        async with stdio_client(program) as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            listed = (await session.list_tools()).tools
            shown = await session.call_tool("show_key", {"id": happened["leaked"]})
            refused = await session.call_tool("revoke_key", {"id": happened["leaked"]})
            return listed, shown, refused

    listed, shown, refused = anyio.run(talk)
    assert {tool.name for tool in listed} >= {"overview", "list_incidents", "show_profile"}
    assert all(tool.annotations.read_only_hint for tool in listed)
    assert json.loads(shown.content[0].text)["owner"] == "bea"
    assert refused.is_error


def test_an_action_is_proposed_first_and_done_with_its_code_alone(house, tools, happened):
    key = happened["loud"]
    said = {"id": key, "reason": "stolen"}
    told = tools.call("revoke_key", said)
    assert told["about"]["owner"] == "ann"
    assert told["about"]["requests_in_24_h"] > 0
    assert house.store.get(key).state == "active"
    for other in (
        {**said, "confirm": "0" * 16},
        {**said, "id": happened["held"], "confirm": told["confirm"]},
        {**said, "reason": "another", "confirm": told["confirm"]},
    ):
        with pytest.raises(UsageError, match="code"):
            tools.call("revoke_key", other)
    assert house.store.get(key).state == "active"
    assert tools.call("revoke_key", {**said, "confirm": told["confirm"]}).changed
    assert house.store.get(key).state == "revoked"
    with reading(house.engine) as connection:
        last = audit.rows_of(connection, key)[-1]
    assert (last.actor, last.reason) == ("mcp:ada", "stolen")


def test_a_code_serves_once(house, tools, happened):
    said = {"id": happened["loud"], "reason": "stolen"}
    told = tools.call("revoke_key", said)
    assert tools.call("revoke_key", {**said, "confirm": told["confirm"]}).changed
    house.store.restore(happened["loud"], actor="ada")
    with pytest.raises(UsageError, match="was used"):
        tools.call("revoke_key", {**said, "confirm": told["confirm"]})
    assert house.store.get(happened["loud"]).state == "active"


def test_a_code_holds_five_minutes(house, tools, happened):
    house.now = (
        house.now // CONFIRM_S
    ) * CONFIRM_S  # a code of the clock's would hold twice as long
    said = {"id": happened["loud"], "reason": "stolen"}
    told = tools.call("revoke_key", said)
    house.now += CONFIRM_S + 1
    with pytest.raises(UsageError, match="too old"):
        tools.call("revoke_key", {**said, "confirm": told["confirm"]})


def test_of_many_proposals_the_oldest_go(tools, happened, monkeypatch):
    monkeypatch.setattr(assistant, "_MOST_PROPOSED", 2)
    said = {"id": happened["loud"], "reason": "stolen"}
    first, _, third = (tools.call("revoke_key", said)["confirm"] for _ in range(3))
    with pytest.raises(UsageError, match="code"):
        tools.call("revoke_key", {**said, "confirm": first})
    assert tools.call("revoke_key", {**said, "confirm": third}).changed


def test_a_code_grows_old(house, tools, happened):
    said = {"id": happened["loud"], "reason": "stolen"}
    told = tools.call("revoke_key", said)
    house.now += 2 * CONFIRM_S
    with pytest.raises(UsageError, match="too old"):
        tools.call("revoke_key", {**said, "confirm": told["confirm"]})


def test_without_a_reason_or_with_force_nothing_is_proposed(tools, happened):
    with pytest.raises(UsageError, match="why"):
        tools.call("revoke_key", {"id": happened["loud"]})
    with pytest.raises(UsageError, match="force"):
        tools.call("restore_key", {"id": happened["loud"], "reason": "x", "force": True})


def test_held_actions_and_incidents_are_proposed_with_what_they_are_about(tools, happened):
    (held,) = tools.call("list_actions", {"state": "held"}).items
    told = tools.call("reject_action", {"id": str(held.id)})
    assert told["about"]["subject"] == happened["held"]
    with pytest.raises(UsageError, match="no tool"):
        tools.call("approve_action", {"id": str(held.id)})
    one = tools.call("list_incidents", {}).items[0]
    told = tools.call("close_incident", {"id": one.id, "state": "false"})
    assert told["about"]["severity"] == one.severity


def test_it_says_which_version_it_is(tools):
    assert server(tools).create_initialization_options().server_version == version("keywatch")


def test_no_tool_says_a_secret_or_a_hash(house, tools):
    issued = house.store.create(KeyOrder(environment="live"), actor="x")
    for name, one in tools.operations.items():
        if one.method == "GET" and "{id}" not in one.path:
            said = str(tools.call(name, {}))
            assert issued.secret not in said
            assert issued.key.hash not in said
    assert "list_audit" not in tools.operations
    assert "list_dead_letters" not in tools.operations


def test_whoever_starts_it_to_read_has_no_tool_that_acts(house):
    reader = Tools(house.desk, "mcp:ada", may_act=False)
    assert {one.method for one in reader.operations.values()} == {"GET"}
    with pytest.raises(KeywatchError, match="no tool"):
        reader.call("revoke_key", {"id": "key_x", "reason": "x"})


@pytest.mark.parametrize("said", [{"limit": 0}, {"limit": "x"}, {"nonsense": 1}])
def test_wrong_input_is_refused_in_words(tools, said):
    with pytest.raises(UsageError):
        tools.call("list_keys", said)
