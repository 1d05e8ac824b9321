"""Acting on what no key store knows: leaked secrets, and who is let in without being registered."""

import time
from base64 import b64encode
from hashlib import sha256

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from actions.decide import ALL
from actions.executor import Executor
from actions.policy import load, parse
from actions.respond import respond
from database.transaction import transaction
from gateway.spellings import ORDERS, spellings
from keystore.denials import Denial
from tests.actions.desk import alert_about
from tests.gateway.issuer import certificate, der, local_issuer
from tests.gateway.test_app import with_key
from tests.gateway.test_denials import becomes, undone
from tests.gateway.test_papers import PROXY, bearer, conversation

CERTIFICATE = (b"client-cert", b":" + b64encode(der(certificate(name="robot"))) + b":")


DURATION = 'duration = "7d"\n'
MORE = {"throttle": "rate_per_min = 6\n", "reissue": DURATION, "rotate": DURATION}


def policy_of(action, *, of_unknown=False):
    more = MORE.get(action, "")
    case = f'[[case]]\naction = "{action}"\n{more}' + ("known = false\n" if of_unknown else "")
    return parse(case, "p.toml")


@pytest.fixture(scope="module")
def ours():
    with local_issuer() as local:
        yield local


def answered(place, subject, policy):
    """Answer an alert about a subject that no key store knows; return how many effects it had."""
    now = time.time()
    alert = alert_about(subject, number=f"{subject}-{policy.digest}")
    with transaction(place.store.engine) as connection:
        respond(connection, alert, None, policy, ALL, now)
    return Executor(place.store.engine, clock=lambda: now).run_effects()


def name_of(seen):
    return dict(seen["headers"])["x-api-key-id"]


@pytest.mark.parametrize(
    ("action", "wanted"),
    [
        ("revoke", (401, "token_revoked")),
        ("suspend", (401, "token_revoked")),
        ("reissue", (401, "token_revoked")),
        ("throttle", (429, "rate_limit_exceeded")),
    ],
)
def test_whoever_a_token_lets_in_unregistered_is_acted_upon_and_let_in_again(
    place, ours, action, wanted
):
    token, other = bearer(ours.token(iat=time.time() - 60)), bearer(ours.token(sub="bob"))

    async def talk(asked):
        name = name_of((await asked(token))[2])
        assert answered(place, name, policy_of(action)) == 1
        await becomes(asked, wanted, token)
        assert (await asked(other))[0] == 200
        if action == "reissue":
            newer = bearer(ours.token(iat=time.time() + 1))
            assert (await asked(newer))[0] == 200
        undone(place)
        await becomes(asked, (200, ""), token)

    conversation(place, ours, talk, unregistered=True)
    assert place.store.denials.list() == []


def test_an_unregistered_certificate_is_acted_upon(place, ours):
    async def talk(asked):
        name = name_of((await asked(CERTIFICATE, **PROXY))[2])
        assert name.startswith("certificate:")
        assert answered(place, name, policy_of("revoke")) == 1
        await becomes(asked, (401, "certificate_revoked"), CERTIFICATE)
        undone(place)
        await becomes(asked, (200, ""), CERTIFICATE)

    conversation(place, ours, talk, unregistered=True)


def test_a_leaked_token_is_refused_by_its_hash_and_no_other_of_its_subject(place, ours):
    leaked, other = ours.token(jti="leaked"), ours.token(jti="other")
    name = f"credential:{sha256(leaked.encode()).hexdigest()[:16]}"

    async def talk(asked):
        assert (await asked(bearer(leaked)))[0] == 200
        assert answered(place, name, policy_of("revoke", of_unknown=True)) == 1
        await becomes(asked, (401, "token_revoked"), bearer(leaked))
        assert (await asked(bearer(other)))[0] == 200
        undone(place)
        await becomes(asked, (200, ""), bearer(leaked))

    conversation(place, ours, talk, unregistered=True)


