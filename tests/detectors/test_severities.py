"""How evidence of several families becomes a severity: the table, and its edges."""

from types import SimpleNamespace

import numpy as np
import pytest

from detectors.chance import CAP
from detectors.fuse import FAMILIES, fading, fuse, severities
from detectors.geoip import PLACE
from detectors.hosting import Kind
from detectors.profile import blank
from detectors.round import evidence
from detectors.words import Reason
from tests.detectors.events import START_MS
from vocabulary.alert import Severity

LOW, MEDIUM, HIGH, CRITICAL = Severity


@pytest.mark.parametrize(
    ("total", "strong", "network", "volume", "mature", "severity"),
    [
        (1.99, 3, 9.0, 9.0, True, 0),
        (2.0, 0, 0.0, 0.0, True, LOW),
        (3.0, 0, 0.0, 0.0, True, MEDIUM),
        (4.99, 2, 0.0, 0.0, True, MEDIUM),
        (5.0, 2, 0.0, 0.0, True, HIGH),
        # one family alone is not enough, but for a volume beyond what one observation can say
        (9.0, 1, 9.0, CAP, True, MEDIUM),
        (9.0, 1, 0.0, CAP + 0.01, True, HIGH),
        (7.0, 2, 2.0, 0.0, True, CRITICAL),
        (7.0, 2, 1.99, 0.0, True, HIGH),
        (6.99, 2, 2.0, 0.0, True, HIGH),
        (9.0, 1, 9.0, CAP + 1, True, HIGH),
        # of a key that is still being learned nothing more is said
        (99.0, 4, 9.0, 99.0, False, MEDIUM),
    ],
)
def test_a_severity_needs_its_evidence_and_is_had_with_it(
    total, strong, network, volume, mature, severity
):
    shares = [np.zeros(2) for _ in FAMILIES]
    shares[FAMILIES.index("network")][1] = network
    shares[FAMILIES.index("volume")][1] = volume
    day = SimpleNamespace(row=np.array([0, 1]), mature=np.array([True, mature]))
    found = severities(day, np.array([0.0, total]), np.array([0, strong]), shares, np.zeros(2))
    assert found.tolist() == [0, severity]


@pytest.mark.parametrize(
    ("total", "strong", "again", "volume", "severity"),
    [
        (5.6, 2, 4.0, 0.0, MEDIUM),
        (7.5, 3, 2.0, 0.0, HIGH),
        (8.9, 3, 2.3, 0.0, CRITICAL),
        (7.5, 3, 4.0, CAP, MEDIUM),
        # as little as one family can say at all
        (5.6, 2, 1.0, 0.0, MEDIUM),
        # a flood is one whatever explains the rest
        (7.5, 3, 4.0, CAP + 0.01, HIGH),
    ],
)
def test_what_one_cause_explains_twice_is_told_and_does_not_act(
    total, strong, again, volume, severity
):
    shares = [np.array([2.0]), np.zeros(1), np.array([volume]), np.zeros(1)]
    day = SimpleNamespace(row=np.array([0]), mature=np.array([True]))
    found = severities(day, np.array([total]), np.array([strong]), shares, np.array([again]))
    assert found.tolist() == [severity]


HALF_MS = 1_800_000
"""Half an hour, after which evidence is worth half as much."""


def day_of(row, halves, before=None, lenient=0.0):
    """Return events of some keys, each so many half-lives after the start."""
    count = max(row) + 1
    rows = blank(count)
    if before is not None:
        rows["evidence"] = before
    return SimpleNamespace(
        row=np.array(row, np.int32),
        t=START_MS + np.array(halves) * HALF_MS,
        rows=rows,
        place=np.zeros(len(row), PLACE),
        mature=np.ones(count, bool),
        lenient=np.full(count, lenient),
    )


def faded(day, e, before=0):
    share, level, since = fading(day, np.array(e), np.full(len(day.rows), before, np.int64))
    return np.round(share, 3).tolist(), level, since.tolist()


def test_evidence_fades_by_half_in_half_an_hour_and_the_strongest_counts():
    day = day_of([0] * 5, [0, 1, 2, 2, 4])
    share, _, since = faded(day, [4.0, 0.0, 0.5, 3.0, 0.0])
    assert share == [4.0, 2.0, 1.0, 3.0, 0.75]
    assert since == [0, 0, 0, 3, 3]


def test_evidence_of_an_earlier_round_goes_on_fading_until_there_is_stronger():
    _, level, _ = faded(day_of([0], [0]), [4.0])
    share, _, since = faded(day_of([0, 0, 0], [1, 2, 3]), [0.0, 0.9, 5.0], int(level[0]))
    assert share == [2.0, 1.0, 5.0]
    assert since == [-1, -1, 2]


def test_keys_do_not_lend_each_other_evidence():
    share, _, since = faded(day_of([0, 1, 1, 2], [0, 0, 1, 1]), [4.0, 0.0, 1.5, 0.0])
    assert share == [4.0, 0.0, 1.5, 0.0]
    assert since == [0, -1, 2, -1]


