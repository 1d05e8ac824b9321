"""Profiles as bytes: whole rows, each behind a checksum, and the words that a batch changed."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import msgspec
import numpy as np
import zstandard

from detectors.profile import VERSION, WORDS, Rows, Words, words_of
from detectors.upgrade import layout, upgraded
from vocabulary.access import Ints

LEVEL = -1
"""Of zstandard: half the time of level 1 for rows that are a tenth larger."""
_PLACE = np.uint16
_COUNT = np.uint16


class CorruptError(ValueError):
    """The stored bytes are not what was written."""


class Packer:
    """Packs many rows."""

    def __init__(self) -> None:
        self._compress = zstandard.ZstdCompressor(level=LEVEL).compress

    def pack(self, key: str, row: bytes | memoryview) -> bytes:
        """Return the row, compressed, behind a checksum of key and row."""
        packed = self._compress(row)
        return crc32(packed, crc32(key.encode())).to_bytes(4, "big") + packed


def pack(key: str, row: Rows) -> bytes:
    """Return the row, compressed, behind a checksum of key and row."""
    return Packer().pack(key, row.tobytes())


def unpack(key: str, data: bytes, version: int = VERSION) -> Rows:
    """Return the row that `pack` packed, as an array of one.

    Raises:
        CorruptError: when the bytes are damaged, belong to another key, or are of a version that
            is not known.
    """
    kind = layout(version, VERSION)
    if kind is None:
        raise CorruptError(f"of version {version}, this keywatch knows {VERSION}")
    if crc32(data[4:], crc32(key.encode())).to_bytes(4, "big") != data[:4]:
        raise CorruptError("wrong checksum")
    try:
        raw = zstandard.ZstdDecompressor().decompress(data[4:], max_output_size=kind.itemsize)
    except zstandard.ZstdError as error:
        raise CorruptError("cannot be decompressed") from error
    if len(raw) != kind.itemsize:
        raise CorruptError("wrong length")
    return upgraded(np.frombuffer(raw, kind).copy())


@dataclass(frozen=True, slots=True)
class Changed:
    """The words that some rows had changed.

    Attributes:
        key: shape (k,), which key each row is of.
        count: shape (k,), how many of its words changed.
        place, value: shape (m,), one changed word after the other.
    """

    key: Ints
    count: Ints
    place: Ints
    value: Words


def changed(key: Ints, before: Words, rows: Rows) -> Changed:
    """Return which words of the rows differ from those before."""
    after = words_of(rows)
    differs = before != after
    at = np.flatnonzero(differs)
    return Changed(key, np.count_nonzero(differs, axis=1), at % WORDS, after.ravel()[at])


class _Delta(msgspec.Struct, frozen=True, array_like=True):
    keys: list[str]
    key: bytes
    count: bytes
    place: bytes
    value: bytes


def pack_changes(keys: list[str], parts: Sequence[Changed]) -> bytes:
    """Return the changes of a batch, in their order, compressed."""
    if not parts:
        return b""
    value = np.concatenate([part.value for part in parts])
    delta = _Delta(
        keys,
        np.concatenate([part.key for part in parts]).astype(np.uint32).tobytes(),
        np.concatenate([part.count for part in parts]).astype(_COUNT).tobytes(),
        np.concatenate([part.place for part in parts]).astype(_PLACE).tobytes(),
        # Byte by byte of all words: most of the bytes are zero, and then stand side by side.
        np.ascontiguousarray(value.view(np.uint8).reshape(-1, 8).T).tobytes(),
    )
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    return compressor.compress(msgspec.msgpack.encode(delta))


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of a batch, read back."""

    keys: list[str]
    key: Ints
    edges: Ints
    place: Ints
    value: Words

    def parts(self) -> Iterator[tuple[str, int]]:
        """Yield each changed row's key, and its number."""
        return ((self.keys[i], part) for part, i in enumerate(self.key.tolist()))

    def apply(self, part: int, row: Words) -> None:
        """Change the words of a row, shape (WORDS,), in place."""
        span = slice(self.edges[part], self.edges[part + 1])
        row[self.place[span]] = self.value[span]


def unpack_changes(version: int, data: bytes) -> Changes:
    """Return the changes that `pack_changes` packed.

    Raises:
        CorruptError: when the bytes are damaged or of another version.
    """
    if version != VERSION:
        raise CorruptError(f"of version {version}")
    try:
        raw = zstandard.ZstdDecompressor().decompress(data)
        delta = msgspec.msgpack.decode(raw, type=_Delta)
    except (zstandard.ZstdError, msgspec.DecodeError) as error:
        raise CorruptError("damaged") from error
    count = np.frombuffer(delta.count, _COUNT).astype(np.int64)
    planes = np.frombuffer(delta.value, np.uint8).reshape(8, -1)
    return Changes(
        delta.keys,
        np.frombuffer(delta.key, np.uint32).astype(np.int64),
        np.concatenate((np.zeros(1, np.int64), np.cumsum(count))),
        np.frombuffer(delta.place, _PLACE).astype(np.int64),
        np.ascontiguousarray(planes.T).view(np.uint64).reshape(-1),
    )
