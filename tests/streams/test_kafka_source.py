"""The source against a real broker."""

import sys
import threading
import time
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from itertools import count
from unittest import mock

import pytest

from streams import formats
from streams.chunk import Chunk
from streams.sources import kafka as kafka_source
from streams.sources.kafka import KafkaSource
from vocabulary.errors import DatabaseError, ServiceError, UsageError

kafka = pytest.importorskip("kafka")
kafka_admin = pytest.importorskip("kafka.admin")
pytestmark = [pytest.mark.service, pytest.mark.usefixtures("kafka_closes_sockets")]

PATIENCE_S = 60.0
NUMBERS = count()
EMPTY = Chunk("", [], [], {})


class Topic:
    """A topic of one test alone."""

    def __init__(self, broker, partitions, name=""):
        self.broker, self.partitions = broker, partitions
        self.name = name or f"test-{next(NUMBERS)}"
        self.admin = kafka_admin.KafkaAdminClient(bootstrap_servers=broker)
        self.admin.create_topics([kafka_admin.NewTopic(self.name, partitions, 1)])
        self.producer = kafka.KafkaProducer(
            bootstrap_servers=broker, acks="all", retries=50, reconnect_backoff_max_ms=500
        )
        self.sent = defaultdict(list)

    def send(self, *values):
        for value in values:
            partition = len(self.sent) and sum(map(len, self.sent.values())) % self.partitions
            self.producer.send(self.name, value, key=b"k", partition=partition)
            self.sent[f"kafka:{self.name}/{partition}"].append(value)
        self.producer.flush()

    def close(self):
        self.producer.close()
        self.admin.close()


class Reader:
    """A worker that commits every chunk, with the positions that all workers share."""

    def __init__(self, topic, committed, read, **options):
        self.told, self.read, self.committed = [], read, committed
        self.source = KafkaSource(
            topic.name,
            brokers=[topic.broker],
            group=topic.name,
            positions=committed.get,
            tell=self.told.append,
            **options,
        )
        self.source.open(None)

    def step(self, max_lines=50):
        chunk = self.source.read(max_lines, 0.05)
        if chunk is not None:
            self.read[chunk.source] += chunk.lines
            self.committed[chunk.source] = chunk.position
        return chunk


@pytest.fixture
def topic(kafka_broker):
    topic = Topic(kafka_broker, 3)
    yield topic
    topic.close()


@pytest.fixture
def worker(topic):
    committed, read, workers = {}, defaultdict(list), []

    def start(**options):
        workers.append(Reader(topic, committed, read, **options))
        return workers[-1]

    yield start
    for each in workers:
        each.source.close()


def until(condition, *workers):
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, [(each.told, each.committed) for each in workers]
        for each in workers:
            each.step()


def side_by_side(condition, *workers):
    """Have each worker read on a thread of its own, as processes do, until the condition holds."""
    done = threading.Event()

    def read(reader):
        while not done.is_set():
            reader.step()

    with ThreadPoolExecutor(len(workers)) as pool:
        reading = [pool.submit(read, each) for each in workers]
        try:
            until(lambda: done.wait(0.05) or condition())
        finally:
            done.set()
    for each in reading:
        each.result()


def lines(start, end):
    return [b"line %d" % number for number in range(start, end)]


def test_reads_every_record_of_every_partition_once_and_in_order(topic, worker):
    topic.send(*lines(0, 500))
    reader = worker()
    until(lambda: reader.read == topic.sent, reader)
    assert {position["offset"] for position in reader.committed.values()} == {166, 167}


def test_says_where_a_record_stands(topic, worker):
    topic.send(b"a")
    reader = worker()
    chunks = []
    until(lambda: chunks.append(reader.step()) or chunks[-1])
    assert chunks[-1].place(0) == {"topic": topic.name, "partition": 0, "offset": 0}


def test_goes_on_from_what_was_committed(topic, worker):
    topic.send(*lines(0, 90))
    first = worker()
    until(lambda: sum(map(len, first.read.values())) >= 30, first)
    lost = first.source.read(50, 1.0)  # read, and not committed
    assert lost is not None
    first.source.close()
    topic.send(*lines(90, 120))
    second = worker()
    until(lambda: second.read == topic.sent, second)


def test_opened_again_it_gives_again_what_was_not_committed(topic, worker):
    topic.send(*lines(0, 30))
    reader = worker()
    until(lambda: reader.source.read(5, 0.1) is not None)
    reader.source.open(None)
    until(lambda: reader.read == topic.sent, reader)


