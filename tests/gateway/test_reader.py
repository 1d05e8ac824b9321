"""What the reader delivers, on a real database that others write to meanwhile."""

import random
import sys
import threading
from contextlib import contextmanager, suppress
from hashlib import sha256

import pytest

from database.transaction import open_database, transaction
from gateway import reader as reading
from gateway.app import Gateway
from gateway.follower import Question
from gateway.options import Options
from gateway.reader import Reader
from gateway.renewal import Renewal
from keystore import feed
from keystore.issue import KeyOrder
from keystore.store import KeyStore
from tests.gateway.test_app import echo
from vocabulary.credential import credential_of
from vocabulary.errors import TransitionError


@contextmanager
def following(shelf, deliver):
    reader = Reader(shelf.store.engine, poll_s=0.001)
    reader.start(deliver)
    try:
        yield reader
    finally:
        reader.stop()


def question(secret):
    credential = credential_of(secret)
    return Question(bytes.fromhex(credential.sha256), credential)


def renewal(secret, mark, now=0.0):
    return Renewal(sha256(secret.encode()).digest(), mark, now, now + 60)


def test_tells_to_forget_all_at_first_and_then_what_changed(shelf, eventually):
    issued, news = shelf.issue(), []
    with following(shelf, news.append):
        eventually(lambda: news)
        assert news[0].everything
        shelf.store.revoke(issued.key.id, actor="test")
        eventually(lambda: any(n.changed for n in news))
    changed = [grants.key for n in news for grants in n.changed]
    assert [(key.id, key.state) for key in changed] == [(issued.key.id, "revoked")]
    assert not any(n.everything for n in news[1:])


@pytest.mark.skipif(sys.platform != "linux", reason="inotify")
def test_on_a_file_the_reader_hears_writers_that_ring_no_bell_and_looks_seldom(place, eventually):
    other = KeyStore(open_database(f"sqlite:///{place.folder}/./keys.db"))
    news = []
    reader = Reader(place.store.engine, poll_s=3600)
    reader.start(news.append)
    try:
        eventually(lambda: news)
        # The first ones may come before the file is listened to.
        eventually(lambda: other.create(KeyOrder(), actor="test") and news[1:])
    finally:
        reader.stop()
        other.engine.dispose()
    assert any(one.changed for one in news[1:])


@pytest.mark.parametrize(("silence_s", "quiet_s"), [(1.0, 0.1), (0.1, 0.02)])
def test_the_reader_is_heard_often_enough_for_the_silence_that_is_borne(shelf, silence_s, quiet_s):
    reader = Reader(shelf.store.engine)
    Gateway(echo, reader, Options(silence_s=silence_s))
    assert reader.quiet_s == quiet_s


def test_what_is_to_be_read_again_is_answered_with_the_next_looks_however_much_it_is(
    shelf, eventually
):
    made = shelf.store.create_many([KeyOrder()] * 200, actor="test")
    renewed = [renewal(one.secret, 1) for one in made]
    news = []
    with following(shelf, news.append) as reader:
        eventually(lambda: news)
        for one in renewed:
            reader.renew(one)
        eventually(
            lambda: {a.digest for n in news for a in n.answers} == {r.digest for r in renewed}
        )
    answers = [(digest, grants) for n in news for digest, grants, _ in n.answers]
    assert len(answers) == len(renewed)
    assert all(bytes.fromhex(grants.key.hash) == digest for digest, grants in answers)


@pytest.mark.parametrize(
    "record",
    [
        lambda connection, ids: feed.record(connection, [feed.EVERYTHING], 0.0),
        lambda connection, ids: feed.record(connection, ids * 1000, 0.0),
        lambda connection, ids: feed.record(connection, ids, 0.0, feed.head(connection) + 5),
        lambda connection, ids: feed.record(connection, ["key_that_is_not_there"], 0.0),
    ],
    ids=["everything changed", "too many to tell", "a gap in the numbers", "a key that is gone"],
)
def test_tells_to_forget_all_when_it_cannot_tell_what_changed(shelf, eventually, record):
    ids, news = [shelf.issue().key.id], []
    with following(shelf, news.append):
        eventually(lambda: news)
        with transaction(shelf.store.engine) as connection:
            record(connection, ids)
        eventually(lambda: any(n.everything for n in news[1:]))
        shelf.store.revoke(ids[0], actor="test")
        eventually(lambda: any(n.changed for n in news))


def test_a_look_up_never_arrives_after_a_change_that_it_did_not_see(shelf, eventually):
    """A cache that does what it is told always ends up with the truth."""
    issued = [shelf.issue() for _ in range(5)]
    held, lock = {}, threading.Lock()

    def deliver(news):
        with lock:
            if news.everything:
                held.clear()
            for grants in news.changed:
                if grants.key.id in held:
                    held[grants.key.id] = grants.key
            for _, grants, _ in news.answers:
                held[grants.key.id] = grants.key

    chance = random.Random(7)
    with following(shelf, deliver) as reader:
        for _ in range(60):
            key = chance.choice(issued)
            reader.ask(question(key.secret))
            verb = chance.choice([shelf.store.revoke, shelf.store.restore, shelf.store.suspend])
            with suppress(TransitionError):
                verb(key.key.id, actor="test", reason="test")
            reader.ask(question(chance.choice(issued).secret))
        for key in issued:
            reader.ask(question(key.secret))

        def is_true():
            with lock:
                return all(held.get(key.key.id) == shelf.store.get(key.key.id) for key in issued)

        eventually(is_true)


def test_unknown_credentials_are_answered_with_nothing(shelf, eventually):
    news = []
    with following(shelf, news.append) as reader:
        for number in range(200):
            reader.ask(question(f"random-{number}"))
        eventually(lambda: sum(len(n.answers) for n in news) == 200)
    assert all(answer.grants is None for n in news for answer in n.answers)


def test_the_connections_of_whoever_shares_the_engine_are_left_alone(shelf, eventually):
    pool, news = shelf.store.engine.pool, []
    with following(shelf, news.append):
        eventually(lambda: news)
    assert shelf.store.engine.pool is pool


def test_a_thread_that_is_held_up_at_the_end_does_not_go_on_beside_the_next_one(shelf, monkeypatch):
    """Whoever takes the news of the first start hears nothing more after the second."""
    monkeypatch.setattr(reading, "_PATIENCE_S", 0.01)
    held, go_on = threading.Event(), threading.Event()
    first, second, told = [], [], threading.Event()

    def holds_up(news):
        first.append(news)
        held.set()
        go_on.wait(60)

    def takes(news):
        second.append(news)
        told.set()

    reader = Reader(shelf.store.engine, poll_s=0.001)
    reader.start(holds_up)
    assert held.wait(60)
    threads = [one for one in threading.enumerate() if one.name == "keystore"]
    reader.stop()
    reader.start(takes)
    assert told.wait(60)
    go_on.set()
    for thread in threads:
        thread.join(60)
        assert not thread.is_alive()
    reader.ask(question("nobody-has-this"))
    told.clear()
    assert told.wait(60)
    reader.stop()
    assert len(first) == 1
    assert second[0].everything
