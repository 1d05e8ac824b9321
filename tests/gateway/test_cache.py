from hypothesis import given
from hypothesis import strategies as st

from gateway.cache import Generations

places = st.integers(0, 12).map(lambda n: bytes([n]))
steps = st.lists(
    st.one_of(
        st.tuples(st.just("put"), places, st.integers(1, 9)),
        st.tuples(st.just("get"), places),
        st.tuples(st.just("drop"), places),
        st.tuples(st.just("clear")),
    )
)


@given(st.integers(2, 12), steps)
def test_never_tells_what_is_not_true_nor_holds_too_much(size, steps):
    cache, truth = Generations(size), {}
    for verb, *arguments in steps:
        found = getattr(cache, verb)(*arguments)
        if verb == "put":
            truth[arguments[0]] = arguments[1]
        elif verb == "drop":
            truth.pop(arguments[0], None)
        elif verb == "clear":
            truth.clear()
        elif found is not None:
            assert found == truth[arguments[0]]
        assert len(cache) <= size
        assert all(
            place in truth for place in map(bytes, [[n] for n in range(13)]) if place in cache
        )


@given(st.lists(places, min_size=1, max_size=60))
def test_keeps_at_least_half_its_size_of_the_latest_used(used):
    cache = Generations(8)
    for place in used:
        if cache.get(place) is None:
            cache.put(place, 1)
    latest = list(dict.fromkeys(reversed(used)))[:4]
    assert all(place in cache for place in latest)


def test_a_flood_of_new_ones_leaves_one_that_is_used():
    cache = Generations(100)
    cache.put(b"used", 1)
    for number in range(10_000):
        cache.put(str(number).encode(), 2)
        assert cache.get(b"used") == 1