def test_workers_share_the_partitions_and_take_over_from_one_another(topic, worker):
    topic.send(*lines(0, 60))
    first = worker()
    until(lambda: first.read == topic.sent, first)
    second = worker()
    shared = lambda: second.source.assignment and len(first.source.assignment) < 3  # noqa: E731
    side_by_side(shared, first, second)
    topic.send(*lines(60, 160))
    side_by_side(lambda: first.read == topic.sent, first, second)
    first.source.close()
    topic.send(*lines(160, 200))
    until(lambda: second.read == topic.sent, second)
    assert second.source.assignment == {0, 1, 2}


def test_who_keeps_its_partitions_is_not_interrupted_when_another_comes(topic, worker):
    topic.send(*lines(0, 60))
    first = worker()
    until(lambda: first.read == topic.sent, first)
    lost, gained = [], []
    for name, seen in (("revoked", lost), ("assigned", gained)):
        was = getattr(first.source, name)
        setattr(
            first.source, name, lambda these, was=was, seen=seen: seen.extend(these) or was(these)
        )
    second = worker()
    side_by_side(lambda: second.source.assignment, first, second)
    (moved,) = second.source.assignment
    assert [(one.partition) for one in lost] == [moved]
    assert not gained
    assert len(first.source.assignment) == 2


def test_a_worker_that_comes_back_by_its_name_moves_nothing(topic, worker):
    topic.send(*lines(0, 60))
    first, second = (worker(options={"group_instance_id": f"w{n}"}) for n in range(2))
    side_by_side(lambda: first.source.assignment and second.source.assignment, first, second)
    side_by_side(lambda: first.read == topic.sent, first, second)
    before = first.source.assignment, second.source.assignment
    lost = []
    first.source.revoked = lost.extend
    second.source.close()
    again = worker(options={"group_instance_id": "w1"})
    topic.send(*lines(60, 120))
    side_by_side(lambda: first.read == topic.sent, first, again)
    assert (first.source.assignment, again.source.assignment) == before
    assert not lost


def test_a_record_of_a_newer_schema_is_refused_and_says_so(topic, worker):
    topic.partitions = 1
    for headers in ([("schema", b"1")], [("schema", b"2\n")], [], [("other", b"2")]):
        topic.producer.send(topic.name, b"x", headers=headers, partition=0)
    topic.producer.flush()
    reader = worker(once=True)
    chunks = []
    until(lambda: chunks.append(reader.step()) or reader.source.done)
    refused = [one for chunk in chunks if chunk for one in chunk.refused]
    assert refused == [(1, "schema: version '2\\n', this keywatch reads 1")]
    assert [chunk.usable().lines for chunk in chunks if chunk] == [[b"x", b"", b"x", b"x"]]


def test_a_killed_broker_costs_nothing(topic, worker, kafka_service):
    topic.send(*lines(0, 100))
    reader = worker()
    until(lambda: any(reader.read.values()), reader)
    kafka_service.kill()
    for _ in range(5):
        reader.step()
    kafka_service.start()
    topic.send(*lines(100, 200))
    until(lambda: reader.read == topic.sent, reader)


def test_waits_for_a_broker_that_is_away_at_the_start(topic, worker, kafka_service):
    topic.send(*lines(0, 10))
    kafka_service.stop()
    reader = worker()
    assert reader.step() is None
    kafka_service.start()
    assert "no broker answers" in reader.told[0]
    until(lambda: reader.read == topic.sent, reader)


def test_read_once_it_ends_with_what_was_there(topic, worker):
    topic.send(*lines(0, 100))
    reader = worker(once=True)
    topic.send(*lines(100, 110))
    until(lambda: reader.source.done, reader)
    assert sum(map(len, reader.read.values())) >= 100
    again = worker(once=True)
    until(lambda: again.source.done, again)
    assert again.read == topic.sent


def test_what_is_no_event_is_refused_by_the_format_and_stops_nothing(topic, worker):
    sample = formats.find("nginx-json").samples[0]
    topic.partitions = 1
    topic.send(sample, None, b"\xff\0", b"{\n}", sample)
    reader = worker(once=True)
    until(lambda: reader.source.done, reader)
    [values] = reader.read.values()
    parsed = formats.find("nginx-json").parse(values)
    assert list(parsed.line) == [0, 4]
    assert [line for line, _ in parsed.rejected] == [2, 3]


