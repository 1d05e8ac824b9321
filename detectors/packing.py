"""Profiles as bytes: whole ones, each behind a checksum, and what a batch changed.

Rows are compressed. Seeds stand as they are behind a mark that no compressed row begins with.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from zlib import crc32

import msgspec
import numpy as np
import zstandard

from detectors.profile import (
    PENDING,
    PROFILE,
    VERSION,
    WORD,
    Rows,
    Words,
    blank,
    offset_of,
    words_of,
)
from detectors.seeds import SEED, Seeds
from detectors.upgrade import is_beginning, layout, seeds_of, upgraded
from vocabulary.access import Ints

LEVEL = -1
"""Of zstandard: half the time of level 1 for rows that are a tenth larger."""
_SEEDS = b"seed"
_PLACE = np.uint16
_COUNT = np.uint16
_HELD = PENDING.itemsize // WORD


class CorruptError(ValueError):
    """The stored bytes are not what was written."""


class Packer:
    """Packs many profiles."""

    def __init__(self) -> None:
        self._compress = zstandard.ZstdCompressor(level=LEVEL).compress

    def pack(self, key: str, kept: Words | Rows | Seeds) -> bytes:
        """Return a row (as such or as words) or seeds behind a checksum of key and contents."""
        if kept.dtype == SEED:
            packed = _SEEDS + kept.tobytes()
        else:
            packed = self._compress(kept.data if kept.dtype == np.uint64 else kept.tobytes())
        return crc32(packed, crc32(key.encode())).to_bytes(4, "big") + packed


def pack(key: str, kept: Rows | Seeds) -> bytes:
    """Return a row or seeds, behind a checksum of key and contents."""
    return Packer().pack(key, kept)


def unpack(key: str, data: bytes, version: int = VERSION) -> Rows | Seeds:
    """Return what `pack` packed: the row as an array of one, or the seeds.

    Raises:
        CorruptError: when the bytes are damaged, belong to another key, or are of a version that
            is not known.
    """
    kind = layout(version, VERSION)
    if kind is None:
        raise CorruptError(f"of version {version}, this keywatch knows {VERSION}")
    if crc32(data[4:], crc32(key.encode())).to_bytes(4, "big") != data[:4]:
        raise CorruptError("wrong checksum")
    if data[4:8] == _SEEDS:
        return _unpacked_seeds(data[8:], version)
    try:
        raw = zstandard.ZstdDecompressor().decompress(data[4:], max_output_size=kind.itemsize)
    except zstandard.ZstdError as error:
        raise CorruptError("cannot be decompressed") from error
    if len(raw) != kind.itemsize:
        raise CorruptError("wrong length")
    return upgraded(np.frombuffer(raw, kind).copy())


def _unpacked_seeds(raw: bytes, version: int) -> Seeds:
    seeds = seeds_of(raw, version)
    if not len(seeds):
        raise CorruptError("wrong length")
    return seeds


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
    return _changed(key, before, words_of(rows), 0)


def waited(key: Ints, before: np.ndarray, held: np.ndarray) -> Changed:
    """Return which words of what waits beside rows differ from those before."""
    before, held = (one.view(np.uint64).reshape(len(key), _HELD) for one in (before, held))
    return _changed(key, before, held, offset_of("pending") // WORD)


def _changed(key: Ints, before: Words, after: Words, first: int) -> Changed:
    differs = before != after
    at = np.flatnonzero(differs)
    place = at % after.shape[1] + first
    return Changed(key, np.count_nonzero(differs, axis=1), place, after.ravel()[at])


@dataclass(frozen=True, slots=True)
class Sown:
    """The seeds that were added for some keys.

    Attributes:
        key: shape (k,), which keys.
        count: shape (k,), how many for each.
        seeds: shape (m,), one key's after the other.
    """

    key: Ints
    count: Ints
    seeds: Seeds


NOTHING_SOWN = Sown(np.zeros(0, np.int64), np.zeros(0, np.int64), np.zeros(0, SEED))


class _Delta(msgspec.Struct, frozen=True, array_like=True):
    keys: list[str]
    key: bytes
    count: bytes
    place: bytes
    value: bytes
    sown_key: bytes = b""
    sown_count: bytes = b""
    sown: tuple[bytes, ...] = ()


def pack_changes(keys: list[str], parts: Sequence[Changed], sown: Sown = NOTHING_SOWN) -> bytes:
    """Return the changes of a batch, in their order, compressed."""
    if not parts and not len(sown.key):
        return b""
    nothing = np.zeros(0, np.int64)
    value = np.concatenate([nothing.view(np.uint64), *(part.value for part in parts)])
    delta = _Delta(
        keys,
        np.concatenate([nothing, *(part.key for part in parts)]).astype(np.uint32).tobytes(),
        np.concatenate([nothing, *(part.count for part in parts)]).astype(_COUNT).tobytes(),
        np.concatenate([nothing, *(part.place for part in parts)]).astype(_PLACE).tobytes(),
        # Byte by byte of all words: most of the bytes are zero, and then stand side by side.
        np.ascontiguousarray(value.view(np.uint8).reshape(-1, 8).T).tobytes(),
        sown.key.astype(np.uint32).tobytes(),
        sown.count.astype(np.uint8).tobytes(),
        tuple(sown.seeds[name].tobytes() for name in SEED.names or ()),
    )
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True)
    return compressor.compress(msgspec.msgpack.encode(delta))


@dataclass(frozen=True, slots=True)
class Changes:
    """The changes of a batch, read back.

    Its parts are changed rows, then keys with new seeds: those are at `first_sown` and after.
    """

    keys: list[str]
    key: Ints
    edges: Ints
    place: Ints
    value: Words
    seed_edges: Ints
    seeds: Seeds

    @property
    def first_sown(self) -> int:
        """The number of changed rows."""
        return len(self.edges) - 1

    def parts(self) -> Iterator[tuple[str, int]]:
        """Yield each part's key, and its number."""
        return ((self.keys[i], part) for part, i in enumerate(self.key.tolist()))

    def apply(self, part: int, kept: Rows | Seeds) -> Rows | Seeds:
        """Return what a key's profile is after a part, given what it was; rows change in place."""
        if part >= self.first_sown:
            i = part - self.first_sown
            more = self.seeds[self.seed_edges[i] : self.seed_edges[i + 1]]
            return np.concatenate((kept, more)) if kept.dtype == SEED else more
        # A row whose key had seeds began as that of a key never seen.
        row = kept if kept.dtype == PROFILE else blank(1)
        span = slice(self.edges[part], self.edges[part + 1])
        words_of(row)[0][self.place[span]] = self.value[span]
        return row


