from fractions import Fraction

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gateway.limits import Allowance, Buckets, Limit, limit_of, tighter
from gateway.quota import headers_of
from vocabulary.errors import ConfigError

S = 1_000_000_000


class SlowBucket:
    """A token bucket as textbooks draw it, in exact fractions."""

    def __init__(self, limit):
        self.depth = Fraction(limit.depth)
        self.rate = Fraction(limit.amount, limit.window_s * S)
        self.tokens, self.at = self.depth, 0

    def fill(self, now):
        self.tokens = min(self.depth, self.tokens + (now - self.at) * self.rate)
        self.at = now

    @property
    def reset(self):
        """How long it takes until the bucket is full."""
        return (self.depth - self.tokens) / self.rate


def slow_take(buckets, now):
    """Return whether all have a token, and the number of the bucket that speaks."""
    for bucket in buckets:
        bucket.fill(now)
    empty = [number for number, bucket in enumerate(buckets) if bucket.tokens < 1]
    if empty:

        def waits(number):
            bucket = buckets[number]
            return (1 - bucket.tokens) / bucket.rate, bucket.reset

        return False, max(empty, key=waits)  # of equals the first
    for bucket in buckets:
        bucket.tokens -= 1
    return True, min(range(len(buckets)), key=lambda n: (int(buckets[n].tokens), -buckets[n].reset))


limits = st.builds(
    Limit,
    st.just("l"),
    st.integers(1, 50),
    st.sampled_from([1, 7, 60, 3600]),
    st.integers(0, 20),
)
gaps = st.lists(
    st.one_of(st.integers(0, 3), st.integers(0, 5 * S), st.integers(0, 200 * S)), max_size=60
)


@given(st.lists(limits, min_size=1, max_size=3, unique=True), gaps, st.sampled_from([1, 1000]))
@example([Limit("l", 5, 1), Limit("l", 5, 3600)], [0, 0, 0], 1000)
@example([Limit("l", 2, 3600, 1), Limit("l", 5, 7, 1)], [0, 0], 1000)
def test_decides_as_a_slow_and_obviously_right_model_does(chosen, gaps, sweep_at):
    buckets, model = Buckets(sweep_at), [SlowBucket(limit) for limit in chosen]
    now = 0
    for gap in gaps:
        now += gap
        # A second subject, so that there is something to sweep.
        buckets.take([(one, "other") for one in chosen], now)
        allowance = buckets.take([(one, "k") for one in chosen], now)
        allowed, speaks = slow_take(model, now)
        assert allowance.allowed == allowed
        if allowed:
            assert allowance.remaining == int(model[speaks].tokens)
            assert allowance.limit == chosen[speaks]


@given(limits, gaps)
def test_who_waits_as_long_as_told_is_let_through(limit, gaps):
    buckets, now = Buckets(), 0
    for gap in gaps:
        now += gap
        allowance = buckets.take([(limit, "k")], now)
        if not allowance.allowed:
            assert allowance.retry_s > 0
            now += int(allowance.retry_s * S) + 1_000
            assert buckets.take([(limit, "k")], now).allowed


@given(limits, st.lists(st.tuples(st.integers(0, 2 * S), st.integers(0, S), st.integers(0, S))))
def test_who_notes_down_what_was_decided_elsewhere_never_refuses_what_that_allowed(limit, steps):
    """Asked at one time, decided there a little later, noted down here later still."""
    there, here, decided = Buckets(), Buckets(), 0
    for gap, before, after in steps:
        decided += gap + 1
        if there.take([(limit, "k")], decided).allowed:
            since = max(1, decided - before)
            assert here.take([(limit, "k")], decided + after, since_ns=since).allowed


