"""Records of a topic, without what nobody here asks for.

kafka-python (3.0.12) makes of each record a tuple of thirteen fields, which takes a worker about as
long as all that follows. Only plain batches are read here; what is transactional, for control,
damaged or of an older format is left to kafka-python.

The format: https://kafka.apache.org/documentation/#recordbatch
"""

from collections.abc import Iterator, Sequence
from typing import Any

import msgspec
import numpy as np
import numpy.typing as npt

_MAGIC = 2
_MORE = 0x80
_SHORT, _LONG = 5, 10
"""Octets of a number of 32 and of 64 bits, at most."""

_FEW = 48
"""Records up to which columns take longer than one after the other."""

_TOGETHER = 1024 * 1024
"""Octets of batches that are read together: who sends soon sends few records at once."""


Headers = Sequence[tuple[str, bytes | None]]
Octets = npt.NDArray[np.uint8]
Places = npt.NDArray[np.int64]


class Fetched(msgspec.Struct, frozen=True, gc=False):
    """A record, as far as it is of use."""

    offset: int
    value: bytes | None
    headers: Headers


def read_leanly(consumer: Any) -> None:  # noqa: ANN401  (of the extra)
    """Have a consumer make `Fetched` of its records; another kafka-python is left as it is."""
    fetcher = getattr(consumer, "_fetcher", None)
    whole = getattr(fetcher, "PartitionRecords", None)
    if fetcher is not None and hasattr(whole, "_unpack_records"):
        fetcher.PartitionRecords = lean(whole)


def lean(whole: Any) -> Any:  # noqa: ANN401  (a class of the extra, and one below it)
    """Return kafka-python's reader of a partition's records, with a short way for plain batches."""

    class Lean(whole):  # type: ignore[misc]
        def _unpack_records(self, tp: Any, records: Any, *more: Any) -> Iterator[Any]:  # noqa: ANN401
            ahead = _Ahead(records)
            while run := _run(ahead, check=self.check_crcs):
                for last, found in _parts(run):
                    self.leader_epoch = last.leader_epoch
                    self.records_read += len(found)
                    for record in found:
                        self.next_fetch_offset = record.offset + 1
                        yield record
                    # Compaction may have taken the last ones.
                    self.next_fetch_offset = last.next_offset
            if ahead.peek() is None:
                self.drain()
            else:
                yield from super()._unpack_records(tp, ahead, *more)

    return Lean


class _Ahead:
    """Batches, of which the next one is seen before it is taken."""

    def __init__(self, records: Any) -> None:  # noqa: ANN401  (of the extra)
        self._records = records
        self._seen: Any = None
        self._failure: Exception | None = None

    def peek(self) -> Any:  # noqa: ANN401  (of the extra)
        if self._failure is not None:
            raise self._failure
        if self._seen is None:
            try:
                self._seen = self._records.next_batch()
            except Exception as error:
                # Asked again, kafka-python would go on behind what it failed at.
                self._failure = error
                raise
        return self._seen

    def next_batch(self) -> Any:  # noqa: ANN401  (of the extra)
        batch, self._seen = self.peek(), None
        return batch


def _run(ahead: _Ahead, *, check: bool) -> list[Any]:
    """Take the plain batches that are next; small ones of one leader are read together."""
    run: list[Any] = []
    octets = 0
    while octets < _TOGETHER:
        try:
            batch = ahead.peek()
        except Exception:
            if run:  # what is before it comes first
                break
            raise
        if batch is None or not _is_plain(batch):
            break
        if run and (batch.compression_type or batch.leader_epoch != run[0].leader_epoch):
            break
        if check and not batch.validate_crc():
            break
        run.append(ahead.next_batch())
        # What unpacks to nobody knows how much is read alone.
        octets = _TOGETHER if batch.compression_type else octets + batch.size_in_bytes
    return run


def _is_plain(batch: Any) -> bool:  # noqa: ANN401  (of the extra)
    return batch.magic == _MAGIC and not batch.is_transactional and not batch.is_control_batch


def _parts(run: list[Any]) -> Iterator[tuple[Any, Sequence[Fetched]]]:
    """Yield records, and the last of their batches: all of them at once, if none is broken."""
    from kafka.errors import CorruptRecordError  # noqa: PLC0415  (an extra)

    try:
        found = _records(run)
    except CorruptRecordError:
        if len(run) == 1:
            raise
    else:
        yield run[-1], found
        return
    for batch in run:
        yield batch, _records([batch])


