"""What a key may do: by its own words, its account's and its plan's."""

import asyncio

import pytest

from database.transaction import transaction
from gateway.app import Gateway
from gateway.endpoints import Endpoint
from gateway.limits import limit_of
from gateway.options import Options
from gateway.reader import Reader
from keystore import accounts, identities, plans
from keystore.issue import KeyOrder
from keystore.plans import Plan
from tests.gateway.test_app import ask, echo, scope_of, with_key

BY = {"actor": "test", "reason": ""}


def write(place, verb, *args, **more):
    with transaction(place.store.engine) as connection:
        return verb(connection, *args, **BY, now=place.store.clock(), **more)


def conversation(place, talk, options=None):
    """Run `talk(ask_status, wait_for)` against a gateway."""

    async def go():
        app = Gateway(echo, Reader(place.store.engine), options or Options())

        async def status(secret, *headers, **more):
            asked = scope_of(with_key(secret), *headers, **more)
            async with asyncio.timeout(20):
                # Where a key cannot be looked up within a second, who asks is told to ask again.
                while (found := (await ask(app, asked))[0]["status"]) == 503:  # noqa: ASYNC110
                    await asyncio.sleep(0.001)
            return found

        async def becomes(wanted, secret, **more):
            async with asyncio.timeout(20):
                while await status(secret, **more) != wanted:  # noqa: ASYNC110  (a database)
                    await asyncio.sleep(0.001)

        try:
            await talk(status, becomes)
        finally:
            await app.close()

    asyncio.run(go())


@pytest.mark.parametrize(
    ("networks", "client", "status"),
    [
        (("192.0.2.0/24",), "192.0.2.77", 200),
        (("192.0.2.0/24",), "192.0.3.1", 403),
        (("192.0.2.0/24",), "::ffff:192.0.2.1", 200),
        (("2001:db8::/32",), "2001:db8:1::1", 200),
        (("2001:db8::/32", "198.51.100.7/32"), "198.51.100.7", 200),
        (("2001:db8::/32",), "192.0.2.1", 403),
        (("192.0.2.0/24",), "", 403),
        (("0.0.0.0/0",), "2001:db8::1", 403),
    ],
)
def test_a_key_is_used_from_its_networks_alone(place, networks, client, status):
    secret = place.issue(networks=networks).secret

    async def talk(status_of, _):
        assert await status_of(secret, client=client) == status

    conversation(place, talk)


def test_nobody_is_believed_about_an_address_but_trusted_proxies(place):
    secret = place.issue(networks=("192.0.2.0/24",)).secret
    options = Options(trusted_proxies=("10.0.0.0/8",))

    async def go():
        app = Gateway(echo, Reader(place.store.engine), options)
        found = []
        for client, forwarded in [
            ("203.0.113.1", b"192.0.2.1"),
            ("10.0.0.1", b"192.0.2.1"),
            ("10.0.0.1", b"192.0.2.1, 203.0.113.1"),
            ("10.0.0.1", b"203.0.113.1, 192.0.2.1, 10.0.0.9"),
            ("10.0.0.1", b"192.0.2.1, nonsense"),
        ]:
            header = (b"x-forwarded-for", forwarded)
            sent = await ask(app, scope_of(with_key(secret), header, client=client))
            found.append(sent[0]["status"])
        await app.close()
        return found

    assert asyncio.run(go()) == [403, 200, 403, 200, 403]


def test_a_key_calls_its_endpoints_alone_in_any_spelling(place):
    secret = place.issue(endpoints=("GET /v1/*",)).secret
    asked = {
        ("GET", b"/v1/a"): 200,
        ("POST", b"/v1/a"): 403,
        ("GET", b"/admin"): 403,
        ("GET", b"/v1/../admin"): 403,
        ("GET", b"/v1/%2e%2e/admin"): 403,
        ("GET", b"/v1/..;/admin"): 403,
        ("GET", b"//v1/%61"): 200,
    }

    async def talk(status_of, _):
        for (method, path), wanted in asked.items():
            assert await status_of(secret, method=method, raw_path=path) == wanted

    conversation(place, talk)