@pytest.mark.parametrize("spell", ["padded", "a letter more", "unused bits", "its twin"])
def test_a_leaked_token_is_refused_however_its_signature_is_written(place, spell):
    with local_issuer() as ours:
        ours.key = ec.generate_private_key(ec.SECP256R1())
        leaked = ours.token(algorithm="ES256")
        name = f"credential:{sha256(leaked.encode()).hexdigest()[:16]}"
        letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
        other = {
            "padded": leaked + "==",
            "a letter more": leaked + "~",
            "unused bits": leaked[:-1] + letters[letters.index(leaked[-1]) ^ 1],
            "its twin": spellings(leaked.encode())[-1].decode(),
        }[spell]
        assert other != leaked

        async def talk(asked):
            assert (await asked(bearer(leaked)))[0] == 200
            assert answered(place, name, policy_of("revoke", of_unknown=True)) == 1
            await becomes(asked, (401, "token_revoked"), bearer(leaked))
            assert (await asked(bearer(other)))[0] == 401
            undone(place)
            await becomes(asked, (200, ""), bearer(leaked))
            if spell == "its twin":
                assert (await asked(bearer(other)))[0] == 200

        issuers = (ours.issuer(algorithms=("ES256",)),)
        conversation(place, ours, talk, unregistered=True, issuers=issuers)


@pytest.mark.parametrize(
    "curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda one: one.name
)
def test_the_orders_of_the_curves_are_those_of_the_standard(curve):
    assert ORDERS[2 * -(-curve.key_size // 8)] == curve.group_order


def test_a_secret_on_the_deny_list_opens_nothing_whoever_s_key_it_is(place, ours):
    issued, other = place.issue(), place.issue()
    secret = with_key(issued.secret)
    denial = Denial(kind="credential", value=sha256(issued.secret.encode()).hexdigest())

    async def talk(asked):
        assert (await asked(secret))[0] == 200
        made = place.store.denials.deny(denial, actor="ann", reason="it stood in a paste")
        await becomes(asked, (401, "credential_denied"), secret)
        assert (await asked(with_key(other.secret)))[0] == 200
        assert (await asked(with_key("never-seen-" * 3)))[:2] == (401, "api_key_not_found")
        place.store.revoke(issued.key.id, actor="ann")
        await becomes(asked, (401, "api_key_revoked"), secret)
        place.store.restore(issued.key.id, actor="ann")
        await becomes(asked, (401, "credential_denied"), secret)
        place.store.denials.allow(made.id, actor="ann")
        await becomes(asked, (200, ""), secret)

    conversation(place, ours, talk)


def test_a_denied_secret_that_is_looked_up_for_the_first_time_is_refused(place, ours):
    issued = place.issue()
    denial = Denial(kind="credential", value=sha256(issued.secret.encode()).hexdigest())
    place.store.denials.deny(denial, actor="ann")

    async def talk(asked):
        assert (await asked(with_key(issued.secret)))[:2] == (401, "credential_denied")

    conversation(place, ours, talk)


@pytest.mark.parametrize("action", ["throttle", "rotate", "revoke"])
def test_a_secret_of_nobody_s_is_acted_upon_by_a_case_that_says_so_alone(place, action):
    subject = "credential:0123456789abcdef"
    assert answered(place, subject, policy_of(action)) == 0
    unsuited = policy_of(action, of_unknown=True)
    assert answered(place, subject, load()) == 0
    if action != "revoke":
        assert answered(place, subject, unsuited) == 0
    assert place.store.denials.list() == []


def test_what_a_person_denied_outlives_the_undo_of_what_the_policy_did(place):
    subject = "token:0123456789abcdef"
    before = Denial(kind="pace", value=subject, per_min=600)
    place.store.denials.deny(before, actor="ann")
    assert answered(place, subject, policy_of("throttle")) == 1
    assert [one.per_min for one in place.store.denials.list()] == [6]
    undone(place)
    assert [one.per_min for one in place.store.denials.list()] == [600]


def test_a_protected_name_is_left_alone(place):
    subject = "token:0123456789abcdef"
    policy = parse(f'[guards]\nprotected = ["{subject}"]\n[[case]]\naction = "revoke"\n', "p.toml")
    assert answered(place, subject, policy) == 0