def _records(run: Sequence[Any]) -> Sequence[Fetched]:
    """Return the records of plain batches.

    Raises:
        CorruptRecordError: when lengths do not fit one another.
    """
    from kafka.errors import CorruptRecordError  # noqa: PLC0415  (an extra)

    pieces = []
    for batch in run:
        batch._maybe_uncompress()  # noqa: SLF001  (a batch has no other way to its bytes)
        pieces.append(memoryview(batch._buffer)[batch._pos :])  # noqa: SLF001
    buffer, starts, pos = b"".join(pieces), [], 0
    try:
        for batch, piece in zip(run, pieces, strict=True):
            starts += _starts(buffer, pos, pos + len(piece), batch.records_count)
            pos += len(piece)
        base = np.repeat([one.base_offset for one in run], [one.records_count for one in run])
        read = _one_by_one if len(starts) <= _FEW else _in_columns
        return read(buffer, starts, base)
    except (IndexError, ValueError) as error:
        raise CorruptRecordError("a record of impossible lengths") from error


def _starts(buffer: bytes, pos: int, end: int, count: int) -> list[int]:
    """Return where the length of each record stands.

    Raises:
        ValueError: when they do not fill the batch.
    """
    from kafka.record.util import decode_varint as number  # noqa: PLC0415  (an extra)

    starts = []
    for _ in range(count):
        starts.append(pos)
        low, high = buffer[pos], buffer[pos + 1]
        if low & 0x81 == _MORE and high < _MORE:  # the length of nearly every record
            pos += ((low & 0x7F | high << 7) >> 1) + 2
        else:
            length, pos = number(buffer, pos)
            if length < 0:
                raise ValueError(length)
            pos += length
    if pos != end:
        raise ValueError(pos)
    return starts


def _one_by_one(buffer: bytes, starts: Sequence[int], base: Places) -> list[Fetched]:
    from kafka.record.util import decode_varint as number  # noqa: PLC0415  (an extra)

    found = []
    for start, first in zip(starts, base.tolist(), strict=True):
        length, begin = number(buffer, start)
        _, pos = number(buffer, begin + 1)  # behind attributes, of which none are defined: when
        delta, pos = number(buffer, pos)
        size, pos = number(buffer, pos)
        size, pos = number(buffer, pos + max(size, 0))  # behind its key
        value = None if size < 0 else buffer[pos : pos + size]
        headers, pos = _headers(buffer, pos + max(size, 0), number)
        if pos != begin + length:
            raise ValueError(pos)
        found.append(Fetched(first + delta, value, headers))
    return found


def _in_columns(buffer: bytes, starts: Sequence[int], base: Places) -> list[Fetched]:
    from kafka.record.util import decode_varint as number  # noqa: PLC0415  (an extra)

    octets = np.frombuffer(buffer, np.uint8)
    length, begins = _numbers(octets, np.array(starts))
    ends = begins + length
    _, at = _numbers(octets, begins + 1, _LONG)
    delta, at = _numbers(octets, at)
    size, at = _numbers(octets, at)
    size, at = _numbers(octets, at + np.maximum(size, 0))
    behind = at + np.maximum(size, 0)
    bare = octets[behind] == 0
    if (bare & (behind + 1 != ends)).any():
        raise ValueError(behind)
    values: list[bytes | None] = [
        buffer[begin:end] for begin, end in zip(at.tolist(), behind.tolist(), strict=True)
    ]
    for one in np.flatnonzero(size < 0).tolist():
        values[one] = None
    headers: list[Headers] = [()] * len(starts)
    for one in np.flatnonzero(~bare).tolist():
        headers[one], pos = _headers(buffer, int(behind[one]), number)
        if pos != ends[one]:
            raise ValueError(pos)
    return list(map(Fetched, (base + delta).tolist(), values, headers))


def _numbers(octets: Octets, at: Places, most: int = _SHORT) -> tuple[Places, Places]:
    """Return the numbers of variable length at these places, and what is behind each.

    Raises:
        IndexError: when one is cut off.
        ValueError: when one is longer.
    """
    octet = octets[at].astype(np.int64)
    at, found = at + 1, octet & 0x7F
    more, shift = np.flatnonzero(octet >= _MORE), 7
    while more.size:
        if shift >= 7 * most:
            raise ValueError(shift)
        octet = octets[at[more]].astype(np.int64)
        found[more] |= (octet & 0x7F) << shift
        at[more] += 1
        more, shift = more[octet >= _MORE], shift + 7
    return (found >> 1) ^ -(found & 1), at


def _headers(
    buffer: bytes,
    pos: int,
    number: Any,  # noqa: ANN401  (of the extra)
) -> tuple[Headers, int]:
    if not buffer[pos]:
        return (), pos + 1
    count, pos = number(buffer, pos)
    headers = []
    for _ in range(count):
        size, pos = number(buffer, pos)
        if size < 0:
            raise ValueError
        name = buffer[pos : pos + size].decode()
        size, pos = number(buffer, pos + size)
        headers.append((name, None if size < 0 else buffer[pos : pos + size]))
        pos += max(size, 0)
    return headers, pos
