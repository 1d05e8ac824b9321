"""Which tokens are believed: every known way to forge one is tried."""

import base64
import hmac
import json
import time

import jwt
import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from hypothesis import given
from hypothesis import strategies as st

from gateway.tokens import TokenError, Tokens
from keystore.denials import Denial, DenyList
from keystore.jwks import Jwks
from keystore.web import Site
from tests.gateway.issuer import AUD, ISS, jwk_of, local_issuer, rsa_key
from vocabulary.errors import ConfigError

NOBODY = DenyList()


@pytest.fixture(scope="module")
def ours():
    with local_issuer() as local:
        yield local


@pytest.fixture
def tokens(ours):
    return Tokens([ours.issuer()])


def fetched(tokens, token):
    raw = token.encode()
    fetch = tokens.to_fetch(raw)
    if fetch is not None:
        fetch.keys.key(fetch.kid)
    return raw


def refusal(tokens, token, denied=NOBODY, now=None):
    with pytest.raises(TokenError) as told:
        tokens.verify(fetched(tokens, token), denied, now or time.time())
    assert token not in str(told.value)
    return told.value.code


def b64(document):
    raw = document if isinstance(document, bytes) else json.dumps(document).encode()
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def claims(**more):
    now = time.time()
    return {"iss": ISS, "aud": AUD, "sub": "alice", "iat": now, "exp": now + 600} | more


def test_a_good_token_says_who_it_is(ours, tokens):
    token = ours.token(scope="read write", client_id="app", jti="j1")
    passport = tokens.verify(fetched(tokens, token), NOBODY, time.time())
    assert (passport.issuer, passport.subject, passport.client) == (ISS, "alice", "app")
    assert passport.scopes == ("read", "write")
    assert tokens.verify(token.encode(), NOBODY, time.time()) is passport


@pytest.mark.parametrize(
    "more", [{"scope": "read write"}, {"scp": "read write"}, {"scp": ["read", "write"]}]
)
def test_scopes_are_read_however_they_are_written(ours, tokens, more):
    token = fetched(tokens, ours.token(**more))
    assert tokens.verify(token, NOBODY, time.time()).scopes == ("read", "write")


@pytest.mark.parametrize(
    ("types", "typ", "believed"),
    [
        (None, "JWT", True),
        (None, "at+JWT", True),
        (None, "application/at+jwt", True),
        (None, "", True),
        (None, "dpop+jwt", False),
        (None, "logout+jwt", False),
        (None, 7, False),
        (("at+jwt",), "at+jwt", True),
        (("at+jwt",), "JWT", False),
        (("at+jwt",), "", False),
    ],
)
def test_tokens_of_another_type_are_not_meant_for_us(ours, types, typ, believed):
    tokens = Tokens([ours.issuer(**({"types": types} if types else {}))])
    head = {"alg": "RS256", "kid": "one"} | ({"typ": typ} if typ else {})
    text = f"{b64(head)}.{b64(claims())}"
    signature = ours.key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256())
    token = f"{text}.{b64(signature)}"
    if believed:
        assert tokens.verify(fetched(tokens, token), NOBODY, time.time()).subject == "alice"
    else:
        assert refusal(tokens, token) == "token_invalid"


def test_without_signature_nobody_is_believed(tokens):
    for algorithm in ("none", "None", "NONE", "nOnE", ""):
        unsigned = f"{b64({'alg': algorithm, 'kid': 'one'})}.{b64(claims())}."
        assert refusal(tokens, unsigned) == "token_invalid"


def test_the_public_key_is_no_shared_secret(ours, tokens):
    fetched(tokens, ours.token())
    public = ours.key.public_key().public_bytes(
        serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
    )
    head = f"{b64({'alg': 'HS256', 'kid': 'one', 'typ': 'JWT'})}.{b64(claims())}"
    for secret in (public, public.strip(), json.dumps(jwk_of(ours.key, "one")).encode(), b""):
        forged = f"{head}.{b64(hmac.digest(secret, head.encode(), 'sha256'))}"
        assert refusal(tokens, forged) == "token_invalid"


def test_an_algorithm_that_the_issuer_does_not_use_is_refused(ours, tokens):
    for algorithm in ("RS384", "RS512", "PS256"):
        assert refusal(tokens, ours.token(algorithm=algorithm)) == "token_invalid"


