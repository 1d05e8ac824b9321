"""The short way through a batch gives what kafka-python gives."""

from contextlib import suppress
from unittest import mock

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from streams import kafka_records
from streams.kafka_records import lean

kafka = pytest.importorskip("kafka")
errors = pytest.importorskip("kafka.errors")
fetcher = pytest.importorskip("kafka.consumer.fetcher")
memory = pytest.importorskip("kafka.record.memory_records")
batches = pytest.importorskip("kafka.record.default_records")

calc_crc32c = pytest.importorskip("kafka.record.util").calc_crc32c

WHOLE = fetcher.Fetcher.PartitionRecords
PARTITION = kafka.TopicPartition("t", 0)
OCTETS = st.none() | st.binary(max_size=200) | st.just(b"x" * 9000)
RECORDS = st.lists(
    st.tuples(OCTETS, OCTETS, st.lists(st.tuples(st.text(max_size=20), OCTETS), max_size=3)),
    min_size=1,
    max_size=20,
)


def batch_of(records, *, base=0, compression=0, transactional=False, epoch=0):
    builder = batches.DefaultRecordBatchBuilder(
        magic=2, compression_type=compression, is_transactional=transactional, producer_id=-1,
        producer_epoch=-1, base_sequence=-1, batch_size=1_000_000,
    )  # fmt: skip
    for offset, (key, value, headers) in enumerate(records):
        builder.append(offset, 1_700_000_000_000 + 7 * offset, key, value, headers)
    built = bytearray(builder.build())
    built[:8] = base.to_bytes(8, "big")
    built[12:16] = epoch.to_bytes(4, "big")
    return bytes(built)


def read(kind, octets, start=0):
    reader = kind(
        start,
        PARTITION,
        memory.MemoryRecords(octets),
        None,
        None,
        True,
        0,
        [],
        None,
        lambda _: None,
    )
    found = []
    while reader:
        try:
            some = reader.take(3)
        except errors.CorruptRecordError:
            if not found:
                raise
            found.append("broken")
            break
        if not some:
            break
        found += [(one.offset, one.value, list(one.headers)) for one in some]
        found.append(("next", reader.next_fetch_offset, reader.leader_epoch))
    return found, reader.next_fetch_offset


HALF = settings(max_examples=50)
WAYS = pytest.mark.parametrize("few", [0, 1000], ids=["in columns", "one by one"])


@WAYS
@HALF
@given(RECORDS, st.sampled_from([0, 1]), st.integers(0, 30))
def test_gives_what_kafka_python_gives(few, records, compression, start):
    octets = batch_of(records, compression=compression)
    octets += batch_of(records[:1], base=len(records), transactional=True)
    octets += batch_of(records, base=len(records) + 1)
    with mock.patch.object(kafka_records, "_FEW", few):
        assert read(lean(WHOLE), octets, start) == read(WHOLE, octets, start)


def test_a_batch_of_many_records_is_read_in_columns():
    records = [(b"k%d" % n, b"v" * n, [("n", b"%d" % n)] if n % 7 == 0 else []) for n in range(900)]
    octets = batch_of(records, base=2**40)
    with mock.patch.object(kafka_records, "_one_by_one", None):
        assert read(lean(WHOLE), octets) == read(WHOLE, octets)


@WAYS
@HALF
@given(
    st.lists(st.tuples(RECORDS, st.sampled_from([0, 0, 0, 1]), st.integers(0, 1)), max_size=9),
    st.integers(0, 9),
    st.integers(0, 400),
)
def test_batches_that_are_read_together_are_those_that_kafka_python_gives(few, some, broken, start):
    """Small ones, some compressed, of two leaders, with gaps between them, and one is damaged."""
    octets, base = b"", 0
    for number, (records, compression, epoch) in enumerate(some):
        one = batch_of(records, base=base, compression=compression, epoch=epoch)
        octets += one[:-1] + bytes([one[-1] ^ (number == broken)])
        base += len(records) + number
    with mock.patch.object(kafka_records, "_FEW", few):
        try:
            expected = read(WHOLE, octets, start)
        except errors.CorruptRecordError:
            with pytest.raises(errors.CorruptRecordError):
                read(lean(WHOLE), octets, start)
        else:
            assert read(lean(WHOLE), octets, start) == expected


def test_what_is_before_impossible_lengths_comes_first():
    """Their checksum is right: whoever wrote them meant it."""
    good, bad = batch_of([(b"k", b"value", [])] * 5), bytearray(batch_of([(b"k", b"v", [])] * 5))
    bad[:8], bad[61] = (5).to_bytes(8, "big"), 0x7E
    bad[17:21] = calc_crc32c(bytes(bad[21:])).to_bytes(4, "big")
    for octets in (good + bytes(bad), good + bytes(bad)[:40] + bytes(60)):
        assert read(lean(WHOLE), octets) == read(WHOLE, octets)
        assert read(lean(WHOLE), octets)[0][:5] == read(WHOLE, good)[0][:5]


def test_a_damaged_batch_is_an_error_as_it_is_to_kafka_python():
    octets = bytearray(batch_of([(b"k", b"value", [])] * 3))
    octets[-3] ^= 1
    for kind in (lean(WHOLE), WHOLE):
        with pytest.raises(errors.CorruptRecordError):
            read(kind, bytes(octets))


@WAYS
@HALF
@given(st.binary(max_size=40), st.integers(0, 39))
def test_lengths_that_do_not_fit_are_an_error_and_nothing_else(few, garbage, place):
    octets = bytearray(batch_of([(b"k", b"value", [("a", b"b")])] * 3))
    at = min(61 + place, len(octets))  # behind the head
    octets[at : at + len(garbage)] = garbage[: len(octets) - at]

    class Unchecked(lean(WHOLE)):
        def __init__(self, *words):
            super().__init__(*words)
            self.check_crcs = False

    with mock.patch.object(kafka_records, "_FEW", few), suppress(errors.CorruptRecordError):
        read(Unchecked, bytes(octets))
