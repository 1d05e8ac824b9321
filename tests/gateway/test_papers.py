"""Keys, tokens and certificates together: each that is there must be good."""

import asyncio
import json
from base64 import b64encode
from urllib.parse import quote

import pytest

from database.transaction import transaction
from gateway.access import event_of, line_of
from gateway.app import QUESTION, Gateway, ignore
from gateway.endpoints import Endpoint
from gateway.options import Options
from gateway.reader import Reader
from keystore import denials, identities
from keystore.denials import Denial
from keystore.identities import Client, Name, token_name
from keystore.issue import KeyOrder
from keystore.keys import Kind
from keystore.unregistered import name_of_secret
from tests.gateway.issuer import ISS, certificate, der, local_issuer, pem, rsa_key
from tests.gateway.test_app import ask, echo, scope_of, with_key
from vocabulary.errors import ConfigError

BY = {"actor": "test", "reason": ""}
CERT = certificate(name="robot", spiffe="spiffe://prod/robot")
CERT_HEADER = (b"client-cert", b":" + b64encode(der(CERT)) + b":")
PROXY = {"client": "10.0.0.1"}


@pytest.fixture(scope="module")
def ours():
    with local_issuer() as local:
        yield local


def register(place, kind, text, **order):
    with transaction(place.store.engine) as connection:
        return identities.register(
            connection, Name(kind, text), KeyOrder(**order), **BY, now=place.store.clock()
        )


def bearer(token):
    return b"authorization", b"Bearer " + token.encode()


def conversation(place, ours, talk, sink=ignore, inner=echo, **more):
    options = Options(
        **{
            "issuers": (ours.issuer(),),
            "certificate_header": "client-cert",
            "trusted_proxies": ("10.0.0.0/8",),
            **more,
        }
    )

    async def go():
        app = Gateway(inner, Reader(place.store.engine), options, sink=sink)

        async def asked(*headers, body=b"", **scope):
            start, body = await ask(app, scope_of(*headers, **scope), body)
            document = json.loads(body["body"])
            return start["status"], document.get("error", {}).get("code", ""), document

        try:
            await talk(asked)
        finally:
            await app.close()

    asyncio.run(go())


def test_a_token_speaks_for_an_identity_that_the_store_knows(place, ours):
    key = register(place, Kind.TOKEN, token_name(ISS, "alice"))

    async def talk(asked):
        status, _, seen = await asked(bearer(ours.token()))
        assert (status, dict(seen["headers"])["x-api-key-id"]) == (200, key.id)
        assert (await asked(bearer(ours.token(sub="bob"))))[:2] == (401, "identity_not_found")
        assert (await asked(bearer(ours.token(rsa_key()))))[:2] == (401, "token_invalid")
        place.store.revoke(key.id, actor="test")
        async with asyncio.timeout(20):
            while (await asked(bearer(ours.token())))[1] != "api_key_revoked":  # noqa: ASYNC110
                await asyncio.sleep(0.001)

    conversation(place, ours, talk)


def test_a_token_of_a_revoked_client_is_refused_whoever_it_speaks_for(place, ours):
    register(place, Kind.TOKEN, token_name(ISS, "alice"))
    with transaction(place.store.engine) as connection:
        now = place.store.clock()
        client = identities.register_client(connection, Client("app"), KeyOrder(), **BY, now=now)

    async def talk(asked):
        assert (await asked(bearer(ours.token(client_id="app"))))[0] == 200
        place.store.revoke(client.key.id, actor="test")
        async with asyncio.timeout(20):
            while (await asked(bearer(ours.token(client_id="app"))))[0] != 401:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert (await asked(bearer(ours.token())))[0] == 200

    conversation(place, ours, talk)


def test_a_client_is_its_issuers_alone(place, ours, caplog):
    partner = "https://partner.example"
    two = (ours.issuer(), ours.issuer(name="partner", issuer=partner))

    def client(client_id, issuer=""):
        with transaction(place.store.engine) as connection:
            wanted = Client(client_id, issuer=issuer)
            now = place.store.clock()
            return identities.register_client(connection, wanted, KeyOrder(), **BY, now=now).key

    bound, unbound = client("app", ISS), client("old")

    def token(client_id, iss=ISS):
        return bearer(ours.token(iss=iss, sub="nobody", client_id=client_id))

    async def talk(asked):
        status, _, seen = await asked(token("app"))
        assert (status, dict(seen["headers"])["x-api-key-id"]) == (200, bound.id)
        refused = (401, "identity_not_found")
        assert (await asked(token("app", partner)))[:2] == refused
        assert (await asked(token(f"{ISS} app", partner)))[:2] == refused
        for iss in (ISS, partner):
            assert (await asked(token("old", iss)))[:2] == (401, "client_unbound")

    conversation(place, ours, talk, issuers=two)
    assert [unbound.id in line for line in caplog.messages if "add-client" in line] == [True]

    async def alone(asked):
        assert (await asked(token("old")))[0] == (await asked(token("app")))[0] == 200
        assert (await asked(token(f"{partner} app")))[0] == 401

    conversation(place, ours, alone)


