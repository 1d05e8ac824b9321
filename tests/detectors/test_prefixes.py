"""Addresses as numbers, in columns and one by one."""

from hypothesis import given
from hypothesis import strategies as st

from detectors.prefixes import prefix_of, prefix_text, prefixes

ADDRESS = st.one_of(
    st.ip_addresses().map(str),
    st.ip_addresses(v=4).map(lambda one: f"::ffff:{one}"),
    st.sampled_from(["", "-", "nope", "fe80::1%eth0", "256.1.1.1", "1.2.3", "\ud800", "0.0.0.0"]),
)
NEVER_ROUTED = (
    "0.1.2.3", "10.1.2.3", "100.64.0.1", "127.0.0.1", "169.254.9.9", "172.31.0.1", "192.168.1.1",
    "224.0.0.1", "255.255.255.255", "fe80::1%eth0", "::1", "fd00::1",
)  # fmt: skip


@given(st.lists(ADDRESS, max_size=20))
def test_a_column_is_what_its_addresses_are(addresses):
    number, private = prefixes(addresses)
    assert list(zip(number.tolist(), private.tolist(), strict=True)) == [
        prefix_of(address) for address in addresses
    ]


@given(st.ip_addresses(v=4))
def test_an_address_belongs_to_its_24(address):
    assert prefix_of(str(address))[0] == int(address) >> 8
    assert prefix_of(f"::ffff:{address}") == prefix_of(str(address))


def test_addresses_of_one_48_share_a_number_above_all_of_ipv4():
    one, other = prefix_of("2001:4860:4860::8888"), prefix_of("2001:4860:4860:1::1")
    assert one == other
    assert one[0] >> 31
    assert prefix_of("2001:4860:4861::1") != one


def test_what_is_never_routed_is_private():
    assert all(prefixes(NEVER_ROUTED)[1])
    assert not any(prefixes(["8.8.8.8", "11.0.0.1", "172.32.0.1", "192.169.0.1"])[1])


def test_what_is_no_address_has_no_prefix():
    assert [prefix_of(text)[0] for text in ("", "nope", "1.2.3", "\ud800")] == [0] * 4


def test_a_prefix_is_told_as_people_write_it():
    assert prefix_text(prefix_of("203.0.113.7")[0]) == "203.0.113.0/24"
    assert prefix_text(prefix_of("2001:db8::1")[0]) == "an IPv6 /48"
