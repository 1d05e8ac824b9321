import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.standing import NOTICE_S, standing_of
from keystore.grants import granted
from keystore.keys import Key, KeyState

NOW = 1_800_000_000.0


def key(**more):
    row = Key(
        **{
            "id": "key_a",
            "hash": "00",
            "prefix": "sk",
            "environment": "live",
            "created_at": NOW - 1000.0,
        }
        | more
    )
    return granted(row, None, None)


@pytest.mark.parametrize(
    ("columns", "fault"),
    [
        ({}, ""),
        ({"state": "deprecated", "grace_until": NOW + 1}, ""),
        ({"state": "deprecated", "grace_until": NOW}, "api_key_revoked"),
        ({"state": "revoked"}, "api_key_revoked"),
        ({"state": "revoked", "suspended": True}, "api_key_revoked"),
        ({"expires_at": NOW}, "api_key_expired"),
        ({"expires_at": NOW + 1}, ""),
        ({"suspended": True}, "api_key_suspended"),
        ({"suspended": True, "suspended_until": NOW}, ""),
        ({"throttle_per_min": 6}, ""),
    ],
)
def test_the_state_decides_the_answer(columns, fault):
    assert standing_of(key(**columns), NOW, 60).grant.fault == fault


def test_a_throttle_lets_ten_seconds_worth_through_at_once():
    limit = standing_of(key(throttle_per_min=60), NOW, 60).grant.throttle
    assert (limit.amount, limit.window_s, limit.depth) == (60, 60, 10)
    assert standing_of(key(throttle_per_min=1), NOW, 60).grant.throttle.depth == 1
    assert standing_of(key(throttle_per_min=0), NOW, 60).grant.throttle.amount == 0
    assert standing_of(key(throttle_per_min=6, throttle_until=NOW), NOW, 60).grant.throttle is None


def test_a_key_near_its_end_is_announced_as_deprecated():
    far = dict(standing_of(key(expires_at=NOW + NOTICE_S + 1), NOW, 60).grant.headers)
    assert far == {b"x-key-status": b"active"}
    near = dict(standing_of(key(expires_at=NOW + 3600), NOW, 60).grant.headers)
    assert near[b"x-key-status"] == b"deprecated"
    assert near[b"x-key-expires-at"] == b"2027-01-15T09:00:00+00:00"
    assert near[b"sunset"] == b"Fri, 15 Jan 2027 09:00:00 GMT"
    assert near[b"deprecation"] == b"@1799999000"


def test_a_deprecated_key_without_end_says_only_that():
    assert dict(standing_of(key(state="deprecated"), NOW, 60).grant.headers) == {
        b"x-key-status": b"deprecated"
    }


moments = st.one_of(st.none(), st.floats(-100, 100).map(lambda s: NOW + s))


@given(
    st.sampled_from(list(KeyState)[:3]),
    st.booleans(),
    *[moments] * 4,
    st.floats(0, 1, exclude_max=True),
)
def test_what_is_held_stays_true_until_it_is_found_out_anew(
    state, suspended, expires_at, grace_until, throttle_until, suspended_until, part
):
    row = key(
        state=state,
        suspended=suspended,
        expires_at=expires_at,
        grace_until=grace_until,
        throttle_per_min=5,
        throttle_until=throttle_until,
        suspended_until=suspended_until,
    )
    held = standing_of(row, NOW, 60)
    assert NOW < held.until <= NOW + 60
    later = NOW + part * (held.until - NOW)
    if later < held.until:
        then = standing_of(row, later, 60)
        assert (then.grant.fault, then.grant.throttle) == (
            held.grant.fault,
            held.grant.throttle,
        )
        assert then.grant.headers[0] == held.grant.headers[0]
