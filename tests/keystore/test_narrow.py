from ipaddress import ip_address, ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from keystore import narrow
from keystore.keys import Declared
from keystore.narrow import Networks
from vocabulary.errors import UsageError

blocks = st.one_of(
    st.builds(
        lambda n, p: str(ip_network((n, p), strict=False)),
        st.integers(0, 2**32 - 1),
        st.integers(0, 32),
    ),
    st.builds(
        lambda n, p: str(ip_network((n, p), strict=False)),
        st.integers(2**33, 2**128 - 1),
        st.integers(0, 128),
    ),
)
addresses = st.one_of(st.ip_addresses(v=4), st.ip_addresses(v=6)).map(str)


@given(st.lists(blocks, min_size=1, max_size=6), addresses)
def test_a_set_of_blocks_holds_what_one_of_them_holds(written, address):
    found = ip_address(address)
    mapped = getattr(found, "ipv4_mapped", None)
    slow = any((mapped or found) in ip_network(block) for block in narrow.networks(written))
    assert (address in Networks(narrow.networks(written))) == slow


def test_an_ipv4_client_that_came_by_ipv6_is_the_same_client():
    assert "::ffff:10.1.2.3" in Networks(["10.0.0.0/8"])
    assert "10.1.2.3" in Networks(narrow.networks(["::ffff:10.0.0.0/104"]))
    assert "2001:db8::1" not in Networks(["10.0.0.0/8"])


@pytest.mark.parametrize("address", ["", "unknown", "10.0.0", "10.0.0.1:80", "\0", "1" * 10_000])
def test_what_is_no_address_is_in_no_block(address):
    assert address not in Networks(["0.0.0.0/0", "::/0"])


@pytest.mark.parametrize("block", ["10.0.0.1/8", "10/8", "x", "", "10.0.0.0/33", "::/129"])
def test_what_is_no_block_is_refused(block):
    with pytest.raises(UsageError):
        narrow.networks([block])


def test_endpoints():
    allows = narrow.endpoint_matcher(narrow.endpoints(["get /v1/*", "/health"]))
    assert allows("GET", "/v1/a/b")
    assert allows("POST", "/health")
    assert not allows("POST", "/v1/a")
    assert not allows("GET", "/v2/v1/a")
    assert not allows("GET", "/healthy")
    assert narrow.endpoint_matcher(())("DELETE", "/anything")


@pytest.mark.parametrize("pattern", ["", "GET", "v1/*", "TAKE /v1", "GET /a b", "GET v1"])
def test_what_is_no_endpoint_is_refused(pattern):
    with pytest.raises(UsageError):
        narrow.endpoints([pattern])


@pytest.mark.parametrize("pattern", ["", " ", "gpt 4", "gpt\n4"])
def test_what_is_no_model_is_refused(pattern):
    with pytest.raises(UsageError):
        narrow.models([pattern])


def test_a_key_without_networks_or_models_may_come_from_anywhere_and_ask_any():
    assert "203.0.113.7" in Networks(narrow.networks([]))
    assert narrow.model_matcher(narrow.models([]))("anything")


def test_a_key_has_only_so_many_of_each():
    names = [f"s{number}" for number in range(1000)]
    assert narrow.scopes([*names, "s0"]) == tuple(names)
    with pytest.raises(UsageError, match="1000 scopes, not 1001"):
        narrow.scopes([*names, "s"])


def test_models():
    allows = narrow.model_matcher(narrow.models(["gpt-4o-*", "small"]))
    assert allows("gpt-4o-mini")
    assert allows("small")
    assert not allows("gpt-4")
    assert not allows("smaller")


@pytest.mark.parametrize(
    "wrong",
    [
        {"countries": ["FRA"]},
        {"countries": ["XX"]},
        {"hours": [24]},
        {"days": [7]},
        {"rate_per_h": -1.0},
    ],
)
def test_a_declared_profile_that_cannot_be_is_refused(wrong):
    with pytest.raises(UsageError):
        narrow.declared(
            Declared(
                **{
                    name: value if isinstance(value, float) else tuple(value)
                    for name, value in wrong.items()
                }
            )
        )


@pytest.mark.parametrize("text", ["600", "600/0min", "600/week", "-1/s", "1/s:", "x/min"])
def test_what_is_no_limit_is_refused(text):
    with pytest.raises(UsageError):
        narrow.limits([text])