def test_what_is_said_in_numbers_is_the_same_of_one_limit_and_of_several():
    """Ten a minute, four at once: a token comes back every six seconds."""
    limit, wide = Limit("l", 10, 60, 4), Limit("wide", 1000, 60)
    one, several = Buckets(), Buckets()
    said = []
    for at in (0, 0, 3, 3, 3, 30):
        alone = one.take_one(limit, "k", at * S)
        assert several.take([(wide, "k"), (limit, "k")], at * S) == alone
        said.append((alone.allowed, alone.remaining, alone.reset_s, alone.retry_s))
    assert said == [
        (True, 3, 6.0, 0.0),
        (True, 2, 12.0, 0.0),
        (True, 1, 15.0, 0.0),
        (True, 0, 21.0, 0.0),
        (False, 0, 21.0, 3.0),
        (True, 3, 6.0, 0.0),
    ]


@pytest.mark.parametrize("more", [[], [(Limit("wide", 1000), "k")]])
def test_who_only_looks_takes_nothing_and_is_told_what_taking_would_say(more):
    claims, buckets = [(Limit("l", 2, 60), "k"), *more], Buckets()
    for taken in (0, 1, 2):
        seen = [buckets.take(claims, S, only_look=True) for _ in range(3)]
        assert len(set(seen)) == 1
        assert buckets.take(claims, S) == seen[0]
        assert seen[0].allowed == (taken < 2)


@pytest.mark.parametrize("claims", [1, 2])
def test_who_spent_more_than_was_there_waits_the_longer(claims):
    limits = [Limit("l", 60, 60), Limit("wide", 600, 60)][:claims]
    both, buckets = [(limit, "k") for limit in limits], Buckets()
    buckets.charge(both, 0, S)
    assert buckets.take(both, S).remaining == 59
    buckets.charge(both, 69, S)
    told = buckets.take(both, S)
    assert (told.allowed, told.limit, told.retry_s, told.reset_s) == (False, limits[0], 11.0, 70.0)
    assert not buckets.take(both, 12 * S - 1).allowed
    assert buckets.take(both, 12 * S).allowed
    buckets.charge(both, 5, 1000 * S)  # a rest is worth no more than a full bucket
    assert buckets.take(both, 1000 * S).remaining == 54


def test_of_limits_with_as_much_left_the_one_speaks_that_is_full_again_last():
    second, day = Limit("s", 5, 1), Limit("d", 5, 86_400)
    for claims in ([(second, "k"), (day, "k")], [(day, "k"), (second, "k")]):
        buckets = Buckets()
        told = [buckets.take(claims, S) for _ in range(5)]
        assert [(one.limit, one.remaining) for one in told] == [(day, n) for n in (4, 3, 2, 1, 0)]
        assert told[0].reset_s == 86_400 / 5


def test_of_limits_that_are_waited_for_as_long_the_one_speaks_that_is_full_again_last():
    shallow, deep = Limit("shallow", 60, 60, 1), Limit("deep", 60, 60, 3)
    for claims in ([(shallow, "k"), (deep, "k")], [(deep, "k"), (shallow, "k")]):
        buckets = Buckets()
        buckets.charge([(deep, "k")], 2, S)
        assert buckets.take(claims, S).allowed
        told = buckets.take(claims, S)
        assert (told.allowed, told.limit, told.retry_s, told.reset_s) == (False, deep, 1.0, 3.0)


@pytest.mark.parametrize(
    ("one", "other", "first"),
    [
        ((True, 4, 10.0), (True, 4, 20.0), False),
        ((True, 4, 20.0), (True, 4, 10.0), True),
        ((True, 4, 10.0), (True, 4, 10.0), True),
        ((True, 3, 10.0), (True, 4, 20.0), True),
        ((False, 0, 10.0), (True, 0, 20.0), True),
    ],
)
def test_of_two_words_the_tighter_one_is_told(one, other, first):
    limit = Limit("l", 5)
    words = [Allowance(allowed, limit, *rest, 0.0) for allowed, *rest in (one, other)]
    assert tighter(*words) is words[not first]
    assert tighter(None, words[1]) is words[1]
    assert tighter(words[0], None) is words[0]