def is_known(version: int) -> bool:
    """Say whether changes and side inputs of a version can be read."""
    kind = layout(version, VERSION)
    return kind is not None and is_beginning(kind)


def unpack_changes(version: int, data: bytes) -> Changes:
    """Return the changes that `pack_changes` packed.

    Raises:
        CorruptError: when the bytes are damaged or of a version whose rows were laid out otherwise.
    """
    if not is_known(version):
        raise CorruptError(f"of version {version}")
    try:
        raw = zstandard.ZstdDecompressor().decompress(data)
        delta = msgspec.msgpack.decode(raw, type=_Delta)
    except (zstandard.ZstdError, msgspec.DecodeError) as error:
        raise CorruptError("damaged") from error
    count = np.frombuffer(delta.count, _COUNT).astype(np.int64)
    sown = np.frombuffer(delta.sown_count, np.uint8).astype(np.int64)
    planes = np.frombuffer(delta.value, np.uint8).reshape(8, -1)
    key = np.frombuffer(delta.key + delta.sown_key, np.uint32).astype(np.int64)
    return Changes(
        delta.keys,
        key,
        np.concatenate((np.zeros(1, np.int64), np.cumsum(count))),
        np.frombuffer(delta.place, _PLACE).astype(np.int64),
        np.ascontiguousarray(planes.T).view(np.uint64).reshape(-1),
        np.concatenate((np.zeros(1, np.int64), np.cumsum(sown))),
        _seeds(delta.sown, int(sown.sum())),
    )


def _seeds(columns: Sequence[bytes], count: int) -> Seeds:
    seeds = np.zeros(count, SEED)
    for name, column in zip(SEED.names or (), columns, strict=False):
        kind = SEED[name]
        seeds[name] = np.frombuffer(column, kind.base).reshape(count, *kind.shape)
    return seeds