def test_a_key_that_the_token_brings_along_is_not_used(ours, tokens):
    forger = rsa_key()
    brought = jwk_of(forger, "one")
    for header in ({"jwk": brought}, {"jku": "http://127.0.0.1:1/keys"}, {"x5u": "http://x/"}):
        assert refusal(tokens, ours.token(forger, headers=header)) == "token_invalid"


def test_an_extension_that_must_be_understood_is_refused(ours, tokens):
    assert refusal(tokens, ours.token(headers={"crit": ["b64"], "b64": False})) == "token_invalid"


@pytest.mark.parametrize(
    ("more", "code"),
    [
        ({"aud": "https://other.example"}, "token_invalid"),
        ({"aud": None}, "token_invalid"),
        ({"aud": ["https://other.example"]}, "token_invalid"),
        ({"iss": "https://other.example"}, "token_invalid"),
        ({"iss": ISS + "/"}, "token_invalid"),
        ({"iss": None}, "token_invalid"),
        ({"sub": None}, "token_invalid"),
        ({"exp": None}, "token_invalid"),
    ],
)
def test_what_is_not_for_us_is_refused(ours, tokens, more, code):
    assert refusal(tokens, ours.token(**more)) == code


def test_one_of_several_audiences_is_enough(ours, tokens):
    token = ours.token(aud=["https://other.example", AUD])
    assert tokens.verify(fetched(tokens, token), NOBODY, time.time()).subject == "alice"


@pytest.mark.parametrize(
    ("skew", "code"),
    [(-100, "token_expired"), (-31, "token_expired"), (-29, ""), (29, ""), (100, "not")],
)
def test_clocks_may_differ_by_the_leeway_alone(ours, tokens, skew, code):
    now = time.time()
    if skew < 0:
        token = ours.token(iat=now - 600, exp=now + skew)
    else:
        token, code = ours.token(iat=now + skew, exp=now + 600), code and "token_not_yet_valid"
        assert ours.token(nbf=now + skew)
    if code:
        assert refusal(tokens, token, now=now) == code
    else:
        assert tokens.verify(fetched(tokens, token), NOBODY, now)


def test_a_token_that_is_held_ends_all_the_same(ours, tokens):
    now = time.time()
    token = ours.token(iat=now, exp=now + 60)
    tokens.verify(fetched(tokens, token), NOBODY, now)
    assert refusal(tokens, token, now=now + 91) == "token_expired"


@pytest.mark.parametrize("issued", [0, None])
def test_a_token_that_lives_too_long_is_refused(ours, tokens, issued):
    now = time.time()
    token = ours.token(iat=None if issued is None else now, exp=now + 3600 + 60)
    assert refusal(tokens, token) == "token_lives_too_long"


def test_a_token_without_iat_lives_from_its_nbf(ours, tokens):
    now = time.time()
    token = ours.token(iat=None, nbf=now - 86_400, exp=now + 60)
    assert refusal(tokens, token) == "token_lives_too_long"


@pytest.mark.parametrize(
    ("said", "is_of_client"),
    [
        ({"sub": "app", "client_id": "app"}, True),
        ({"sub": None, "client_id": "app"}, True),
        ({"sub": "app", "azp": "app"}, True),
        ({"sub": "alice", "client_id": "app"}, False),
        ({"sub": "alice"}, False),
    ],
)
def test_tokens_of_a_client_alone_have_a_longest_life_of_their_own(ours, said, is_of_client):
    tokens, now = Tokens([ours.issuer(client_max_life_s=600)]), time.time()
    assert tokens.verify(fetched(tokens, ours.token(iat=now, exp=now + 600, **said)), NOBODY, now)
    longer = ours.token(iat=now, exp=now + 900, **said)
    if is_of_client:
        assert refusal(tokens, longer) == "token_lives_too_long"
    else:
        assert tokens.verify(fetched(tokens, longer), NOBODY, now)


@pytest.mark.parametrize("life_s", [59, 86_401, -1])
def test_a_longest_life_that_cannot_be_is_refused(ours, life_s):
    with pytest.raises(ConfigError, match="60 s to a day"):
        ours.issuer(client_max_life_s=life_s)


