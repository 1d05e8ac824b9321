"""Places of addresses: editions, flat files, replaced files, and what no database should decide."""

import numpy as np
import pytest

from detectors.geoip import GeoReader, country_of
from detectors.hosting import Kind
from tests.detectors.mmdb import write
from vocabulary.errors import ConfigError


def city(country, lat=48.1, lon=11.6):
    spot = {"latitude": lat, "longitude": lon}
    return {"country": {"iso_code": country}, "location": spot}


def asn(number, name):
    return {"autonomous_system_number": number, "autonomous_system_organization": name}


def place(geo, address, ts_ms=0):
    return geo.places([address], np.zeros(1, np.int32), np.array([ts_ms]))[0]


@pytest.fixture
def files(tmp_path):
    networks = {"8.8.8.0/24": city("DE"), "2001:4860::/32": city("NL")}
    cities = write(tmp_path / "city.mmdb", "GeoLite2-City", networks)
    numbers = {
        "8.8.8.0/24": asn(64496, "Example Telecom"),
        "2001:4860::/32": asn(64497, "Example Cloud Hosting"),
    }
    return cities, write(tmp_path / "asn.mmdb", "GeoLite2-ASN", numbers)


def test_country_operator_and_sort_of_network_in_both_versions_of_ip(files):
    geo = GeoReader([str(files[0])], [str(files[1])])
    four, six = place(geo, "8.8.8.8"), place(geo, "2001:4860:4860::8888")
    assert (country_of(four["country"]), four["asn"], four["kind"]) == ("DE", 64496, Kind.ACCESS)
    assert (country_of(six["country"]), six["asn"], six["kind"]) == ("NL", 64497, Kind.HOSTING)
    assert geo.operators[64497] == "Example Cloud Hosting"
    assert four["lat"] == pytest.approx(48.1, abs=0.01)


def test_a_flat_database_is_read_without_its_types(tmp_path):
    networks = {"8.8.8.0/24": {"country_code": "FR", "asn": "AS64500", "as_name": "Flat SAS"}}
    file = write(tmp_path / "flat.mmdb", "DBIP-Flat", networks)
    found = place(GeoReader([str(file)]), "8.8.8.8")
    assert (country_of(found["country"]), found["asn"]) == ("FR", 64500)


def test_a_later_edition_takes_over_at_its_moment(files, tmp_path):
    later = write(tmp_path / "later.mmdb", "GeoLite2-City", {"8.8.8.0/24": city("AT")})
    geo = GeoReader([str(files[0]), f"{later}@1970-01-02T00:00:00Z"])
    day = 86_400_000
    found = [country_of(place(geo, "8.8.8.8", ts)["country"]) for ts in (day - 1, day)]
    assert found == ["DE", "AT"]


def test_a_replaced_file_is_taken_up_without_a_restart(files):
    geo = GeoReader([str(files[0])], [str(files[1])])
    assert country_of(place(geo, "8.8.8.8")["country"]) == "DE"
    assert geo.refresh() == ""
    write(files[0], "GeoLite2-City", {"8.8.8.0/24": city("PL")})
    assert "replaced" in geo.refresh()
    assert country_of(place(geo, "8.8.8.8")["country"]) == "PL"
    assert geo.refresh() == ""


def test_a_replacement_that_cannot_be_read_is_told_once_and_the_old_one_stays(files):
    geo = GeoReader([str(files[0])])
    place(geo, "8.8.8.8")
    broken = files[0].with_suffix(".broken")
    broken.write_bytes(b"no database")
    broken.replace(files[0])
    assert "cannot be read" in geo.refresh()
    assert geo.refresh() == ""
    assert country_of(place(geo, "8.8.8.8")["country"]) == "DE"
    assert country_of(place(geo, "8.8.8.77")["country"]) == "DE"


@pytest.mark.parametrize(
    "address",
    [
        "10.1.2.3", "172.31.255.255", "192.168.0.1", "100.127.1.1", "169.254.1.1", "127.0.0.1",
        "0.0.0.0", "224.0.0.1", "255.255.255.255", "192.0.2.1", "198.51.100.9", "203.0.113.7",
        "198.19.0.1", "192.0.0.8", "fe80::1%eth0", "fd00::1", "::1", "2001:db8::1",
    ],
)  # fmt: skip
def test_private_and_reserved_addresses_are_of_no_country(address, files):
    found = place(GeoReader([str(files[0])]), address)
    assert (found["kind"], found["country"], found["asn"]) == (Kind.PRIVATE, 0, 0)
    assert found["prefix"] != 0 or address == "0.0.0.0"