def test_unregistered_tokens_are_let_in_where_that_is_configured_and_denials_hold(place, ours):
    async def talk(asked):
        status, _, seen = await asked(bearer(ours.token(jti="j1")))
        assert status == 200
        assert dict(seen["headers"])["x-api-key-id"].startswith("token:")
        with transaction(place.store.engine) as connection:
            denial = Denial(kind="jti", value="j1", issuer=ISS)
            denials.deny(connection, denial, **BY, now=place.store.clock())
        async with asyncio.timeout(20):
            while (await asked(bearer(ours.token(jti="j1"))))[1] != "token_revoked":  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert (await asked(bearer(ours.token(jti="j2"))))[0] == 200

    conversation(place, ours, talk, unregistered=True)


def test_a_key_that_requires_papers_opens_nothing_without_them(place, ours):
    register(place, Kind.TOKEN, token_name(ISS, "alice"))
    register(place, Kind.CERTIFICATE, "spiffe://prod/robot")
    for_token, for_cert, for_both = (
        with_key(place.issue(requires=needs).secret)
        for needs in (("token",), ("certificate",), ("token", "certificate"))
    )
    token = bearer(ours.token())

    async def talk(asked):
        assert (await asked(for_token))[:2] == (401, "token_required")
        assert (await asked(for_token, token))[0] == 200
        assert (await asked(for_token, bearer(ours.token(rsa_key()))))[:2] == (401, "token_invalid")
        assert (await asked(for_cert, **PROXY))[:2] == (401, "certificate_required")
        assert (await asked(for_cert, CERT_HEADER, **PROXY))[0] == 200
        assert (await asked(for_both, token, **PROXY))[:2] == (401, "certificate_required")
        assert (await asked(for_both, token, CERT_HEADER, **PROXY))[0] == 200

    conversation(place, ours, talk)


def test_a_bad_token_beside_a_good_key_is_refused(place, ours):
    key = with_key(place.issue().secret)

    async def talk(asked):
        assert (await asked(key))[0] == 200
        forged = bearer(ours.token(rsa_key()))
        assert (await asked(key, forged))[:2] == (401, "token_invalid")
        two = (bearer(ours.token(jti="a")), bearer(ours.token(jti="b")))
        assert (await asked(key, *two))[:2] == (401, "ambiguous_credentials")

    conversation(place, ours, talk, unregistered=True)


def test_the_log_calls_a_refused_token_by_its_hash_and_never_by_what_it_claims(place, ours):
    key = register(place, Kind.TOKEN, token_name(ISS, "alice"))
    old = {"iat": 1_000_000_000, "exp": 1_000_000_900}
    tokens = [ours.token(), ours.token(rsa_key()), ours.token(**old), ours.token(sub="bob")]
    seen = []

    async def talk(asked):
        for token in tokens:
            await asked(bearer(token))

    conversation(place, ours, talk, sink=seen.append)
    lines = [json.loads(line_of(access)) for access in seen]
    assert [line.get("refusal", "") for line in lines] == [
        "", "token_invalid", "token_expired", "identity_not_found",
    ]  # fmt: skip
    assert [line["api_key_id"] for line in lines] == [key.id, "", "", ""]
    assert [line.get("credential", "") for line in lines] == [
        "", *(name_of_secret(token.encode()) for token in tokens[1:]),
    ]  # fmt: skip
    told = b"".join(line_of(access) + event_of(access) for access in seen)
    assert b"alice" not in told
    assert b"bob" not in told


def test_a_certificate_is_believed_from_a_trusted_proxy_alone(place, ours):
    key = register(place, Kind.CERTIFICATE, "spiffe://prod/robot")

    async def talk(asked):
        status, _, seen = await asked(CERT_HEADER, **PROXY)
        assert (status, dict(seen["headers"])["x-api-key-id"]) == (200, key.id)
        assert (await asked(CERT_HEADER))[:2] == (401, "missing_api_key")
        good = with_key(place.issue().secret)
        status, _, seen = await asked(good, CERT_HEADER)
        assert status == 200
        assert "client-cert" not in dict(seen["headers"])
        other = (b"client-cert", b":" + b64encode(der(certificate(name="else"))) + b":")
        assert (await asked(other, **PROXY))[:2] == (401, "identity_not_found")

    conversation(place, ours, talk)


