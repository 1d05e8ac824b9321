"""Limits on every level, scopes and networks, in front of an application."""

import asyncio
import json

import pytest

from gateway.endpoints import Endpoint
from gateway.levels import _block
from gateway.limits import LEVELS, Limit
from gateway.options import Options
from tests.gateway.test_app import ask, gateway, scope_of, with_key


def two(level):
    return (Limit(level, 2, 3600, level=level),)


def statuses(place, options, requests, **more):
    async def go():
        async with gateway(place, options, **more) as app:
            return [await ask(app, scope) for scope in requests]

    return [(sent[0]["status"], sent) for sent in asyncio.run(go())]


def test_each_level_counts_whom_it_is_for(place):
    one, other, mate = (place.issue(account=a).secret for a in ("acme", "bolt", "acme"))
    a, b, c = (with_key(secret) for secret in (one, other, mate))
    home, far = {"client": "192.0.2.1"}, {"client": "192.0.2.2"}
    expected = {
        # a third request: of the same key; of the same account; of another account
        "key": ([a, a, a], [a, a, c], [a, a, b], (429, 200, 200)),
        "account": ([a, a, a], [a, a, c], [a, a, b], (429, 429, 200)),
    }
    options = {"key": Options(limits=two("key")), "account": Options(account_limits=two("account"))}
    for level, (*rows, wanted) in expected.items():
        found = [statuses(place, options[level], map(scope_of, row))[-1][0] for row in rows]
        assert tuple(found) == wanted
    by_ip = Options(ip_limits=two("ip"))
    assert [s for s, _ in statuses(place, by_ip, [scope_of(k, **home) for k in (a, b, c)])] == [
        200,
        200,
        429,
    ]
    apart = [scope_of(a, **home), scope_of(a, **home), scope_of(a, **far)]
    assert [s for s, _ in statuses(place, by_ip, apart)] == [200] * 3
    everybody = Options(global_limits=two("global"))
    assert [s for s, _ in statuses(place, everybody, [scope_of(a), scope_of(b), scope_of(c)])] == [
        200,
        200,
        429,
    ]


@pytest.mark.parametrize(
    ("per", "third"), [("endpoint", 429), ("key", 200), ("account", 200), ("ip", 429)]
)
def test_a_limit_of_an_endpoint_counts_whom_it_says(place, per, third):
    a, b = (with_key(place.issue(account=name).secret) for name in ("acme", "bolt"))
    rule = Endpoint("POST /dear", limits=two("endpoint"), per=per)
    asked = [(a, "/dear"), (a, "/dear"), (b, "/dear"), (a, "/dear"), (a, "/cheap")]
    scopes = [
        scope_of(key, method="POST", path=path, raw_path=path.encode()) for key, path in asked
    ]
    found = [s for s, _ in statuses(place, Options(endpoints=(rule,)), scopes)]
    assert found == [200, 200, third, 429, 200]


def test_who_invents_keys_uses_up_the_limit_of_the_address(place):
    good = with_key(place.issue().secret)
    options = Options(ip_limits=two("ip"))
    asked = [scope_of((b"x-api-key", b"invented-%d" % n)) for n in range(4)]
    found = statuses(place, options, [*asked, scope_of(good), scope_of(good, client="192.0.2.9")])
    assert [s for s, _ in found] == [401, 401, 429, 429, 429, 200]
    assert json.loads(found[2][1][1]["body"])["error"]["message"].endswith("this address.")


def test_a_v6_customer_has_one_bucket_however_many_addresses(place):
    good = with_key(place.issue().secret)
    addresses = ("2001:db8::1", "2001:db8::2:3", "2001:db8:0:0:ffff::1", "2001:db8:0:1::1")
    asked = [scope_of(good, client=address) for address in addresses]
    found = statuses(place, Options(ip_limits=two("ip")), asked)
    assert [s for s, _ in found] == [200, 200, 429, 200]


def test_the_tightest_limit_is_told(place):
    good = with_key(place.issue().secret)
    options = Options(limits=(Limit("min", 50),), global_limits=two("global"))
    [(status, sent)] = statuses(place, options, [scope_of(good)])
    told = dict(sent[0]["headers"])
    assert (status, told[b"ratelimit"]) == (200, b'"global";r=1;t=1800')


def test_an_endpoint_asks_for_scopes_whatever_the_spelling_of_its_path(place):
    reader = with_key(place.issue(scopes=("read",)).secret)
    writer = with_key(place.issue(scopes=("read", "write")).secret)
    options = Options(endpoints=(Endpoint("/admin/*", scopes=("write",)),))
    paths = [b"/admin/x", b"/v1/../admin/x", b"//%61dmin/x", b"/open"]
    for key, wanted in ((reader, [403, 403, 403, 200]), (writer, [200] * 4)):
        asked = [scope_of(key, path=path.decode(), raw_path=path) for path in paths]
        found = statuses(place, options, asked)
        assert [s for s, _ in found] == wanted
    assert (
        json.loads(
            statuses(place, options, [scope_of(reader, raw_path=b"/admin/x")])[0][1][1]["body"]
        )["error"]["code"]
        == "insufficient_scope"
    )


def test_levels_are_all_known():
    assert {"key", "account", "plan", "endpoint", "ip", "global"} == set(LEVELS)


@pytest.mark.parametrize(
    ("client", "block"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("::ffff:192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:3::4", "2001:db8:1:2::"),
        ("unix:", ""),
    ],
)
def test_an_address_is_counted_by_what_one_customer_has(client, block):
    assert _block(client) == block
