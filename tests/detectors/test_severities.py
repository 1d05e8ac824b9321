"""How evidence of several families becomes a severity: the table, and its edges."""

from types import SimpleNamespace

import numpy as np
import pytest

from detectors.chance import CAP
from detectors.fuse import FAMILIES, severities
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
    found = severities(day, np.array([0.0, total]), np.array([0, strong]), shares)
    assert found.tolist() == [0, severity]
