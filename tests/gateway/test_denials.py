"""From an alert about a token's subject or a certificate to the gateway's refusal, and back."""

import asyncio
import time
from base64 import b64encode

import pytest
from click.testing import CliRunner

from actions.decide import ALL
from actions.executor import Executor
from actions.policy import parse
from actions.respond import respond
from database.transaction import transaction
from keystore.denials import Denial
from keystore.identities import token_name
from keystore.keys import Kind
from keywatch.cli import keywatch
from tests.actions.desk import alert_about
from tests.gateway.issuer import ISS, certificate, der, local_issuer
from tests.gateway.test_papers import PROXY, bearer, conversation, register

POLICY = parse(
    '[[case]]\nseverity = ["critical"]\naction = "revoke"\n'
    '[[case]]\naction = "reissue"\nduration = "7d"\n',
    "p.toml",
)
ROBOT = "spiffe://prod/robot"


@pytest.fixture(scope="module")
def ours():
    with local_issuer() as local:
        yield local


def shown(begun):
    """Return the header of a certificate that is good since so many days."""
    one = certificate(name="robot", spiffe=ROBOT, begun=begun)
    return b"client-cert", b":" + b64encode(der(one)) + b":"


def answered(place, key, severity):
    """Answer an alert about an identity, some seconds ago, and carry out what was decided."""
    now = time.time() - 5.0
    alert = alert_about(key.id, number=severity, severity=severity)
    with transaction(place.store.engine) as connection:
        respond(connection, alert, key.known(now), POLICY, ALL, now)
    assert Executor(place.store.engine, clock=lambda: now).run_effects() == 1


def undone(place):
    words = ["--database", place.url, "actions", "undo", "--since", "1h"]
    assert CliRunner().invoke(keywatch, words).exit_code == 0


def denied(place):
    return place.store.denials.list()


async def becomes(asked, wanted, *headers):
    async with asyncio.timeout(20):
        while (await asked(*headers, **PROXY))[:2] != wanted:  # noqa: ASYNC110
            await asyncio.sleep(0.001)


@pytest.mark.parametrize("kind", [Kind.TOKEN, Kind.CERTIFICATE])
def test_an_identity_that_was_stolen_is_refused_and_let_in_again_by_the_undo(place, ours, kind):
    name = token_name(ISS, "alice") if kind == Kind.TOKEN else ROBOT
    key = register(place, kind, name)
    header = bearer(ours.token()) if kind == Kind.TOKEN else shown(1)

    async def talk(asked):
        assert (await asked(header, **PROXY))[0] == 200
        answered(place, key, "critical")
        await becomes(asked, (401, "api_key_revoked"), header)
        undone(place)
        await becomes(asked, (200, ""), header)

    conversation(place, ours, talk)


@pytest.mark.parametrize("kind", [Kind.TOKEN, Kind.CERTIFICATE])
def test_a_reissue_refuses_what_was_issued_before_and_takes_what_is_issued_after(place, ours, kind):
    if kind == Kind.TOKEN:
        key = register(place, kind, token_name(ISS, "alice"))
        old, code = bearer(ours.token(iat=time.time() - 60)), "token_revoked"
        other = bearer(ours.token(sub="bob", iat=time.time() - 60))
        register(place, kind, token_name(ISS, "bob"))
    else:
        key = register(place, kind, ROBOT)
        old, code = shown(1), "certificate_revoked"
        other = b"client-cert", b":" + b64encode(der(certificate(name="else"))) + b":"
        register(place, kind, "cn:else")

    async def talk(asked):
        assert (await asked(old, **PROXY))[0] == 200
        answered(place, key, "high")
        await becomes(asked, (401, code), old)
        new = bearer(ours.token()) if kind == Kind.TOKEN else shown(0)
        assert (await asked(new, **PROXY))[:2] == (200, "")
        assert (await asked(other, **PROXY))[0] == 200
        undone(place)
        await becomes(asked, (200, ""), old)

    conversation(place, ours, talk)
    assert denied(place) == []


@pytest.mark.parametrize(
    ("before", "since", "left"), [(1000.0, 1000.0, 1000.0), (1000.0, None, None)]
)
def test_what_a_person_denies_outlives_the_undo(place, before, since, left):
    key = register(place, Kind.TOKEN, token_name(ISS, "alice"))

    def deny(issued_before):
        one = Denial(kind="subject", issuer=ISS, value="alice", issued_before=issued_before)
        place.store.denials.deny(one, actor="ann")

    deny(before)
    answered(place, key, "high")
    deny(since)
    undone(place)
    assert [one.issued_before for one in denied(place)] == [left]
