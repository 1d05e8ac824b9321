"""When what failed is tried again, and how often it is told."""

import pytest

from streams.retries import LONGEST_S, REMIND_S, Retries


@pytest.fixture
def now():
    return [0.0]


@pytest.fixture
def told():
    return []


@pytest.fixture
def retries(now, told):
    return Retries(told.append, lambda: now[0])


def test_waits_longer_after_each_failure_up_to_a_bound(retries, now):
    waits = []
    for _ in range(9):
        retries.fail("a", "away")
        begun = now[0]
        while not retries.is_due("a"):
            now[0] += 0.5
        waits.append(now[0] - begun)
    assert waits == [1.0, 2.0, 4.0, 8.0, 16.0, 32.0, LONGEST_S, LONGEST_S, LONGEST_S]
    assert retries.is_due("b")


def test_tells_what_is_new_and_reminds_of_what_lasts(retries, now, told):
    for _ in range(5):
        retries.fail("a", "away")
    retries.fail("a", "refused")
    assert [one[:7] for one in told] == ["away; i", "refused"]
    now[0] = REMIND_S
    retries.fail("a", "refused")
    retries.succeed("a")
    retries.succeed("a")
    assert told[2:] == ["refused; it is tried again", "a: read again"]
    assert retries.failed == {}