FORGED = {
    "x-ssl-client-cert": [(b"x-ssl-client-cert", quote(pem(CERT)).encode()),
                          (b"x-ssl-client-verify", b"SUCCESS")],
    "x-forwarded-client-cert": [
        (b"x-forwarded-client-cert", f'Cert="{quote(pem(CERT))}"'.encode())
    ],
    "client-cert": [CERT_HEADER],
}  # fmt: skip


@pytest.mark.parametrize("header", FORGED)
def test_a_proxy_is_believed_in_the_one_header_that_it_sets(place, ours, header):
    register(place, Kind.CERTIFICATE, "spiffe://prod/robot")
    key = with_key(place.issue().secret)
    by_hash = (b"x-forwarded-client-cert", b"Hash=" + b"a" * 64 + b";URI=spiffe://prod/robot")

    async def talk(asked):
        assert (await asked(*FORGED[header], **PROXY))[0] == 200
        for other in FORGED.keys() - {header}:
            assert (await asked(*FORGED[other], **PROXY))[:2] == (401, "missing_api_key")
            # nor can the client spoil what the proxy tells
            status, _, seen = await asked(*FORGED[other], *FORGED[header], **PROXY)
            assert status == 200
            assert not {name.decode() for name, _ in FORGED[other]} & dict(seen["headers"]).keys()
            assert (await asked(key, *FORGED[other], **PROXY))[0] == 200
        wanted = header == "x-forwarded-client-cert" and "certificate_not_shown"
        assert (await asked(by_hash, **PROXY))[:2] == (401, wanted or "missing_api_key")

    conversation(place, ours, talk, certificate_header=header)


def test_a_hash_stands_for_a_certificate_where_that_is_said(place, ours):
    key = register(place, Kind.CERTIFICATE, "spiffe://prod/robot")
    told = (b"x-forwarded-client-cert", b"Hash=" + b"a" * 64 + b";URI=spiffe://prod/robot")

    async def talk(asked):
        status, _, seen = await asked(told, **PROXY)
        assert (status, dict(seen["headers"])["x-api-key-id"]) == (200, key.id)

    header = "x-forwarded-client-cert"
    conversation(place, ours, talk, certificate_header=header, certificate_hash_suffices=True)


def test_a_header_that_nobody_can_read_is_refused():
    with pytest.raises(ConfigError, match="certificate_header"):
        Options(certificate_header="x-client")


@pytest.mark.parametrize(
    ("order", "code"),
    [
        ({"networks": ("192.0.2.99/32",)}, "ip_not_allowed"),
        ({"endpoints": ("GET /only",)}, "endpoint_not_allowed"),
        ({"requires": ("certificate",)}, "certificate_required"),
        ({"models": ("small-*",)}, "model_not_allowed"),
        ({"limits": ("0/h",)}, "rate_limit_exceeded"),
    ],
)
def test_what_holds_a_token_back_holds_with_a_key_beside_it(place, ours, order, code):
    register(place, Kind.TOKEN, token_name(ISS, "alice"), **order)
    key, token = with_key(place.issue().secret), bearer(ours.token())

    async def talk(asked):
        asks = {"method": "POST", "body": b'{"model":"large"}'}
        assert (await asked(token, **asks))[1] == code
        assert (await asked(key, token, **asks))[1] == code
        assert (await asked(key, **asks))[0] == 200
        if "models" in order:
            assert (await asked(key, token, method="POST", body=b'{"model":"small-1"}'))[0] == 200
            # a proxy that asks shows no body
            assert (await asked(key, token, **{QUESTION: True}))[1] == "model_unknown"

    conversation(place, ours, talk)


def test_a_throttled_token_is_no_quicker_with_keys_beside_it(place, ours):
    throttled = register(place, Kind.TOKEN, token_name(ISS, "alice"))
    place.store.throttle(throttled.id, per_min=1, actor="test")
    keys = [place.issue() for _ in range(3)]

    async def talk(asked):
        token = bearer(ours.token())
        status, _, seen = await asked(with_key(keys[0].secret), token)
        # the key speaks, and the token pays as well
        assert (status, dict(seen["headers"])["x-api-key-id"]) == (200, keys[0].key.id)
        for one in keys:
            assert (await asked(with_key(one.secret), token))[0] == 429
        assert (await asked(token))[0] == 429

    conversation(place, ours, talk)


def test_everybody_whom_a_token_and_a_certificate_name_is_held_to_their_own(place, ours):
    register(place, Kind.TOKEN, token_name(ISS, "alice"))
    app = Client("app")
    with transaction(place.store.engine) as connection:
        now = place.store.clock()
        client = identities.register_client(connection, app, KeyOrder(), **BY, now=now).key
    exact = register(place, Kind.CERTIFICATE, "spiffe://prod/robot")
    common = register(place, Kind.CERTIFICATE, "cn:robot")
    token, with_client = bearer(ours.token()), bearer(ours.token(client_id="app"))
    for one in (client, exact, common):
        place.store.throttle(one.id, per_min=1, actor="test")

    async def talk(asked):
        assert (await asked(with_client))[0] == 200
        assert (await asked(with_client))[0] == 429
        assert (await asked(token))[0] == 200
        assert (await asked(token, CERT_HEADER, **PROXY))[0] == 200
        assert (await asked(token, CERT_HEADER, **PROXY))[0] == 429
        place.store.unthrottle(exact.id, actor="test")
        assert (await asked(CERT_HEADER, **PROXY))[0] == 429

    conversation(place, ours, talk)


