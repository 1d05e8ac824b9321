from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text

from database.transaction import reading, transaction
from keystore import graces, usage
from keystore.audit import rows_of
from keystore.issue import KeyOrder
from keystore.meter import Meter
from keystore.scheme import DAY_S
from keystore.store import KeyStore
from keystore.usage import network_of
from tests.databases import open_empty
from vocabulary.access import EventBatch

BY = {"actor": "ann", "reason": "a test"}
HOUR_S = 3600


def batch(events) -> EventBatch:
    """Make a batch of (key, epoch seconds, ip, method, status), as streams would."""
    events = sorted(events, key=lambda event: event[0])
    columns = [list(column) for column in zip(*events, strict=True)] or [[], [], [], [], []]

    def coded(values):
        distinct = sorted(set(values))
        return distinct, np.array([distinct.index(value) for value in values], dtype=np.int32)

    keys, key = coded(columns[0])
    ips, ip = coded(columns[2])
    methods, method = coded(columns[3])
    n = len(events)
    nothing = np.zeros(n, dtype=np.int32)
    return EventBatch(
        keys=keys, key=key, arrival=np.arange(n),
        ts_ms=np.array([int(at * 1000) for at in columns[1]], dtype=np.int64),
        ips=ips, ip=ip, methods=methods, method=method, paths=[""], path=nothing, agents=[""],
        agent=nothing, status=np.array(columns[4], dtype=np.int32),
        size=np.zeros(n, dtype=np.int64), accepted=np.ones(n, dtype=bool),
    )  # fmt: skip


def flush(store, meter):
    with transaction(store.engine) as connection:
        meter.flush(connection)


def uses(store, key_id, since=0.0):
    with reading(store.engine) as connection:
        return usage.of_key(connection, key_id, since)


events = st.lists(
    st.tuples(
        st.sampled_from(["", "credential:ab", "key_a", "key_b", "key_c"]),
        st.integers(1_750_000_000, 1_750_020_000),
        st.sampled_from(["203.0.113.7", "203.0.113.9", "2001:db8::1", "", "nonsense"]),
        st.sampled_from(["GET", "POST", "\x16\x03", "get"]),
        st.sampled_from([0, 200, 204, 401, 599, 999]),
    ),
    max_size=40,
)