def test_says_which_records_are_gone(topic, worker):
    topic.partitions = 1
    topic.send(*lines(0, 20))
    topic.admin.delete_records({kafka.TopicPartition(topic.name, 0): 15})
    reader = worker()
    reader.committed[f"kafka:{topic.name}/0"] = {"offset": 5}
    reader.source.open(None)
    until(lambda: any(reader.read.values()), reader)
    assert reader.read[f"kafka:{topic.name}/0"] == lines(15, 20)
    assert "records 5 to 14 are no longer there" in reader.told[0]


@pytest.mark.parametrize("runs", [True, False])
def test_a_topic_that_was_made_anew_is_read_from_its_beginning(topic, worker, runs):
    topic.partitions = 1
    source = f"kafka:{topic.name}/0"
    topic.send(*lines(0, 20))
    reader = worker()
    until(lambda: len(reader.read[source]) == 20, reader)
    if not runs:
        reader.source.close()
    topic.admin.delete_topics([topic.name])
    made_anew(topic)
    topic.sent.clear()
    topic.send(*lines(100, 107))
    if not runs:
        reader = worker()
    until(lambda: len(reader.read[source]) >= 27, reader)
    assert reader.read[source] == [*lines(0, 20), *lines(100, 107)]
    assert any("made anew" in one for one in reader.told)
    assert reader.committed[source]["offset"] == 7
    topic.send(*lines(107, 140))
    until(lambda: len(reader.read[source]) >= 60, reader)
    assert reader.read[source][20:] == lines(100, 140)


def made_anew(topic):
    """Make the topic of that name again, once the broker has forgotten it."""
    deadline = time.monotonic() + PATIENCE_S
    while True:
        try:
            topic.admin.create_topics([kafka_admin.NewTopic(topic.name, 1, 1)])
        except kafka.errors.TopicAlreadyExistsError:
            assert time.monotonic() < deadline
        else:
            break
    topic.producer.close()
    topic.producer = kafka.KafkaProducer(bootstrap_servers=topic.broker, acks="all", retries=50)


def test_partitions_that_are_added_are_read_from_their_beginning(topic, worker):
    topic.send(*lines(0, 30))
    seldom = {"metadata_max_age_ms": 200}
    first, second = worker(options=seldom), worker(options=seldom)
    side_by_side(lambda: first.read == topic.sent, first, second)
    topic.admin.create_partitions({topic.name: kafka_admin.NewPartitions(5)})
    topic.partitions = 5
    topic.producer.close()
    topic.producer = kafka.KafkaProducer(bootstrap_servers=topic.broker, acks="all", retries=50)
    topic.send(*lines(30, 90))
    side_by_side(lambda: first.read == topic.sent, first, second)
    assert f"kafka:{topic.name}/4" in first.read
    assert first.source.assignment.isdisjoint(second.source.assignment)
    assert not any("no longer there" in one for one in (*first.told, *second.told))


def test_pauses_and_resumes(topic, worker):
    reader = worker()
    until(lambda: len(reader.source.assignment) == 3, reader)
    reader.source.pause()
    topic.send(*lines(0, 9))
    assert not any(reader.step() for _ in range(5))
    reader.source.resume()
    until(lambda: reader.read == topic.sent, reader)


def test_a_position_that_cannot_be_loaded_stops_the_reading(topic, worker):
    topic.send(*lines(0, 9))

    def away(_):
        raise DatabaseError("the database is locked")

    reader = worker()
    positions, reader.source._positions = reader.source._positions, away
    with pytest.raises(DatabaseError):
        until(lambda: False, reader)
    reader.source._positions = positions
    until(lambda: reader.read == topic.sent, reader)


def test_a_topic_that_does_not_exist_is_an_error_when_read_once(kafka_broker):
    source = KafkaSource(
        "missing", brokers=[kafka_broker], group="g", positions=lambda _: None, once=True
    )
    with pytest.raises(ServiceError, match="kafka:missing at 127"):
        source.open(None)


def test_without_the_package_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "kafka", None)
    source = KafkaSource("t", brokers=["127.0.0.1:1"], group="g", positions=lambda _: None)
    with pytest.raises(UsageError, match=r"install keywatch\[kafka\]"):
        source.open(None)


