from ipaddress import IPv6Address

import pytest
from hypothesis import given
from hypothesis import strategies as st

from vocabulary.senders import sender


@pytest.mark.parametrize(
    "told", ["203.0.113.9", "", "no address", "::zz", "1:2", "fe80::1%eth0/64"]
)
def test_what_is_no_ipv6_address_stands_for_itself(told):
    assert sender(told) == told


def test_of_ipv6_the_first_half_speaks():
    assert sender("2001:DB8:0:1:ffff::7") == "2001:db8:0:1::/64"


def test_an_ipv4_address_that_is_written_as_ipv6_is_what_it_is():
    assert sender("::ffff:192.0.2.7") == "192.0.2.7"


@given(st.integers(2**64, 2**128 - 1), st.integers(0, 2**64 - 1))
def test_all_addresses_of_a_host_are_one_sender_and_those_of_another_are_not(one, own):
    same = one >> 64 << 64 | own
    assert sender(str(IPv6Address(one))) == sender(str(IPv6Address(same)))
    assert sender(str(IPv6Address(one))) != sender(str(IPv6Address(one ^ 1 << 64)))