def test_of_equal_limits_the_first_speaks():
    one, other = Limit("one", 5), Limit("other", 5)
    for claims in ([(one, "k"), (other, "k")], [(other, "k"), (one, "k")]):
        buckets = Buckets()
        for _ in range(6):
            assert buckets.take(claims, S).limit == claims[0][0]


def test_what_was_decided_elsewhere_counts_from_when_it_was():
    limit, buckets = Limit("l", 60, 60), Buckets()
    claims = [(limit, "k")]
    assert buckets.take(claims, 100 * S, since_ns=40 * S).remaining == 59
    # the token that was taken a minute ago is back: the bucket is full
    assert buckets.take(claims, 100 * S, only_look=True).remaining == 59
    for _ in range(5):
        buckets.take(claims, 100 * S)
    buckets.take(claims, 100 * S, since_ns=40 * S)
    assert buckets.take(claims, 100 * S).remaining == 53


def test_an_amount_of_zero_names_the_window_as_its_end():
    told = Buckets().take_one(Limit("l", 0, 3600, 5), "k", S)
    assert (told.allowed, told.remaining, told.reset_s, told.retry_s) == (False, 0, 3600.0, 3600.0)


def test_buckets_are_swept_when_there_are_more_than_so_many_and_then_twice_as_many():
    limit, buckets = Limit("min", 60, 60), Buckets(sweep_at=4)
    sizes = []
    for number in range(12):
        # those of the first second are full again after two; what came since is not
        buckets.take([(limit, str(number))], (0 if number < 3 else 5) * S)
        sizes.append(len(buckets))
    assert sizes == [1, 2, 3, 4, 2, 3, 4, 5, 6, 7, 8, 9]
    buckets.take_one(Limit("other", 1), "k", 3600 * S)
    assert len(buckets) == 10
    for number in range(12):
        buckets.take_one(limit, f"later {number}", 3600 * S)
    assert len(buckets) == 13


def test_a_refused_request_takes_nothing_from_any_bucket():
    wide, narrow = Limit("wide", 10), Limit("narrow", 1)
    buckets = Buckets()
    for _ in range(5):
        buckets.take([(wide, "k"), (narrow, "k")], 0)
    assert buckets.take([(wide, "k")], 0).remaining == 8


def test_subjects_do_not_share_buckets():
    limit, buckets = Limit("l", 1), Buckets()
    assert [buckets.take([(limit, who)], 0).allowed for who in "aabb"] == [True, False, True, False]


def test_an_amount_of_zero_refuses_all_and_no_limit_none():
    buckets = Buckets()
    assert not buckets.take([(Limit("l", 0), "k")], 0).allowed
    assert buckets.take([], 0) is None


def test_of_limits_that_are_used_up_the_one_speaks_that_is_waited_for_longest():
    buckets = Buckets()
    quick, slow = Limit("s", 1, 1), Limit("min", 1, 60)
    assert buckets.take([(slow, "k"), (quick, "k")], S).reset_s == 60
    for claims in ([(quick, "k"), (slow, "k")], [(slow, "k"), (quick, "k")]):
        told = buckets.take(claims, S)
        assert (told.allowed, told.limit, told.retry_s, told.reset_s) == (False, slow, 60.0, 60.0)


def test_the_one_that_is_waited_for_longest_speaks_though_another_is_full_again_later():
    deep, slow = Limit("deep", 60, 60, 30), Limit("slow", 6, 60, 1)
    buckets = Buckets()
    for _ in range(30):
        buckets.take_one(deep, "k", S)
    buckets.take_one(slow, "k", S)
    for claims in ([(deep, "k"), (slow, "k")], [(slow, "k"), (deep, "k")]):
        told = buckets.take(claims, S)
        assert (told.allowed, told.limit, told.retry_s, told.reset_s) == (False, slow, 10.0, 10.0)


def test_what_is_left_of_the_wait_counts_and_not_how_rare_a_token_is():
    rare, often = Limit("rare", 1, 60), Limit("often", 1, 10)
    buckets = Buckets()
    buckets.take_one(rare, "k", S)
    now = 56 * S
    buckets.take_one(often, "k", now)
    for claims in ([(rare, "k"), (often, "k")], [(often, "k"), (rare, "k")]):
        told = buckets.take(claims, now)
        assert (told.allowed, told.limit, told.retry_s) == (False, often, 10.0)