@pytest.mark.parametrize(
    "more",
    [
        {"exp": "tomorrow"}, {"exp": True}, {"exp": 1e300}, {"iat": [1]}, {"nbf": {}},
        {"sub": 5}, {"sub": ["a"]}, {"sub": "a" * 2000}, {"jti": 1}, {"scope": 5},
        {"scp": [1]}, {"client_id": ["x"]}, {"aud": 5}, {"aud": [5]},
    ],
)  # fmt: skip
def test_claims_of_another_kind_are_refused(ours, tokens, more):
    said = claims(**more)
    token = jwt.api_jws.encode(json.dumps(said).encode(), ours.key, "RS256", headers={"kid": "one"})
    assert refusal(tokens, token) == "token_invalid"


@pytest.mark.parametrize("kid", ["two", "", None, "../../dev/null", "' OR 1=1 --", "x" * 5000])
def test_a_key_id_that_the_issuer_does_not_show_opens_nothing(ours, tokens, kid):
    code = refusal(tokens, ours.token(rsa_key(), headers={"kid": kid}))
    assert code in {"token_invalid", "token_key_unknown"}


@pytest.mark.parametrize(
    "token",
    ["a.b.c", "..", "eyJ.eyJ.", "e" * 20_000, "eyJhbGciOiJSUzI1NiJ9.e30.AAAA", "\x00.\x00.\x00"],
)
def test_what_is_no_token_is_refused(tokens, token):
    assert refusal(tokens, token) == "token_invalid"


def test_a_huge_token_is_refused_unread(ours, tokens):
    assert refusal(tokens, ours.token(filler="a" * 20_000)) == "token_invalid"


def test_a_header_nested_without_end_is_refused(tokens):
    nested = b'{"alg":"RS256","x":' + b"[" * 6000 + b"]" * 6000 + b"}"
    assert refusal(tokens, f"{b64(nested)}.{b64(claims())}.AAAA") == "token_invalid"


@given(st.integers(0, 10**6), st.integers(1, 255))
def test_no_bit_of_a_good_token_can_be_changed(ours_token, place, flip):
    tokens, token = ours_token
    raw = bytearray(token)
    raw[place % len(raw)] ^= flip
    head, _, tail = bytes(raw).rpartition(b".")
    good_head, _, good_tail = token.rpartition(b".")

    def signature(text):
        return base64.urlsafe_b64decode(text + b"=" * (-len(text) % 4))

    try:
        same = head == good_head and signature(tail) == signature(good_tail)
    except ValueError:
        same = False
    if not same:
        with pytest.raises(TokenError):
            tokens.verify(bytes(raw), NOBODY, time.time())


@pytest.fixture(scope="module")
def ours_token(ours):
    tokens = Tokens([ours.issuer()])
    return tokens, fetched(tokens, ours.token())


@pytest.mark.parametrize(
    ("algorithm", "key"),
    [
        ("ES256", ec.generate_private_key(ec.SECP256R1())),
        ("ES384", ec.generate_private_key(ec.SECP384R1())),
        ("EdDSA", ed25519.Ed25519PrivateKey.generate()),
        ("PS256", rsa_key()),
    ],
)
def test_other_algorithms_where_the_issuer_names_them(algorithm, key):
    with local_issuer() as local:
        local.key = key
        tokens = Tokens([local.issuer(algorithms=(algorithm,))])
        token = local.token(algorithm=algorithm)
        assert tokens.verify(fetched(tokens, token), NOBODY, time.time()).subject == "alice"


def test_a_key_of_another_curve_or_use_is_not_taken():
    with local_issuer() as local:
        local.key = ec.generate_private_key(ec.SECP256R1())
        for more in ({"alg": "ES384"}, {"use": "enc"}, {"crv": "P-384"}):
            local.shown = [jwk_of(local.key, "one", **more)]
            tokens = Tokens([local.issuer(algorithms=("ES256", "ES384"))])
            code = refusal(tokens, local.token(algorithm="ES256"))
            assert code in {"token_invalid", "token_key_unknown"}