def test_a_plan_limits_keys_accounts_and_all_together(shelf):
    plan = Plan(id="small", key_limits=("2/h",), account_limits=("3/h",), plan_limits=("4/h",))
    write(shelf, plans.put, plan)
    write(shelf, accounts.create, "acme", accounts.Changes(plan="small"))
    write(shelf, accounts.create, "bolt", accounts.Changes(plan="small"))
    first, second = (shelf.issue(account="acme").secret for _ in range(2))
    third = shelf.issue(account="bolt").secret

    async def talk(status_of, _):
        secrets = [first, first, first, second, second, third, third]
        assert [await status_of(secret) for secret in secrets] == [
            *(200, 200, 429),  # the key's own two
            *(200, 429),  # three of the account
            *(200, 429),  # four of the plan
        ]

    conversation(shelf, talk)


def test_what_happens_to_an_account_reaches_its_keys(shelf):
    write(shelf, accounts.create, "acme")
    secret, other = shelf.issue(account="acme").secret, shelf.issue(account="bolt").secret

    async def talk(status_of, becomes):
        assert await status_of(secret) == 200
        write(shelf, accounts.suspend, "acme", until=None)
        await becomes(403, secret)
        write(shelf, accounts.resume, "acme")
        await becomes(200, secret)
        write(shelf, accounts.throttle, "acme", per_min=1, until=None)
        await becomes(429, secret)
        assert await status_of(other) == 200

    conversation(shelf, talk)


def test_a_plan_that_changes_reaches_the_keys_on_it(shelf):
    write(shelf, plans.put, Plan(id="small", key_limits=("1000/h",)))
    write(shelf, accounts.create, "acme", accounts.Changes(plan="small"))
    secret = shelf.issue(account="acme").secret

    async def talk(status_of, becomes):
        assert await status_of(secret) == 200
        write(shelf, plans.put, Plan(id="small", key_limits=("1/h",)))
        await becomes(429, secret)

    conversation(shelf, talk)


def test_a_keys_own_limits_come_before_all_others(shelf):
    secret = shelf.issue(limits=("3/h",)).secret
    loose = shelf.issue().secret

    async def talk(status_of, _):
        assert [await status_of(secret) for _ in range(4)] == [200, 200, 200, 429]
        assert [await status_of(loose) for _ in range(2)] == [200, 429]

    conversation(shelf, talk, Options(limits=(limit_of("1/h"),)))


def test_a_client_secret_is_no_api_key(shelf):

    issued = write(shelf, identities.register_client, identities.Client(), KeyOrder())

    async def talk(status_of, _):
        assert await status_of(issued.secret) == 401

    conversation(shelf, talk)


def test_scopes_and_limits_of_an_endpoint_meet_those_of_the_key(shelf):
    secret = shelf.issue(scopes=("read",), endpoints=("GET /v1/*",)).secret
    options = Options(endpoints=(Endpoint("GET /v1/secret/*", scopes=("admin",)),))

    async def talk(status_of, _):
        assert await status_of(secret, raw_path=b"/v1/open") == 200
        assert await status_of(secret, raw_path=b"/v1/secret/x") == 403

    conversation(shelf, talk, options)


def test_a_method_that_an_application_takes_from_a_header_is_judged_too(place):
    secret = place.issue(scopes=("read",)).secret
    narrow = place.issue(endpoints=("POST /v1/*",)).secret
    options = Options(endpoints=(Endpoint("DELETE /v1/*", scopes=("admin",)),))

    async def talk(status_of, _):
        for name in (b"x-http-method-override", b"x-http-method", b"x-method-override"):
            sent = {"method": "POST", "raw_path": b"/v1/x"}
            assert await status_of(secret, **sent) == 200
            assert await status_of(secret, (name, b"patch"), **sent) == 200
            for told in (b"DELETE", b" delete ", b"PATCH, DELETE"):
                assert await status_of(secret, (name, told), **sent) == 403
            assert await status_of(narrow, **sent) == 200
            assert await status_of(narrow, (name, b"PUT"), **sent) == 403

    conversation(place, talk, options)


def test_a_request_that_names_many_methods_is_refused_before_each_is_judged(place):
    narrow = place.issue(endpoints=("/v1/*",)).secret

    async def talk(status_of, _):
        few, many = (b"PUT, A, B, C", b", ".join(b"%d" % number for number in range(9000)))
        sent = {"method": "POST", "raw_path": b"/v1/" + b"a/" * 100}
        assert await status_of(narrow, (b"x-http-method-override", few), **sent) == 200
        assert await status_of(narrow, (b"x-http-method-override", few + b", D"), **sent) == 400
        sent["raw_path"] *= 40
        assert await status_of(narrow, (b"x-http-method-override", many), **sent) == 400

    conversation(place, talk)