@pytest.mark.parametrize("address", ["", "nowhere", "1.2.3", "1.2.3.4.5", "::g"])
def test_what_is_no_address_is_unknown(address, files):
    found = place(GeoReader([str(files[0])]), address)
    assert (found["kind"], found["prefix"]) == (Kind.UNKNOWN, 0)


@pytest.mark.parametrize("address", ["2001:4860::1%eth0", "2001:4860::1%", "8.8.8.8%x%y"])
def test_a_zone_is_no_part_of_an_address(address, files):
    geo = GeoReader([str(files[0])])
    assert place(geo, address)["country"] == place(geo, address.partition("%")[0])["country"] != 0


def test_an_ipv4_address_within_ipv6_is_the_same_network(files):
    geo = GeoReader([str(files[0])])
    mapped, plain = place(geo, "::ffff:8.8.8.8"), place(geo, "8.8.8.8")
    assert (mapped["prefix"], mapped["country"]) == (plain["prefix"], plain["country"])


def test_a_file_that_is_no_database_is_refused_by_name(tmp_path):
    file = tmp_path / "x.mmdb"
    file.write_text("hello")
    with pytest.raises(ConfigError, match=r"x\.mmdb"):
        GeoReader([str(file)])


def test_a_file_of_countries_and_one_of_operators_with_more_than_their_number(tmp_path):
    country = write(tmp_path / "c.mmdb", "GeoLite2-Country", {"8.8.8.0/24": city("DE")})
    operator = write(tmp_path / "i.mmdb", "GeoIP2-ISP", {"8.8.8.0/24": asn(64496, "Example VPN")})
    geo = GeoReader([str(country)], [str(operator)])
    found, unknown = place(geo, "8.8.8.8"), place(geo, "9.9.9.9")
    assert (country_of(found["country"]), found["asn"], found["kind"]) == ("DE", 64496, Kind.VPN)
    assert (unknown["country"], unknown["asn"], unknown["kind"]) == (0, 0, Kind.UNKNOWN)


def test_without_a_file_of_countries_the_built_in_table_serves_beside_one_of_operators(files):
    found = place(GeoReader([], [str(files[1])]), "8.8.8.8")
    assert (country_of(found["country"]), found["asn"]) == ("US", 64496)


@pytest.mark.parametrize(
    ("record", "country", "number"),
    [
        ({"country": {"iso_code": "FR"}, "as_number": 64500}, "FR", 64500),
        ({"country": {"names": "none"}, "asn": "no number"}, "", 0),
        ({"country_code": "FR", "latitude": "north"}, "FR", 0),
        ("no record at all", "", 0),
    ],
)
def test_a_flat_database_of_whatever_shape_is_read_as_far_as_it_goes(
    tmp_path, record, country, number
):
    file = write(tmp_path / "flat.mmdb", "Some-Flat", {"8.8.8.0/24": record})
    found = place(GeoReader([str(file)]), "8.8.8.8")
    assert (country_of(found["country"]), found["asn"]) == (country, number)
    assert np.isnan(found["lat"])


def test_a_moment_that_is_none_is_refused(files):
    with pytest.raises(ConfigError, match="'tomorrow' is no moment"):
        GeoReader([f"{files[0]}@tomorrow"])


def test_a_file_that_is_gone_is_told_and_what_was_read_stays(files):
    geo = GeoReader([str(files[0])])
    files[0].unlink()
    assert "cannot be read" in geo.refresh()
    assert country_of(place(geo, "8.8.8.8")["country"]) == "DE"


def test_more_networks_than_are_remembered_are_looked_up_again(files, monkeypatch):
    monkeypatch.setattr("detectors.geoip.CACHED", 2)
    geo = GeoReader([str(files[0])])
    asked = ["8.8.8.8", "1.1.1.1", "9.9.9.9", "5.5.5.5", "8.8.8.9"]
    found = geo.places(asked, np.arange(5), np.zeros(5, np.int64))
    assert [country_of(code) for code in found["country"]] == ["DE", "", "", "", "DE"]
    assert len(geo._by_prefix) <= 2
