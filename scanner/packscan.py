"""The packs of a repository scanned by ourselves, on every core; what is left, git reads.

Anything unusual is left: loose objects, what alternates lend, texts too large to be held, packs
and objects that are damaged. So git has the last word on all that goes wrong.
"""

import os
import sys
from collections.abc import Callable, Iterator, Sequence

import msgspec
import numpy as np
import numpy.typing as npt

from scanner.engine import Engine, Tally
from scanner.heritage import LEAST, Heritage
from scanner.match import Match
from scanner.sources.packfile import Bytes, Pack, packs
from scanner.sources.versions import Families, Reading, Version, families

_PARTS = 24  # for each worker, so that none waits long for another
_SMALLEST = 1 << 18  # stored bytes of a part, at least

Mask = npt.NDArray[np.bool_]


class PackScan(msgspec.Struct):
    """What was found in packs.

    Attributes:
        objects, size: that were read, and their bytes.
        left: ids of the objects that were not.
    """

    matches: list[Match] = msgspec.field(default_factory=list)
    objects: int = 0
    size: int = 0
    tally: Tally = msgspec.field(default_factory=Tally)
    left: list[bytes] = msgspec.field(default_factory=list)


class _Work(msgspec.Struct, frozen=True):
    """A pack, the rows of it that are wanted, and the order in which they are read."""

    pack: Pack
    wanted: Mask
    families: Families


class _Done(msgspec.Struct):
    """What came of one part."""

    matches: list[Match]
    objects: int
    size: int
    tally: Tally
    left: list[int]


def scan_packs(
    directory: os.PathLike[str],
    names: Sequence[bytes],
    engine: Engine,
    workers: int,
    tick: Callable[[int], None],
    clean: Callable[[bytes], bool] | None = None,
) -> PackScan:
    """Scan those of the objects that lie in packs.

    Args:
        directory: `objects/pack` of the repository.
        names: ids of blobs, commits and tags, in hexadecimal.
        engine: scans.
        workers: processes, or threads where there is no fork.
        tick: told of objects as they are done.
        clean: says which other objects, by their ids in hexadecimal, are known to hold nothing.
    """
    result = PackScan()
    asked = _asked(names)
    if asked is None or engine.patterns.everywhere:
        result.left = list(names)
        return result
    works, missing = _works(directory, asked)
    result.left = [names[at] for at in np.flatnonzero(missing).tolist()]
    stored = sum(sum(work.families.stored) for work in works)
    size = max(_SMALLEST, stored // (workers * _PARTS) + 1)
    parts = [
        (number, begin, end)
        for number, work in enumerate(works)
        for begin, end in work.families.parts(size)
    ]
    for (number, _, _), done in _spread(_Scan(works, engine, clean), parts, workers):
        pack = works[number].pack
        result.matches += done.matches
        result.objects += done.objects
        result.size += done.size
        result.tally.add(done.tally)
        result.left += [_name(pack, row) for row in done.left if works[number].wanted[row]]
        tick(done.objects)
    return result


def _name(pack: Pack, row: int) -> bytes:
    return bytes(pack.names[row]).hex().encode()


def _asked(names: Sequence[bytes]) -> Bytes | None:
    """Return ids as a column; None where they are not all of one length."""
    try:
        raw = np.frombuffer(bytes.fromhex(b"".join(names).decode("ascii")), np.uint8)
        return raw.reshape(len(names), -1) if len(names) else None
    except ValueError:
        return None


def _works(directory: os.PathLike[str], asked: Bytes) -> tuple[list[_Work], Mask]:
    """Return what is to be read of each pack, and which of the objects are in none."""
    from pathlib import Path  # noqa: PLC0415

    missing = np.ones(len(asked), np.bool_)
    keys = _keys(asked)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    works: list[_Work] = []
    if len(keys) > 1 and (keys[1:] == keys[:-1]).any():
        return [], missing  # ids that begin alike are somebody's work: git tells them apart
    for pack in packs(Path(directory), asked.shape[1]):
        at = order[np.minimum(np.searchsorted(keys, _keys(pack.names)), len(keys) - 1)]
        wanted = (asked[at] == pack.names).all(axis=1) & missing[at] & (pack.kinds > 0)
        missing[at[wanted]] = False
        if wanted.any():
            works.append(_Work(pack, wanted, families(pack, wanted)))
    return works, missing


def _keys(names: Bytes) -> npt.NDArray[np.uint64]:
    """Return the first eight bytes of ids as numbers."""
    return np.ascontiguousarray(names[:, :8]).view(">u8").ravel().astype(np.uint64)


Part = tuple[int, int, int]
"""Number of a pack, and the stretch of its order."""


class _Scan(msgspec.Struct, frozen=True):
    works: Sequence[_Work]
    engine: Engine
    clean: Callable[[bytes], bool] | None = None

    def part(self, part: Part) -> _Done:
        """Scan some families of a pack."""
        number, begin, end = part
        work, searcher = self.works[number], self.engine.searcher()
        reading = Reading(work.pack, LEAST)
        done = _Done([], 0, 0, searcher.tally, reading.left)

        def read(version: Version) -> None:
            done.objects += 1
            done.size += len(version.text)

        def clean(row: int) -> bool:
            return self.clean is not None and self.clean(_name(work.pack, row))

        heritage = Heritage(
            searcher,
            lambda row: _name(work.pack, row),
            lambda row: bool(work.wanted[row]),
            read,
            clean,
        )
        order = work.families.order[begin:end]
        done.matches += heritage.matches(reading.versions(order, work.families.heirs[begin:end]))
        return done


def _spread(scan: _Scan, parts: Sequence[Part], workers: int) -> Iterator[tuple[Part, _Done]]:
    """Scan parts on several cores; those of a worker that dies are scanned here."""
    if workers <= 1 or len(parts) <= 1:
        for part in parts:
            yield part, scan.part(part)
        return
    from concurrent import futures  # noqa: PLC0415  (slow to import)

    if sys.platform != "linux":
        with futures.ThreadPoolExecutor(workers) as pool:
            yield from zip(parts, pool.map(scan.part, parts), strict=True)
        return
    import multiprocessing  # noqa: PLC0415

    global _forked  # noqa: PLW0603  (a forked worker finds here what cannot be sent to it)
    _forked = scan
    finished: set[Part] = set()
    try:
        context = multiprocessing.get_context("fork")
        with futures.ProcessPoolExecutor(workers, context) as pool:
            waiting = {pool.submit(_forked_part, part): part for part in parts}
            for future in futures.as_completed(waiting):
                yield waiting[future], future.result()
                finished.add(waiting[future])
    except futures.process.BrokenProcessPool:
        for part in parts:
            if part not in finished:
                yield part, scan.part(part)
    finally:
        _forked = None


_forked: _Scan | None = None


def _forked_part(part: Part) -> _Done:
    assert _forked is not None
    return _forked.part(part)
