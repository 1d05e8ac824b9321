"""A pack of git read by ourselves: which objects it holds, of what type, and where each begins.

Git stores most versions of a file as a difference to another version. `git cat-file` spells each
version out, so that a line which stands in a thousand versions is read a thousand times. Whoever
reads the pack sees what is new in each (scanner.sources.versions).

Everything here is columns: one row an object, in the order of their places in the pack. A pack is
as hostile as the repository it lies in. What is out of the ordinary is left to git.

References:
    https://git-scm.com/docs/gitformat-pack
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]
Bytes = npt.NDArray[np.uint8]

COMMIT, TREE, BLOB, TAG = 1, 2, 3, 4
_OFFSET_DELTA, _REFERENCE_DELTA = 6, 7
_INDEX_MAGIC, _INDEX_VERSION = b"\xfftOc", 2
_HEAD, _FANOUT = 8, 1024
_FAR = 0x80000000  # an offset with this bit is the number of a row in the table of long offsets
_WINDOW = 16 << 20
_LONGEST = 64  # bytes that the head of an object may take: size, and name or distance of its base
_MORE = 0x80
_DEEPEST = 1 << 16  # links of a chain of differences that are followed


class Pack(msgspec.Struct, frozen=True):
    """The objects of one pack that can be read here, a row each, in the order of the pack.

    Attributes:
        path: of the `.pack` file.
        names: ids, raw: a row each, of 20 or 32 bytes.
        kinds: COMMIT, TREE, BLOB or TAG; 0 where it could not be told.
        sizes: bytes of what is stored: the object, or the difference.
        begins, ends: where its compressed bytes lie in the file.
        bases: the row it is a difference to, or -1.
    """

    path: Path
    names: Bytes
    kinds: Bytes
    sizes: Ints
    begins: Ints
    ends: Ints
    bases: Ints

    def narrowed(self, rows: Ints) -> "Pack":
        """Return some of the objects alone: half and more of a pack are trees.

        Args:
            rows: ascending, with each also its base.
        """
        bases = self.bases[rows]
        differ = bases >= 0
        bases[differ] = np.searchsorted(rows, bases[differ])
        return Pack(
            self.path,
            self.names[rows],
            self.kinds[rows],
            self.sizes[rows],
            self.begins[rows],
            self.ends[rows],
            bases,
        )


def packs(directory: Path, width: int) -> Iterator[Pack]:
    """Yield the packs of `objects/pack` that are as they should be.

    Args:
        directory: of the packs.
        width: bytes of an object's id.
    """
    for index in sorted(directory.glob("pack-*.idx")):
        try:
            found = _pack(index, width)
        except (OSError, ValueError, IndexError):
            continue
        if found is not None:
            yield found


def ids_in(index: Path, width: int) -> Bytes:
    """Return the ids that an index names, a row each, whatever became of its pack.

    Raises:
        OSError, ValueError, IndexError: it cannot be read, or is no index of version 2.
    """
    return _indexed(index, width)[0]


def _pack(index: Path, width: int) -> Pack | None:
    path = index.with_suffix(".pack")
    with path.open("rb") as stream:
        size = stream.seek(0, 2)
        names, offsets = _indexed(index, width)
        if not len(offsets) or offsets.min() < _HEAD + 4 or offsets.max() >= size - width:
            return None
        order = np.argsort(offsets, kind="stable")
        names, offsets = names[order], offsets[order]

        def read(at: int, count: int) -> Bytes:
            stream.seek(at)
            return np.frombuffer(stream.read(count), np.uint8)

        heads = _heads(read, offsets)
    bases = _bases(heads, offsets, names)
    kinds = _kinds(heads.types, bases)
    ends = np.append(offsets[1:], size - width)
    return Pack(path, names, kinds, heads.sizes, heads.begins, ends, bases)


def _indexed(index: Path, width: int) -> tuple[Bytes, Ints]:
    """Read ids and offsets from an index of version 2."""
    raw = np.fromfile(index, np.uint8)
    if raw[:4].tobytes() != _INDEX_MAGIC or int(raw[4:_HEAD].view(">u4")[0]) != _INDEX_VERSION:
        raise ValueError("an index of another version")
    at = _HEAD + _FANOUT
    count = int(raw[at - 4 : at].view(">u4")[0])
    names = raw[at : at + width * count].reshape(count, width)
    at += width * count + 4 * count
    offsets = raw[at : at + 4 * count].view(">u4").astype(np.int64)
    at += 4 * count
    far = np.flatnonzero(offsets & _FAR)
    if len(far):
        table = raw[at : len(raw) - 2 * width].view(">u8")
        offsets[far] = table[offsets[far] & ~_FAR].astype(np.int64)
    return names, offsets


class _Heads(msgspec.Struct, frozen=True):
    """What stands before each object's bytes: `distances` to a base, or where a base's name is."""

    types: Bytes
    sizes: Ints
    begins: Ints
    distances: Ints
    references: dict[int, bytes]


def _heads(read: Callable[[int, int], Bytes], offsets: Ints) -> _Heads:
    """Read all heads, a window of the file at a time."""
    count = len(offsets)
    types = np.zeros(count, np.uint8)
    sizes, begins, distances = (np.zeros(count, np.int64) for _ in range(3))
    references: dict[int, bytes] = {}
    first = 0
    while first < count:
        origin = int(offsets[first])
        last = int(np.searchsorted(offsets, origin + _WINDOW))
        window = np.append(read(origin, _WINDOW + _LONGEST), np.zeros(_LONGEST, np.uint8))
        rows = slice(first, last)
        at = offsets[rows] - origin
        types[rows] = (window[at] >> 4) & 7
        sizes[rows], at = _size(window, at)
        distances[rows], at = _distance(window, at, types[rows] == _OFFSET_DELTA)
        for row in np.flatnonzero(types[rows] == _REFERENCE_DELTA).tolist():
            references[first + row] = window[at[row] : at[row] + 32].tobytes()
        begins[rows] = at + origin
        first = last
    return _Heads(types, sizes, begins, distances, references)


def _size(window: Bytes, at: Ints) -> tuple[Ints, Ints]:
    """Read sizes: four bits, then seven a byte, the lowest first."""
    head = window[at]
    size = (head & 15).astype(np.int64)
    at = at + 1
    more = np.flatnonzero(head & _MORE)
    shift = 4
    while len(more) and shift < 60:  # noqa: PLR2004  (more than 63 bits is no size)
        part = window[at[more]]
        size[more] |= (part & 127).astype(np.int64) << shift
        at[more] += 1
        more = more[part & _MORE != 0]
        shift += 7
    return size, at


def _distance(window: Bytes, at: Ints, wanted: npt.NDArray[np.bool_]) -> tuple[Ints, Ints]:
    """Read how far back a base begins: seven bits a byte, the highest first, each plus one."""
    distance = np.zeros(len(at), np.int64)
    at = at.copy()
    more = np.flatnonzero(wanted)
    first = True
    while len(more):
        part = window[at[more]]
        before = distance[more] if first else distance[more] + 1
        distance[more] = (before << 7 | (part & 127)) & ((1 << 62) - 1)
        at[more] += 1
        more = more[part & _MORE != 0]
        first = False
    return distance, at


def _bases(heads: _Heads, offsets: Ints, names: Bytes) -> Ints:
    """Return the rows of the bases: -1 for a whole object, -2 where there is none to be found."""
    bases = np.full(len(offsets), -1, np.int64)
    rows = np.flatnonzero(heads.types == _OFFSET_DELTA)
    wanted = offsets[rows] - heads.distances[rows]
    found = np.minimum(np.searchsorted(offsets, wanted), len(offsets) - 1)
    bases[rows] = np.where(offsets[found] == wanted, found, -2)
    if heads.references:
        width = names.shape[1]
        known = {name.tobytes(): row for row, name in enumerate(names)}
        for row, name in heads.references.items():
            bases[row] = known.get(name[:width], -2)
            heads.begins[row] += width
    return bases


def _kinds(types: Bytes, bases: Ints) -> Bytes:
    """Give differences the type of what they begin from; 0 where a chain leads nowhere."""
    root = np.where(bases >= 0, bases, np.arange(len(bases)))
    for _ in range(_DEEPEST.bit_length()):
        further = root[root]
        if np.array_equal(further, root):
            break
        root = further
    kinds = types[root]
    kinds[(kinds < COMMIT) | (kinds > TAG)] = 0
    return kinds
