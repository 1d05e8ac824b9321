from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.extract import CERTIFICATE_HEADERS, MAX_KEY_BYTES, extractor, without_secrets

KEY, OTHER = b"some-key", b"another-key"

extract = extractor()
with_query = extractor(["X-My-Token"], query_keys=True)


def basic(user, password=b""):
    return b"Basic " + b64encode(user + b":" + password)


@pytest.mark.parametrize(
    "header",
    [
        (b"authorization", b"Bearer " + KEY),
        (b"authorization", b"bearer   " + KEY),
        (b"authorization", b"Bearer\t" + KEY),
        (b"authorization", b"ApiKey " + KEY),
        (b"authorization", basic(KEY)),
        (b"authorization", basic(KEY, b"x:y")),
        (b"x-api-key", KEY),
        (b"X-API-Key", b" " + KEY + b" "),
    ],
)
def test_takes_the_key_wherever_clients_put_it(header):
    found = extract([(b"host", b"h"), header], b"")
    assert (found.secret, found.fault) == (KEY, "")


def test_takes_configured_headers_and_query_only_where_configured():
    assert with_query([(b"x-my-token", KEY)], b"").secret == KEY
    assert extract([(b"x-my-token", KEY)], b"").fault == "missing_api_key"
    for query in (b"a=1&api_key=some-key", b"apiKey=some%2Dkey", b"%6bey=some-key&b=2"):
        found = with_query([], query)
        assert (found.secret, found.from_query) == (KEY, True)
        assert extract([], query).fault == "missing_api_key"


def test_the_same_key_twice_is_no_contradiction():
    found = with_query([(b"authorization", b"Bearer " + KEY), (b"x-api-key", KEY)], b"key=some-key")
    assert (found.secret, found.from_query) == (KEY, False)


@pytest.mark.parametrize(
    "headers",
    [
        [(b"authorization", b"Bearer " + KEY), (b"x-api-key", OTHER)],
        [(b"authorization", b"Bearer " + KEY), (b"authorization", b"Bearer " + OTHER)],
        [(b"x-api-key", KEY), (b"authorization", b"Bearer\t" + OTHER)],
        [(b"authorization", basic(KEY)), (b"x-api-key", OTHER)],
        [(b"x-api-key", KEY), (b"x-api-key", b"")],
        [(b"x-api-key", KEY), (b"authorization", b"Basic !!!")],
    ],
)
def test_keys_that_differ_are_ambiguous(headers):
    found = extract(headers, b"")
    assert (found.secret, found.fault) == (b"", "ambiguous_credentials")


@pytest.mark.parametrize(
    "header",
    [
        (b"x-api-key", b""),
        (b"x-api-key", b"a b"),
        (b"x-api-key", b"a\x00b"),
        (b"x-api-key", b"caf\xc3\xa9"),
        (b"x-api-key", b"\xff\xfe"),
        (b"x-api-key", b"k" * (MAX_KEY_BYTES + 1)),
        (b"authorization", b"Bearer"),
        (b"authorization", b"Bearer a, Bearer b"),
        (b"authorization", b"Basic"),
        (b"authorization", b"Basic c29tZS1rZXk"),
        (b"authorization", b"Basic c29tZS1rZXk="),
        (b"authorization", b"Basic \xff\xff"),
        (b"authorization", basic(b"")),
        (b"authorization", basic(b"caf\xc3\xa9")),
        (b"authorization", b"Basic " + b64encode(b"k:" * 4096)),
    ],
)
def test_what_cannot_be_a_key_is_malformed(header):
    assert extract([header], b"").fault == "malformed_credentials"


def test_another_scheme_and_a_json_web_token_are_no_api_keys():
    token = b".".join(b64encode(part).rstrip(b"=") for part in (b'{"alg":"x"}', b"{}", b"s"))
    for value in (b"Digest username=k", b"Negotiate abc", b"Bearer " + token):
        assert extract([(b"authorization", value)], b"").fault == "missing_api_key"
        layered = extract([(b"authorization", value), (b"x-api-key", KEY)], b"")
        assert layered.secret == KEY


@pytest.mark.parametrize(
    "name",
    [
        b"x-keywatch-status",
        b"X-Keywatch-Anything",
        b"x_keywatch_status",
        b"x-api-key-id",
        b"X-Api-Key-Id",
        b"x_api_key_id",
        b"X-Api_Key-Id",
        b"x-api-key-environment",
        b"x-key-status",
        b"x_api_key",
        b"x_forwarded_for",
    ],
)
def test_headers_that_only_the_gateway_may_set_are_stripped(name):
    found = extract([(name, b"forged"), (b"x-api-key", KEY)], b"")
    assert found.headers == [(b"x-api-key", KEY)]
    assert found.secret == KEY


