"""Records of a topic, without what nobody here asks for.

kafka-python (3.0.12) makes of each record a tuple of thirteen fields, which takes a worker about as
long as all that follows. Only plain batches are read here; what is transactional, for control,
damaged or of an older format is left to kafka-python.

The format: https://kafka.apache.org/documentation/#recordbatch
"""

from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

_MAGIC = 2
_MORE = 0x80


class Fetched(NamedTuple):
    """A record, as far as it is of use."""

    offset: int
    value: bytes | None
    headers: Sequence[tuple[str, bytes | None]]


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
                for record in _records(batch):
                    self.records_read += 1
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


def _records(batch: Any) -> Iterator[Fetched]:  # noqa: ANN401  (of the extra)
    """Yield the records of a plain batch.

    Raises:
        CorruptRecordError: when lengths do not fit one another.
    """
    from kafka.errors import CorruptRecordError  # noqa: PLC0415  (an extra)
    from kafka.record.util import decode_varint as number  # noqa: PLC0415  (an extra)

    batch._maybe_uncompress()  # noqa: SLF001  (a batch has no other way to its bytes)
    buffer, pos = batch._buffer, batch._pos  # noqa: SLF001
    base, whole = batch.base_offset, len(buffer)
    try:
        for _ in range(batch.records_count):
            length, pos = number(buffer, pos)
            end = pos + length
            pos += 1  # attributes: none are defined
            while buffer[pos] & _MORE:  # when it was written
                pos += 1
            delta, pos = number(buffer, pos + 1)
            size, pos = number(buffer, pos)
            pos += max(size, 0)  # its key
            size, pos = number(buffer, pos)
            value = None if size < 0 else bytes(buffer[pos : pos + size])
            pos += max(size, 0)
            if buffer[pos]:
                headers, pos = _headers(buffer, pos, number)
            else:
                headers, pos = (), pos + 1
            if pos != end or end > whole:
                raise CorruptRecordError(f"a record of {length} bytes ends elsewhere")
            yield Fetched(base + delta, value, headers)
    except (IndexError, ValueError) as error:
        raise CorruptRecordError("a record of impossible lengths") from error
    if pos != whole:
        raise CorruptRecordError(f"{whole - pos} bytes behind the last record")


def _headers(
    buffer: Any,  # noqa: ANN401  (bytes of some kind)
    pos: int,
    number: Any,  # noqa: ANN401  (of the extra)
) -> tuple[Sequence[tuple[str, bytes | None]], int]:
    count, pos = number(buffer, pos)
    headers = []
    for _ in range(count):
        size, pos = number(buffer, pos)
        if size < 0:
            raise ValueError
        name = bytes(buffer[pos : pos + size]).decode()
        size, pos = number(buffer, pos + size)
        headers.append((name, None if size < 0 else bytes(buffer[pos : pos + size])))
        pos += max(size, 0)
    return headers, pos
