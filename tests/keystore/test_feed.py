import subprocess
import sys
import threading
from contextlib import suppress
from pathlib import Path

from database.transaction import open_database, reading, transaction
from keystore import audit, feed
from keystore.issue import KeyOrder
from keystore.store import KeyStore


class Crash(Exception):  # noqa: N818  (it is one)
    """Whatever may go wrong in a caller."""


BY = {"actor": "ann", "reason": "a test"}
WRITER = Path(__file__).parent / "writer.py"
ROOT = Path(__file__).parent.parent.parent


def changes(store, seq=0, limit=1000):
    with reading(store.engine) as connection:
        return feed.changes_since(connection, seq, limit)


def test_each_change_has_the_next_number_and_its_key_knows_it(store, clock):
    one = store.create(KeyOrder(), **BY).key
    clock.now += 5
    two = store.create(KeyOrder(), **BY).key
    store.revoke(one.id, **BY)
    assert [(c.seq, c.key_id) for c in changes(store)] == [(1, one.id), (2, two.id), (3, one.id)]
    assert changes(store)[1].at == clock.now
    assert store.get(one.id).change_seq == 3


def test_a_follower_goes_on_where_it_was(store):
    for _ in range(5):
        store.create(KeyOrder(), **BY)
    assert [change.seq for change in changes(store, 2, limit=2)] == [3, 4]
    assert changes(store, 5) == []


def test_what_is_rolled_back_leaves_no_number(store):
    store.create(KeyOrder(), **BY)
    with suppress(Crash), transaction(store.engine) as connection:
        feed.record(connection, ["key_x"], 1.0)
        raise Crash
    store.create(KeyOrder(), **BY)
    assert [change.seq for change in changes(store)] == [1, 2]


def test_a_follower_never_sees_a_smaller_number_later(database_url):
    """Two processes write, this one follows: numbers become visible in their order, all of them."""
    times, processes = 40, 2
    engine = open_database(database_url)
    store = KeyStore(engine)
    command = [sys.executable, str(WRITER), database_url, str(times)]
    writers = [
        subprocess.Popen(
            command,
            cwd=ROOT,
            env={"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
        )
        for _ in range(processes)
    ]
    assert [writer.stdout.readline() for writer in writers] == [b"ready\n"] * processes
    for writer in writers:
        writer.stdout.close()
        writer.stdin.close()  # all begin when all are there
    ended = threading.Event()
    threading.Thread(target=lambda: ([w.wait() for w in writers], ended.set())).start()
    seen: list[int] = []
    last_round = False
    while not last_round:
        last_round = ended.is_set()
        new = changes(store, seen[-1] if seen else 0)
        seen += [change.seq for change in new]
    assert [writer.returncode for writer in writers] == [0] * processes
    assert seen == list(range(1, processes * times * 2 + 1))
    with reading(engine) as connection:
        proven = audit.verify(connection)
    assert (proven.rows, proven.broken_at) == (len(seen), 0)
    engine.dispose()