def test_keys_turn_and_a_withdrawn_one_is_believed_no_more():
    with local_issuer() as local:
        ticks = [0.0]
        keys = Jwks(Site(f"{local.url}/keys", "test"), lambda: ticks[0])
        tokens = Tokens([local.issuer()], lambda _: keys)
        old = local.token()
        assert tokens.verify(fetched(tokens, old), NOBODY, time.time())
        local.key, local.kid = rsa_key(), "two"
        new = local.token()
        # A key id that is not known may be asked for, but not at once again.
        assert refusal(tokens, new) == "token_key_unknown"
        assert local.fetches == 1
        ticks[0] += 11
        assert tokens.verify(fetched(tokens, new), NOBODY, time.time())
        assert refusal(tokens, old) == "token_key_unknown"


def test_while_the_issuer_is_away_its_keys_serve_until_they_are_stale():
    with local_issuer() as local:
        ticks = [0.0]
        keys = Jwks(Site(f"{local.url}/keys", "test"), lambda: ticks[0])
        tokens = Tokens([local.issuer()], lambda _: keys)
        assert tokens.verify(fetched(tokens, local.token()), NOBODY, time.time())
        local.is_down = True
        ticks[0] += 3000
        assert tokens.verify(fetched(tokens, local.token(jti="b")), NOBODY, time.time())
        ticks[0] += 1000
        assert refusal(tokens, local.token(jti="c")) == "token_key_unknown"


def test_forged_tokens_do_not_become_requests_to_the_issuer():
    with local_issuer() as local:
        tokens = Tokens([local.issuer()])
        for number in range(50):
            refusal(tokens, local.token(headers={"kid": f"made-up-{number}"}))
        assert local.fetches == 1


@pytest.mark.parametrize(
    ("denial", "is_refused"),
    [
        (Denial(kind="jti", value="j1"), True),
        (Denial(kind="jti", value="j2"), False),
        (Denial(kind="jti", value="j1", issuer="https://other.example"), False),
        (Denial(kind="subject", value="alice", issuer=ISS), True),
        (Denial(kind="subject", value="alice", issued_before=1.0), False),
        (Denial(kind="subject", value="alice", issued_before=1e11), True),
        (Denial(kind="issuer", issuer=ISS, issued_before=1e11), True),
        (Denial(kind="issuer", issuer=ISS, until=1.0), False),
    ],
)
def test_deny_lists_hold_for_tokens_that_are_held_too(ours, tokens, denial, is_refused):
    token = ours.token(jti="j1")
    tokens.verify(fetched(tokens, token), NOBODY, time.time())
    denied = DenyList([denial])
    if is_refused:
        assert refusal(tokens, token, denied) == "token_revoked"
    else:
        assert tokens.verify(token.encode(), denied, time.time())


def test_a_shared_secret_serves_where_the_issuer_has_one():
    with local_issuer() as local:
        secret = "s" * 40
        tokens = Tokens([local.issuer(algorithms=("HS256",), shared_secret=secret, jwks_url="")])
        good = local.token(secret, "HS256")
        assert tokens.verify(good.encode(), NOBODY, time.time()).subject == "alice"
        assert refusal(tokens, local.token("t" * 40, "HS256")) == "token_invalid"
        assert refusal(tokens, local.token()) == "token_invalid"


def signed(header, payload, key):
    text = f"{b64(header)}.{b64(payload)}"
    return f"{text}.{b64(key.sign(text.encode(), padding.PKCS1v15(), hashes.SHA256()))}"


@pytest.mark.parametrize("bits", [1024, 2040])
def test_a_short_rsa_key_proves_nothing(ours, monkeypatch, bits):
    short = rsa.generate_private_key(public_exponent=65537, key_size=bits)
    monkeypatch.setattr(ours, "shown", [jwk_of(ours.key, "one"), jwk_of(short, "short")])
    tokens = Tokens([ours.issuer()])
    assert tokens.verify(fetched(tokens, ours.token()), NOBODY, time.time()).subject == "alice"
    token = signed({"alg": "RS256", "kid": "short"}, claims(), short)
    assert refusal(tokens, token) == "token_key_unknown"


@pytest.mark.parametrize("claim", ["sub", "jti", "client_id"])
def test_what_is_no_text_names_nobody(ours, tokens, claim):
    token = signed({"alg": "RS256", "kid": "one"}, claims(**{claim: chr(0xD800)}), ours.key)
    assert refusal(tokens, token) == "token_invalid"