@given(st.lists(events, max_size=3))
def test_what_is_counted_is_what_came(batches):
    meter = Meter(lambda: 1_760_000_000.0, lambda keys: {"key_a", "key_b"} & set(keys))
    for each in batches:
        meter.add(batch(each))
    first = {}
    for each in batches:
        for key, at, ip, *_ in each:
            place = (key, at // HOUR_S * HOUR_S, network_of(ip))
            first[place] = min(first.get(place, at), at)
    slow = Counter(
        (
            key,
            at // HOUR_S * HOUR_S,
            method if method in usage.METHODS else "other",
            status // 100 if 100 <= status < 600 else 0,
            network_of(ip),
        )
        for each in batches
        for key, at, ip, method, status in each
        if key in {"key_a", "key_b"}
    )
    assert {place: requests for place, (requests, *_) in meter._counted.items()} == slow
    counted = {}
    for (key, hour, _, _, network), (*_, at) in meter._counted.items():
        counted[key, hour, network] = min(counted.get((key, hour, network), at), at)
    assert counted == {place: at for place, at in first.items() if place[0] in {"key_a", "key_b"}}


@pytest.mark.parametrize(
    ("ip", "network"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("", ""),
        ("x", ""),
        (":x", ""),
    ],
)
def test_networks(ip, network):
    assert network_of(ip) == network


def test_counts_of_several_flushes_add_up(store, clock):
    meter = Meter(clock, set)
    for _ in range(2):
        meter.add(
            batch([("key_a", clock.now, "203.0.113.7", "GET", 200)] * 3),
            np.array([5, 6, 7]),
        )
        flush(store, meter)
    (use,) = uses(store, "key_a")
    assert (use.requests, use.tokens) == (6, 36)
    assert use.hour == clock.now // HOUR_S * HOUR_S


def test_the_first_of_several_uses_is_kept(store, clock):
    meter = Meter(clock, set)
    hour = clock.now // HOUR_S * HOUR_S
    for after in (50, 20, 30):
        meter.add(batch([("key_a", hour + after, "203.0.113.7", "GET", 200)]))
        flush(store, meter)
    assert [use.first_at for use in uses(store, "key_a")] == [hour + 20]


def test_what_is_not_known_of_an_old_row_stays_unknown(store, clock):
    hour = int(clock.now // HOUR_S) * HOUR_S
    for first_at in (None, clock.now):
        with transaction(store.engine) as connection:
            use = usage.Use("key_a", hour, "GET", 2, "", 1, 0, first_at)
            usage.record(connection, [use], {}, clock.now)
    (use,) = uses(store, "key_a")
    assert (use.requests, use.first_at) == (2, None)


def test_the_last_use_is_kept_to_the_hour_and_is_no_change(store, clock):
    key = store.create(KeyOrder(), **BY).key
    meter = Meter(clock, set)
    for wait, written in ((0, True), (60, False), (HOUR_S, True)):
        clock.now += wait
        before = store.get(key.id).last_used_at
        meter.add(batch([(key.id, clock.now, "203.0.113.7", "GET", 200)]))
        flush(store, meter)
        assert store.get(key.id).last_used_at == (clock.now if written else before)
    assert store.get(key.id).change_seq == key.change_seq


def test_an_event_of_the_future_does_not_move_the_last_use_beyond_now(store, clock):
    key = store.create(KeyOrder(), **BY).key
    meter = Meter(clock, set)
    meter.add(batch([(key.id, clock.now + DAY_S, "", "GET", 200)]))
    flush(store, meter)
    assert store.get(key.id).last_used_at == clock.now


@pytest.mark.parametrize("ahead_s", [2 * HOUR_S, 400 * DAY_S, 2e11])
def test_an_event_of_the_future_counts_now_and_is_forgotten_in_time(store, clock, ahead_s):
    meter = Meter(clock, set)
    meter.add(batch([("key_a", clock() + ahead_s, "203.0.113.7", "GET", 200)]))
    flush(store, meter)
    (use,) = uses(store, "key_a")
    assert use.hour == clock() // HOUR_S * HOUR_S
    assert use.first_at == int(clock() * 1000) / 1000
    with transaction(store.engine) as connection:
        assert usage.prune(connection, clock() + DAY_S) == 1


def test_old_hours_are_forgotten(store, clock):
    meter = Meter(clock, set)
    for at in (clock.now - 2 * DAY_S, clock.now):
        meter.add(batch([("key_a", at, "", "GET", 200)]))
    flush(store, meter)
    with transaction(store.engine) as connection:
        assert usage.prune(connection, clock.now - DAY_S) == 1
    assert len(uses(store, "key_a")) == 1


class Rotated:
    """A key in grace, and somebody who counts every minute."""

    def __init__(self, store, clock):
        self.store, self.clock, self.meter = store, clock, Meter(clock, set)
        self.listen(HOUR_S)
        self.old = store.create(KeyOrder(), **BY).key
        self.new = store.rotate(self.old.id, **BY).key

    def listen(self, seconds, *events_):
        # just often enough: a longer silence would be a gap
        for _ in range(0, int(seconds), usage.GAP_S):
            self.clock.now += usage.GAP_S
            if events_:
                named = [(key, self.clock.now, "", "GET", 200) for key in events_]
                self.meter.add(batch(named))
            flush(self.store, self.meter)

    def closed(self):
        with transaction(self.store.engine) as connection:
            found = graces.close(connection, DAY_S, actor="keywatch", now=self.clock.now)
        return [key.id for key in found]


@pytest.fixture
def rotated(local, clock):
    return Rotated(local, clock)


def test_a_grace_ends_early_when_nobody_uses_the_key(rotated):
    rotated.listen(DAY_S / 2, rotated.new.id)
    assert rotated.closed() == []
    rotated.listen(DAY_S / 2 + HOUR_S, rotated.new.id)
    assert rotated.closed() == [rotated.old.id]
    old = rotated.store.get(rotated.old.id)
    assert (old.state, old.previous_state) == ("revoked", "deprecated")
    with reading(rotated.store.engine) as connection:
        last = rows_of(connection, old.id)[-1]
    assert (last.verb, rotated.new.id in last.reason) == ("close_grace", True)
    assert rotated.store.restore(old.id, **BY).state == "deprecated"


def test_a_grace_goes_on_while_the_key_is_used(rotated):
    for _ in range(4):
        rotated.listen(DAY_S / 2, rotated.new.id)
        rotated.listen(300, rotated.old.id)
        assert rotated.closed() == []


def test_silence_of_whoever_counts_ends_no_grace(rotated):
    rotated.listen(DAY_S / 2)
    rotated.clock.now += DAY_S
    rotated.listen(300)
    assert rotated.closed() == []
    rotated.listen(DAY_S + HOUR_S)
    assert rotated.closed() == [rotated.old.id]


def test_a_backlog_ends_no_grace(rotated):
    """Events of long ago come in now: what the key did since is not known yet."""
    clock = rotated.clock
    rotated.listen(HOUR_S)
    then = clock.now
    clock.now += 3 * DAY_S
    rotated.meter.add(batch([("key_x", then + 60, "", "GET", 200)]))
    flush(rotated.store, rotated.meter)
    assert rotated.closed() == []


def test_only_rotated_keys_end_early(local, clock):
    rotated = Rotated(local, clock)
    only = local.create(KeyOrder(), **BY).key
    local.deprecate(only.id, grace_s=20 * DAY_S, **BY)
    rotated.listen(2 * DAY_S)
    assert rotated.closed() == [rotated.old.id]


def test_nobody_counted_ever(local, clock):
    old = local.create(KeyOrder(), **BY).key
    local.rotate(old.id, **BY)
    clock.now += 10 * DAY_S
    with transaction(local.engine) as connection:
        assert graces.close(connection, DAY_S, actor="keywatch", now=clock.now) == []


@pytest.mark.service
def test_who_notes_uses_and_who_revokes_a_key_never_wait_for_each_other(postgresql_url, clock):
    engine = open_empty(postgresql_url)
    store = KeyStore(engine, clock)
    key_id = store.create(KeyOrder(owner="ann"), **BY).key.id
    hour = int(clock.now) // HOUR_S * HOUR_S
    with ThreadPoolExecutor(1) as pool:
        with transaction(engine) as connection:
            usage.touch(connection, {key_id: clock.now})
            revoking = pool.submit(store.revoke, key_id, **BY)
            waits = text("SELECT count(*) FROM pg_locks WHERE NOT granted")
            while not connection.execute(waits).scalar():
                pass
            usage.add(connection, [usage.Use(key_id, hour, "GET", 2, "203.0.113.0/24", 1)])
        revoking.result(60)
    assert store.get(key_id).state == "revoked"
    assert [one.requests for one in uses(store, key_id)] == [1]
    engine.dispose()