def test_what_a_transaction_took_back_is_not_read(topic, worker):
    producer = kafka.KafkaProducer(bootstrap_servers=topic.broker, transactional_id=topic.name)
    producer.init_transactions()
    for values, end in (((b"a", b"b"), "commit"), ((b"c",), "abort"), ((b"d",), "commit")):
        producer.begin_transaction()
        for value in values:
            producer.send(topic.name, value, partition=0)
        producer.flush()  # else what is to be aborted is never sent
        getattr(producer, f"{end}_transaction")()
    producer.close()
    reader, offsets = worker(once=True), []
    until(lambda: offsets.extend((reader.step() or EMPTY).offsets) or reader.source.done)
    assert reader.read == {f"kafka:{topic.name}/0": [b"a", b"b", b"d"]}
    assert offsets == [0, 1, 5]  # ends of transactions are records as well


def test_chunks_are_no_larger_than_asked_for(topic, worker):
    topic.send(*lines(0, 90))
    reader, sizes = worker(), iter([60, *[2] * 1000])

    def step():
        most = next(sizes)
        assert len((reader.step(most) or EMPTY).lines) <= most
        return reader.read == topic.sent

    until(step)
    assert reader.source.parts == set(topic.sent)


def test_paused_before_it_has_partitions_it_gives_nothing(topic, worker, eventually_assigned):
    topic.send(*lines(0, 9))
    reader = worker()
    reader.source.close()
    reader.source.pause()
    reader.source.resume()
    reader.source.pause()
    reader.source.assigned([kafka.TopicPartition(topic.name, 0)])  # too late to matter
    assert reader.source.parts == set()
    reader.source.open(None)
    eventually_assigned(reader)
    assert not any(reader.step() for _ in range(3))
    reader.source.resume()
    until(lambda: reader.read == topic.sent, reader)


@pytest.fixture
def eventually_assigned():
    return lambda reader: until(lambda: len(reader.source.assignment) == 3, reader)


def test_who_reads_once_waits_only_so_long_for_a_broker(monkeypatch):
    monkeypatch.setattr(kafka_source, "PATIENCE_S", 0.0)
    monkeypatch.setattr(kafka_source, "_KNOCK_S", 0.0)
    source = KafkaSource("t", brokers=["127.0.0.1:1"], group="g", positions={}.get, once=True)
    with pytest.raises(ServiceError, match=r"kafka:t at 127\.0\.0\.1:1: no broker answers"):
        source.open(None)


def test_what_the_broker_refuses_for_good_is_an_error_and_what_passes_a_reminder(topic, worker):
    topic.send(*lines(0, 9))
    reader = worker()
    for error in (kafka.errors.TopicAuthorizationFailedError, kafka.errors.RequestTimedOutError):
        reader.source._consumer.poll = mock.Mock(side_effect=error)
        if error.retriable:
            assert reader.step() is None
            assert f"{error.__name__}; trying again" in reader.told[-1]
        else:
            with pytest.raises(ServiceError, match=f"{error.__name__}.*its rights"):
                reader.step()
            reader.source.open(None)
    del reader.source._consumer.poll
    until(lambda: reader.read == topic.sent, reader)


def test_a_group_that_never_agrees_is_joined_anew(topic, worker, monkeypatch):
    topic.send(*lines(0, 9))
    monkeypatch.setattr(kafka_source, "_STUCK_S", 0.0)
    monkeypatch.setattr(kafka_source, "_JOIN_S", 0.0)
    reader = worker()
    reader.source._agreeing = lambda: True
    was = reader.source._consumer
    until(lambda: reader.source._consumer is not was, reader)
    del reader.source._agreeing
    monkeypatch.undo()
    until(lambda: reader.read == topic.sent, reader)


def test_a_topic_that_does_not_exist_yet_is_waited_for(kafka_broker):
    name, told = f"later-{next(NUMBERS)}", []
    source = KafkaSource(
        name, brokers=[kafka_broker], group="g", positions={}.get, tell=told.append,
        options={"metadata_max_age_ms": 100},
    )  # fmt: skip
    with source:
        source.open(None)
        assert "the topic does not exist yet" in told[0]
        topic = Topic(kafka_broker, 1, name)
        topic.send(b"a")
        topic.close()
        chunks = []
        until(lambda: chunks.append(source.read(9, 0.05)) or chunks[-1])
    assert chunks[-1].lines == [b"a"]
