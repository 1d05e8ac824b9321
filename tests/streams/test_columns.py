from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from streams.columns import batch_of
from streams.formats import find
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


@given(st.lists(st.sampled_from(["", "t13d0712h2_a", "t13d0911h1_b"]), min_size=1))
def test_fingerprints_of_tls_stay_with_their_events(hellos):
    n = len(hellos)
    parsed = replace(
        parsed_of([(0, f"key_{i % 3}", "", "", "", 200, 0, "") for i in range(n)]), tls=hellos
    )
    batch = batch_of(parsed)
    if not any(hellos):
        assert batch.tls is None
    else:
        assert [batch.prints[i] for i in batch.tls] == [hellos[i] for i in batch.arrival]


LOGS = {
    "keywatch-json": b'{"ts_ms":1762157564123,"key":"key_a","tls":"t13d0712h2_a"}',
    "custom-json": b'{"ts":"2025-11-03T09:12:44Z","key_id":"key_a","ja4":"t13d0712h2_a"}',
    "cloudflare": b'{"EdgeStartTimestamp":1762157564,"ClientIP":"192.0.2.1","JA4":"t13d0712h2_a"}',
    "ecs-json": b'{"@timestamp":"2025-11-03T09:12:44Z","tls":{"client":{"ja4":"t13d0712h2_a"}}}',
}


@pytest.mark.parametrize("name", LOGS)
def test_logs_that_have_a_fingerprint_of_the_tls_hello_give_it(name):
    bare = LOGS[name].replace(b'"t13d0712h2_a"', b'""')
    parsed = find(name).parse([LOGS[name], bare])
    assert (list(parsed.tls), parsed.rejected) == (["t13d0712h2_a", ""], [])
    assert list(find(name).parse([bare]).tls) in ([], [""])


TOKENS = {
    "keywatch-json": b'{"ts_ms":1762157564123,"key":"key_a","tokens":%b}',
    "nginx-json": b'{"time_iso8601":"2025-11-03T09:12:44Z","tokens":%b}',
    "custom-json": b'{"time":"2025-11-03T09:12:44Z","usage":{"total_tokens":%b}}',
}


@pytest.mark.parametrize("name", TOKENS)
def test_logs_that_say_what_an_answer_cost_give_it(name):
    lines = [TOKENS[name] % cost for cost in (b"0", b"1500", b"-1")]
    parsed = find(name).parse(lines)
    assert list(parsed.tokens) == [0, 1500]
    (refused,) = parsed.rejected
    assert refused[0] == 2
    assert refused[1].endswith("tokens: not a number of tokens")