def test_no_evidence_is_none_and_no_family_counts_for_more_than_eight():
    assert faded(day_of([0, 0], [0, 9]), [0.0, 0.0])[0] == [0.0, 0.0]
    assert faded(day_of([0, 0], [0, 1]), [20.0, 0.0])[0] == [8.0, 8.0]


@pytest.mark.parametrize(
    ("said", "lenient", "total"),
    [
        ((2.0, 0.0, 0.0, 0.0), 0.0, 2.0),
        ((0.99, 0.99, 0.99, 0.99), 0.0, 0.0),
        ((1.0, 1.0, 0.99, 0.0), 0.0, 1.5),
        ((2.0, 1.5, 0.99, 0.0), 0.0, 3.0),
        ((2.0, 2.0, 2.0, 2.0), 0.0, 6.5),
        ((2.0, 2.0, 0.0, 0.0), 1.0, 2.5),
        ((2.0, 2.0, 0.0, 0.0), -0.5, 4.0),
    ],
)
def test_families_add_up_less_a_half_for_each_further_one_and_what_the_key_is_granted(
    said, lenient, total
):
    assert len(FAMILIES) == len(said)
    found = fuse(
        day_of([0], [0], lenient=lenient), [evidence(np.array([e]), 0, 0.0, 0.0) for e in said]
    )
    assert found.total.tolist() == pytest.approx([total], abs=1e-4)
    assert [share.tolist() for share in found.share] == [pytest.approx([e], abs=1e-4) for e in said]
    assert [since.tolist() for since in found.since] == [[0 if e else -1] for e in said]


@pytest.mark.parametrize(
    ("network", "behaviour", "again"),
    [
        (Reason.NEW_CLIENT, Reason.NEW_ENDPOINTS, 2.5),
        (Reason.NEW_CLIENT, Reason.SEQUENCE, 0.0),
        (Reason.NEW_NETWORK, Reason.NEW_ENDPOINTS, 0.0),
    ],
)
def test_new_endpoints_are_explained_by_a_new_version_of_the_client_and_by_nothing_else(
    network, behaviour, again
):
    said = [(3.0, network), (0.0, Reason.NONE), (0.0, Reason.NONE), (2.5, behaviour)]
    found = fuse(day_of([0], [0]), [evidence(np.array([e]), why, 0.0, 0.0) for e, why in said])
    assert found.again.tolist() == pytest.approx([again], abs=1e-4)


def told_again(said, kind=Kind.ACCESS):
    day = day_of([0], [0])
    day.place["kind"] = kind
    found = fuse(day, [evidence(np.array([e]), why, 0.0, 0.0) for e, why in said])
    return found.again.tolist()


@pytest.mark.parametrize(
    ("network", "why", "kind", "time", "again"),
    [
        (2.1, Reason.NEW_NETWORK, Kind.ACCESS, Reason.OFF_HOURS, 3.5),
        (2.1, Reason.YOUNG_NETWORK, Kind.ACCESS, Reason.OFF_HOURS, 3.5),
        (2.1, Reason.TRAVEL, Kind.ACCESS, Reason.OFF_HOURS, 3.5),
        # a data centre does not travel, nor do words of another kind or a new network that is more
        (2.1, Reason.NEW_NETWORK, Kind.HOSTING, Reason.OFF_HOURS, 0.0),
        (2.1, Reason.NEW_NETWORK, Kind.VPN, Reason.OFF_HOURS, 0.0),
        (2.2, Reason.NEW_NETWORK, Kind.ACCESS, Reason.OFF_HOURS, 0.0),
        (2.1, Reason.NEW_CLIENT, Kind.ACCESS, Reason.OFF_HOURS, 0.0),
        (2.1, Reason.NEW_NETWORK, Kind.ACCESS, Reason.NONE, 0.0),
    ],
)
def test_unusual_hours_are_explained_by_a_new_place_of_people(network, why, kind, time, again):
    said = [(network, why), (3.5, time), (0.0, Reason.NONE), (0.0, Reason.NONE)]
    assert told_again(said, kind) == pytest.approx([again], abs=1e-4)


@pytest.mark.parametrize(
    ("network", "time", "volume", "again"),
    [
        (Reason.NONE, Reason.OFF_HOURS, 2.4, 2.4),
        (Reason.NONE, Reason.OFF_HOURS, 2.6, 0.0),
        (Reason.NONE, Reason.NONE, 2.4, 0.0),
        (Reason.NEW_CLIENT, Reason.OFF_HOURS, 2.4, 0.0),
    ],
)
def test_who_works_late_does_some_more_and_no_more_than_that(network, time, volume, again):
    elsewhere = 1.5 if network != Reason.NONE else 0.0
    said = [(elsewhere, network), (3.0, time), (volume, Reason.RATE_1H), (0.0, Reason.NONE)]
    assert told_again(said) == pytest.approx([again], abs=1e-4)