def test_an_amount_of_zero_refuses_beside_another_limit_too():
    nothing, some = Limit("none", 0, 60), Limit("s", 1, 1)
    for claims in ([(nothing, "k"), (some, "k")], [(some, "k"), (nothing, "k")]):
        told = Buckets().take(claims, S)
        assert (told.allowed, told.limit, told.retry_s) == (False, nothing, 60.0)


def test_a_third_of_a_second_is_not_rounded():
    third, buckets = Limit("s", 3, 1, 1), Buckets()
    assert buckets.take_one(third, "k", S).allowed
    assert not buckets.take_one(third, "k", S + 333_333_333).allowed
    assert buckets.take_one(third, "k", S + 333_333_334).allowed


def test_addresses_that_somebody_invents_do_not_fill_memory_nor_free_who_waits_longest():
    limit, buckets = Limit("min", 2, 60), Buckets(sweep_at=4, most=8)
    for _ in range(2):
        buckets.take_one(limit, "greedy", S)
    for number in range(100):
        buckets.take_one(limit, f"invented {number}", S)
        assert len(buckets) <= 17
    assert not buckets.take_one(limit, "greedy", S).allowed


def test_as_many_buckets_as_may_be_are_all_kept():
    limit, buckets = Limit("min", 2, 60), Buckets(sweep_at=7, most=8)
    for number in range(8):
        buckets.take_one(limit, str(number), S)
    assert len(buckets) == 8


def test_full_buckets_are_forgotten_which_changes_nothing():
    limit, buckets = Limit("l", 60), Buckets(sweep_at=100)
    for number in range(1000):
        buckets.take([(limit, str(number))], number * S)
    assert len(buckets) <= 101
    assert buckets.take([(limit, "0")], 1000 * S).remaining == 59


@pytest.mark.parametrize("allowed", [True, False])
def test_headers_tell_limit_rest_and_reset(allowed):
    limit, buckets = Limit("default", 60, 60, 2), Buckets()
    buckets.take([(limit, "k")], 0)
    if not allowed:
        buckets.take([(limit, "k")], 0)
    told = dict(headers_of(buckets.take([(limit, "k")], 0), 1_000_000.0))
    assert told[b"x-ratelimit-limit"] == b"60"
    assert told[b"x-ratelimit-remaining"] == b"0"
    assert told[b"x-ratelimit-reset"] == b"1000002"
    assert told[b"ratelimit"] == b'"default";r=0;t=2'
    assert told[b"ratelimit-policy"] == b'"default";q=60;w=60'
    assert told.get(b"retry-after") == (None if allowed else b"1")


@pytest.mark.parametrize(
    ("text", "limit"),
    [
        ("600/min", Limit("min", 600, 60)),
        ("20/s:5", Limit("s", 20, 1, 5)),
        ("1000 / 10min", Limit("10min", 1000, 600)),
        ("5/d", Limit("d", 5, 86_400)),
    ],
)
def test_reads_limits_as_people_write_them(text, limit):
    assert limit_of(text) == limit


def test_a_limit_of_another_level_is_named_after_it():
    assert limit_of("100 / 10min : 5", "ip") == Limit("ip-10min", 100, 600, 5, "ip")
    assert limit_of("0/h").amount == 0
    assert [limit_of(f"7/{unit}").window_s for unit in ("s", "min", "h", "d")] == [
        1,
        60,
        3600,
        86_400,
    ]


@pytest.mark.parametrize("text", ["", "600", "600/", "/min", "600/0min", "-1/s", "1/week", "1/s:x"])
def test_says_how_a_limit_is_written(text):
    with pytest.raises(ConfigError, match="no limit") as told:
        limit_of(text)
    assert told.value.where == repr(text)
    assert "600/min" in told.value.remedy
