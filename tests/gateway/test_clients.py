import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.clients import client_of, trust_in
from vocabulary.errors import ConfigError

trusted = trust_in(["10.0.0.0/8", "2001:db8::/32"])


@pytest.mark.parametrize(
    ("peer", "forwarded", "client"),
    [
        ("192.0.2.9", b"203.0.113.1", "192.0.2.9"),
        ("10.0.0.1", b"203.0.113.1", "203.0.113.1"),
        ("10.0.0.1", b"1.1.1.1, 203.0.113.1", "203.0.113.1"),
        ("10.0.0.1", b"1.1.1.1, 203.0.113.1, 10.9.9.9", "203.0.113.1"),
        ("10.0.0.1", b"203.0.113.1,2001:db8::1", "203.0.113.1"),
        ("2001:db8::2", b"2606:4700::1", "2606:4700::1"),
        ("10.0.0.1", b"203.0.113.1, nonsense", "10.0.0.1"),
        ("10.0.0.1", b"203.0.113.1, \xff, 10.9.9.9", "10.9.9.9"),
        ("10.0.0.1", b"10.2.2.2", "10.2.2.2"),
        ("10.0.0.1", b"", "10.0.0.1"),
        ("", b"203.0.113.1", ""),
    ],
)
def test_believes_trusted_proxies_from_the_right(peer, forwarded, client):
    assert client_of(peer, forwarded, trusted) == client


@given(st.binary(max_size=60))
def test_what_a_client_writes_itself_does_not_count(invented):
    assert client_of("10.0.0.1", invented + b", 203.0.113.7", trusted) == "203.0.113.7"
    assert client_of("203.0.113.7", invented, trusted) == "203.0.113.7"


def test_nobody_is_trusted_unless_it_is_said():
    assert client_of("127.0.0.1", b"203.0.113.1", trust_in([])) == "127.0.0.1"


def test_refuses_what_is_no_network():
    with pytest.raises(ConfigError, match="trusted_proxies"):
        trust_in(["10.0.0.1/8"])