OF_CERTIFICATES = [
    b"x-forwarded-client-cert", b"X-Forwarded-Client-Cert", b"x_forwarded_client_cert",
    b"client-cert", b"client_cert", b"client-cert-chain", b"x-ssl-client-cert",
    b"x-ssl-client-verify", b"x-ssl-client-s-dn", b"X_SSL_Client_Verify", b"ssl-client-subject-dn",
    b"x-forwarded-tls-client-cert", b"x-amzn-mtls-clientcert-leaf", b"x-client-cert-present",
]  # fmt: skip


@pytest.mark.parametrize("name", [*OF_CERTIFICATES, b"x-original-url", b"X_Rewrite_URL"])
def test_what_only_a_proxy_may_tell_is_stripped_from_everybody_else(name):
    sent = [(name, b"SUCCESS"), (b"x-api-key", KEY)]
    for unheard in (extract, extractor(certificate_header="client-cert")):
        found = unheard(sent, b"")
        assert found.headers == [(b"x-api-key", KEY)]
        assert not found.noted


@pytest.mark.parametrize("header", ["", *CERTIFICATE_HEADERS])
def test_a_proxys_one_header_is_noted_and_its_clients_other_ones_are_stripped(header):
    of_proxy = extractor(certificate_header=header, from_proxy=True)
    believed = CERTIFICATE_HEADERS.get(header, ())
    for name in OF_CERTIFICATES:
        found = of_proxy([(name.lower(), b"SUCCESS")], b"")
        assert (name.lower() in found.noted) == (name.lower() in believed)
        # where none are taken here they are the application's affair, but for the disguised ones
        kept = name.lower() in believed if header else b"_" not in name
        assert bool(found.headers) == kept


def test_too_large_headers_are_refused():
    assert extract([(b"x-api-key", KEY), (b"x-a", b"a" * 70_000)], b"").fault == "headers_too_large"
    many = [(b"x-%d" % n, b"v" * 50) for n in range(2000)]
    assert extract(many, b"").fault == "headers_too_large"


def test_repeated_headers_for_the_log_are_joined_in_order():
    hops = [(b"x-forwarded-for", b"192.0.2.1"), (b"x-forwarded-for", b"192.0.2.2")]
    noted = extractor(from_proxy=True)(hops, b"").noted
    assert noted[b"x-forwarded-for"] == b"192.0.2.1, 192.0.2.2"
    assert not extract(hops, b"").noted


def test_shows_no_secret():
    assert "some-key" not in repr(extract([(b"x-api-key", KEY)], b""))


names = st.sampled_from(
    [b"authorization", b"x-api-key", b"x-my-token", b"X-API-KEY", b"cookie", b"x_api_key"]
)
values = st.one_of(
    st.binary(max_size=40),
    st.sampled_from([KEY, OTHER, b"Bearer " + KEY, b"ApiKey " + OTHER, basic(KEY), b"Basic "]),
    st.builds(
        lambda scheme, rest: scheme + b" " + rest,
        st.sampled_from([b"Basic", b"Bearer"]),
        st.binary(max_size=20),
    ),
)
headers_of_requests = st.lists(st.tuples(st.one_of(names, st.binary(max_size=20)), values))


@given(headers_of_requests, st.binary(max_size=60))
def test_gives_one_visible_key_or_one_fault_whatever_comes(headers, query):
    found = with_query(headers, query)
    assert bool(found.secret) != bool(found.fault)
    assert all(0x20 < byte < 0x7F for byte in found.secret)
    assert {name.lower() for name, _ in found.headers}.isdisjoint({b"x-api-key-id", b"x_api_key"})


@given(headers_of_requests, st.sampled_from([KEY, OTHER]))
def test_a_key_is_let_in_only_if_no_other_credential_stands_beside_it(headers, added):
    before, after = extract(headers, b""), extract([*headers, (b"x-api-key", added)], b"")
    if before.secret:
        assert (after.fault == "") == (before.secret == added)
    elif before.fault != "missing_api_key":
        assert after.fault == "ambiguous_credentials"
    else:
        assert after.secret == added


@given(st.permutations([(b"x-api-key", KEY), (b"authorization", basic(OTHER)), (b"a", b"b")]))
def test_the_order_of_headers_does_not_decide(headers):
    assert extract(headers, b"").fault == "ambiguous_credentials"


def test_values_of_key_parameters_are_replaced_and_others_are_not():
    query = b"page=2&api_key=abc&%6Bey=d&token=e&name=key&key="
    assert without_secrets(query) == (
        b"page=2&api_key=REDACTED&%6Bey=REDACTED&token=REDACTED&name=key&key="
    )


@given(st.binary(max_size=80))
def test_a_query_without_key_parameters_is_left_as_it_is(query):
    if b"%" not in query and not any(
        name in query.lower() for name in (b"key", b"token", b"sec", b"pass")
    ):
        assert without_secrets(query) == query
