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
"""Records of a batch up to which columns take longer than one after the other."""


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
            while (batch := records.next_batch()) is not None:
                if not _is_plain(batch) or (self.check_crcs and not batch.validate_crc()):
                    yield from super()._unpack_records(tp, _Rest(batch, records), *more)
                    return
                self.leader_epoch = batch.leader_epoch
                self.records_read += batch.records_count
                for record in _records(batch):
                    self.next_fetch_offset = record.offset + 1
                    yield record
                # Compaction may have taken the last ones.
                self.next_fetch_offset = batch.next_offset
            self.drain()

    return Lean


class _Rest:
    """Batches from one on that was taken already."""

    def __init__(self, batch: Any, records: Any) -> None:  # noqa: ANN401  (of the extra)
        self._first, self._records = batch, records

    def next_batch(self) -> Any:  # noqa: ANN401  (of the extra)
        batch, self._first = self._first, None
        return self._records.next_batch() if batch is None else batch


def _is_plain(batch: Any) -> bool:  # noqa: ANN401  (of the extra)
    return batch.magic == _MAGIC and not batch.is_transactional and not batch.is_control_batch


def _records(batch: Any) -> Sequence[Fetched]:  # noqa: ANN401  (of the extra)
    """Return the records of a plain batch.

    Raises:
        CorruptRecordError: when lengths do not fit one another.
    """
    from kafka.errors import CorruptRecordError  # noqa: PLC0415  (an extra)

    batch._maybe_uncompress()  # noqa: SLF001  (a batch has no other way to its bytes)
    buffer, pos, count = bytes(batch._buffer), batch._pos, batch.records_count  # noqa: SLF001
    read = _one_by_one if count <= _FEW else _in_columns
    try:
        return read(buffer, *_edges(buffer, pos, count), batch.base_offset)
    except (IndexError, ValueError) as error:
        raise CorruptRecordError("a record of impossible lengths") from error


def _edges(buffer: bytes, pos: int, count: int) -> tuple[list[int], list[int]]:
    """Return where each record begins, behind its length, and where it ends.

    Raises:
        ValueError: when they do not fill the batch.
    """
    from kafka.record.util import decode_varint as number  # noqa: PLC0415  (an extra)

    begins, ends = [], []
    for _ in range(count):
        low, high = buffer[pos], buffer[pos + 1]
        if low & 0x81 == _MORE and high < _MORE:  # the length of nearly every record
            length, pos = (low & 0x7F | high << 7) >> 1, pos + 2
        else:
            length, pos = number(buffer, pos)
        if length < 0:
            raise ValueError(length)
        begins.append(pos)
        pos += length
        ends.append(pos)
    if pos != len(buffer):
        raise ValueError(pos)
    return begins, ends


def _one_by_one(
    buffer: bytes, begins: Sequence[int], ends: Sequence[int], base: int
) -> list[Fetched]:
    from kafka.record.util import decode_varint as number  # noqa: PLC0415  (an extra)

    found = []
    for begin, end in zip(begins, ends, strict=True):
        _, pos = number(buffer, begin + 1)  # behind attributes, of which none are defined: when
        delta, pos = number(buffer, pos)
        size, pos = number(buffer, pos)
        size, pos = number(buffer, pos + max(size, 0))  # behind its key
        value = None if size < 0 else buffer[pos : pos + size]
        headers, pos = _headers(buffer, pos + max(size, 0), number)
        if pos != end:
            raise ValueError(pos)
        found.append(Fetched(base + delta, value, headers))
    return found


def _in_columns(
    buffer: bytes, begins: Sequence[int], ends: Sequence[int], base: int
) -> list[Fetched]:
    from kafka.record.util import decode_varint as number  # noqa: PLC0415  (an extra)

    octets = np.frombuffer(buffer, np.uint8)
    _, at = _numbers(octets, np.array(begins) + 1, _LONG)
    delta, at = _numbers(octets, at)
    size, at = _numbers(octets, at)
    size, at = _numbers(octets, at + np.maximum(size, 0))
    behind = at + np.maximum(size, 0)
    bare = octets[behind] == 0
    if (bare & (behind + 1 != np.array(ends))).any():
        raise ValueError(behind)
    values: list[bytes | None] = [
        buffer[begin:end] for begin, end in zip(at.tolist(), behind.tolist(), strict=True)
    ]
    for one in np.flatnonzero(size < 0).tolist():
        values[one] = None
    headers: list[Headers] = [()] * len(begins)
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
