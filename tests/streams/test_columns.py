import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from streams.columns import batch_of
from streams.parsed import Parsed

ROW = st.tuples(
    st.integers(0, 2**45),
    st.sampled_from(["", "key_a", "key_b", "credential:0"]),
    st.sampled_from(["", "192.0.2.1", "2001:db8::1"]),
    st.sampled_from(["", "GET", "POST"]),
    st.sampled_from(["", "/a", "/b"]),
    st.sampled_from([0, 200, 401, 403]),
    st.integers(0, 2**62),
    st.sampled_from(["", "curl"]),
)


def parsed_of(rows):
    columns = [list(column) for column in zip(*rows, strict=True)] or [[] for _ in range(8)]
    return Parsed(list(range(len(rows))), *columns)


@given(st.lists(ROW))
def test_holds_every_event_sorted_by_key_and_arrival(rows):
    batch = batch_of(parsed_of(rows))
    back = [
        (
            int(batch.ts_ms[i]),
            batch.keys[batch.key[i]],
            batch.ips[batch.ip[i]],
            batch.methods[batch.method[i]],
            batch.paths[batch.path[i]],
            int(batch.status[i]),
            int(batch.size[i]),
            batch.agents[batch.agent[i]],
        )
        for i in range(len(batch))
    ]
    assert back == [rows[i] for i in batch.arrival]
    assert list(batch.arrival) == sorted(range(len(rows)), key=lambda i: (rows[i][1], i))
    assert (np.diff(batch.key) >= 0).all()
    assert list(batch.keys) == sorted({row[1] for row in rows})


@given(st.lists(ROW), st.sets(st.sampled_from(["key_a", "key_b"])))
def test_accepts_only_known_keys_that_were_not_turned_away(rows, known):
    asked = []

    def knows(keys):
        asked.append(list(keys))
        return [key in known for key in keys]

    batch = batch_of(parsed_of(rows), knows)
    assert asked == [list(batch.keys)]
    for i, accepted in enumerate(batch.accepted):
        key = batch.keys[batch.key[i]]
        assert accepted == (key in known and batch.status[i] != 401)


def test_without_a_key_store_every_key_is_known_and_no_key_is_not():
    batch = batch_of(parsed_of([(0, "", "", "", "", 200, 0, ""), (0, "k", "", "", "", 200, 0, "")]))
    assert list(batch.accepted) == [False, True]
    assert batch.key.dtype == np.int32
    assert batch.ts_ms.dtype == np.int64