def test_a_pace_holds_with_a_key_beside_it(place, ours):
    key, token = with_key(place.issue().secret), bearer(ours.token())

    async def talk(asked):
        _, _, seen = await asked(token)
        name = dict(seen["headers"])["x-api-key-id"]
        with transaction(place.store.engine) as connection:
            pace = Denial(kind="pace", value=name, per_min=1)
            denials.deny(connection, pace, **BY, now=place.store.clock())
        async with asyncio.timeout(20):
            while (await asked(key, token))[0] != 429:  # noqa: ASYNC110
                await asyncio.sleep(0.001)
        assert (await asked(key))[0] == 200

    conversation(place, ours, talk, unregistered=True)


def test_an_answer_is_paid_from_every_budget(place, ours):
    register(place, Kind.TOKEN, token_name(ISS, "alice"), tokens_per_day=100)
    key, token = with_key(place.issue().secret), bearer(ours.token())

    async def costly(scope, receive, send):
        await send({"type": "http.response.start", "status": 200, "headers": [(b"x-cost", b"99")]})
        await send({"type": "http.response.body", "body": b"{}"})

    async def talk(asked):
        assert (await asked(key, token))[0] == 200
        assert (await asked(key, token))[0] == 200
        assert (await asked(key, token))[0] == 429
        assert (await asked(token))[0] == 429
        assert (await asked(key))[0] == 200

    conversation(place, ours, talk, inner=costly, tokens_header="X-Cost")


def test_an_endpoints_scopes_are_the_tokens_and_none_that_its_identity_lacks(place, ours):
    register(place, Kind.TOKEN, token_name(ISS, "alice"), scopes=("read",))
    register(place, Kind.TOKEN, token_name(ISS, "free"))
    rules = (Endpoint("/r", scopes=("read",)), Endpoint("/w", scopes=("write",)))

    async def talk(asked):
        for subject, scope, path, wanted in [
            ("alice", "read write", b"/r", 200),
            ("alice", "read write", b"/w", 403),
            ("alice", None, b"/r", 403),
            ("free", "write", b"/w", 200),
            ("free", "write", b"/r", 403),
        ]:
            token = ours.token(sub=subject, scope=scope)
            assert (await asked(bearer(token), raw_path=path))[0] == wanted

    conversation(place, ours, talk, endpoints=rules)


def test_tokens_are_the_applications_own_affair_where_no_issuer_is_configured(place, ours):
    key = with_key(place.issue().secret)

    async def go():
        app = Gateway(echo, Reader(place.store.engine))
        sent = await ask(app, scope_of(key, bearer(ours.token(rsa_key()))))
        alone = await ask(app, scope_of(bearer(ours.token())))
        await app.close()
        return sent[0]["status"], alone[0]["status"]

    assert asyncio.run(go()) == (200, 401)


def test_who_comes_while_the_issuers_keys_are_fetched_waits_for_them(place, ours):
    async def talk(asked):
        answers = await asyncio.gather(*(asked(bearer(ours.token())) for _ in range(20)))
        assert [answer[0] for answer in answers] == [200] * 20

    before = ours.fetches
    conversation(place, ours, talk, unregistered=True)
    assert ours.fetches == before + 1


@pytest.mark.parametrize(("days", "status"), [(0, 200), (91, 200), (90, 401)])
def test_a_certificate_that_lives_longer_than_any_may_is_refused(place, ours, days, status):
    register(place, Kind.CERTIFICATE, "cn:robot")

    async def talk(asked):
        found = await asked(CERT_HEADER, **PROXY)
        code = "certificate_lives_too_long" if status == 401 else ""
        assert found[:2] == (status, code)

    conversation(place, ours, talk, certificate_max_life_s=days * 86_400.0)


def test_a_certificate_whose_life_nobody_knows_is_refused_where_that_matters(place, ours):
    register(place, Kind.CERTIFICATE, f"sha256:{'ab' * 32}")
    shown = (b"x-forwarded-client-cert", b"Hash=" + b"ab" * 32)

    async def talk(asked):
        assert (await asked(shown, **PROXY))[:2] == (401, "certificate_not_shown")

    believed = {"certificate_header": "x-forwarded-client-cert", "certificate_hash_suffices": True}
    conversation(place, ours, talk, certificate_max_life_s=1e7, **believed)
