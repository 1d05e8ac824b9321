"""What a person reads of the evidence."""

import pytest

from detectors import words
from detectors.hosting import Kind, kind_of
from detectors.profile import SESSION_FEATURES, blank
from detectors.words import REASONS_KNOWN, SESSION, Reason

ROW = blank(1)[0]
OPERATORS = {64496: "Example Telecom", 24940: "Example Online"}
REQUESTS, PACE = (SESSION_FEATURES.index(name) for name in ("requests", "pace"))


@pytest.mark.parametrize("reason", sorted(REASONS_KNOWN - {Reason.NONE}))
def test_every_reason_has_a_detector_and_words(reason):
    for value in (1.0, 7.0):
        assert words.detector(reason)
        assert words.observed(reason, value, 0.0, OPERATORS) not in ("", "something unusual")
        assert words.expected(reason, value, ROW, OPERATORS)


@pytest.mark.parametrize(
    ("reason", "seen", "expected", "said"),
    [
        (SESSION + REQUESTS * len(SESSION_FEATURES) + PACE, 6.0, 3.0,
         ("an hour with 63 requests, unusual too in its pace", "usually 7 requests")),
        (Reason.RATE_1H, 1.0, 0.0,
         ("1 request in 1 h", "nothing is known of this key's busiest 1 h yet")),
        (Reason.NEW_NETWORK, 64496.0, 0.0,
         ("use from AS64496 Example Telecom", "in 1 day of use: no network is known yet")),
        (Reason.NEW_NETWORK, 24940.0, 0.0,
         ("use from AS24940 Example Online, hosting", "in 1 day of use: no network is known yet")),
        (Reason.NEW_NETWORK, float(1 << 30 | 8 << 8 | 9), 0.0,
         ("use from 8.9.0.0/16", "in 1 day of use: no network is known yet")),
        (Reason.NEW_NETWORK, float(1 << 31), 0.0,
         ("use from an IPv6 /48", "in 1 day of use: no network is known yet")),
    ],
)  # fmt: skip
def test_sentences(reason, seen, expected, said):
    assert (
        words.observed(reason, seen, expected, OPERATORS),
        words.expected(reason, expected, ROW, OPERATORS),
    ) == said


@pytest.mark.parametrize(
    ("hours", "said"),
    [({}, "none known"), ({9: 5.0, 10: 5.0}, "mostly 09:00-11:00"),
     ({23: 5.0, 0: 5.0}, "mostly 23:00-01:00"), (dict.fromkeys(range(24), 1.0), "all day")],
)  # fmt: skip
def test_hours_of_use_are_told_as_a_span(hours, said):
    row = blank(1)[0]
    for hour, weight in hours.items():
        row["active"][hour] = weight
    assert words.active_hours(row) == said


@pytest.mark.parametrize(
    ("number", "name", "kind"),
    [
        (0, "Example Hosting", Kind.UNKNOWN),
        (64496, "Example Telecom", Kind.ACCESS),
        (64496, "Example Cloud", Kind.HOSTING),
        (24940, "", Kind.HOSTING),
        (9009, "", Kind.VPN),
        (64496, "Example Tor Exits", Kind.VPN),
    ],
)
def test_what_sort_of_network_an_operator_has(number, name, kind):
    assert kind_of(number, name) == kind


def test_usual_networks_are_named_by_how_long_they_are_known():
    row = blank(1)[0]
    row["asn"][:4], row["asn_days"][:4] = (64496, 24940, 1, 2), (3, 9, 2, 1)
    row["country"][:1] = int.from_bytes(b"DE", "big")
    assert words.usual_networks(row, OPERATORS) == (
        "AS24940 Example Online, hosting, AS64496 Example Telecom, AS1 and 1 more (DE)"
    )
