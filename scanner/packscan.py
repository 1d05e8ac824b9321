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

from scanner.candidate import Candidate
from scanner.engine import Engine
from scanner.features import Vector, learn, learned
from scanner.forked import each
from scanner.heritage import LEAST, Heritage
from scanner.match import Match
from scanner.sources.ids import beginnings, hexadecimal
from scanner.sources.packfile import TREE, Bytes, Pack, packs
from scanner.sources.versions import Families, Reading, Version, families, needed
from scanner.stretches import Looked
from scanner.tally import Tally
from vocabulary.memory import give_back

_PARTS = 24  # for each worker, so that none waits long for another
_SHA1 = 20  # bytes of an id
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


class Opened(msgspec.Struct, frozen=True):
    """A pack, the rows of it that are wanted, and the order in which they are read."""

    pack: Pack
    wanted: Mask
    families: Families


class _Done(msgspec.Struct):
    """What came of one part; `spoken` is what need not be worked out again of its candidates."""

    matches: list[Match]
    objects: int
    size: int
    tally: Tally
    left: list[int]
    spoken: dict[Candidate, Vector] = msgspec.field(default_factory=dict)


def scan_packs(
    directory: os.PathLike[str],
    names: Sequence[bytes],
    engine: Engine,
    workers: int,
    tick: Callable[[int], None],
    clean: Callable[[bytes], bool] | None = None,
    ahead: Sequence[Opened] = (),
) -> PackScan:
    """Scan those of the objects that lie in packs.

    Args:
        directory: `objects/pack` of the repository.
        names: ids of blobs, commits and tags, in hexadecimal.
        engine: scans.
        workers: processes, or threads where there is no fork.
        tick: told of objects as they are done.
        clean: says which other objects, by their ids in hexadecimal, are known to hold nothing.
        ahead: the packs, where they were opened before.
    """
    result = PackScan()
    asked = _asked(names)
    if asked is None or engine.patterns.everywhere:
        result.left = list(names)
        return result
    works, missing = _works(directory, asked, ahead)
    result.left = [names[at] for at in np.flatnonzero(missing).tolist()]
    stored = sum(work.families.stored for work in works)
    size = max(_SMALLEST, stored // (workers * _PARTS) + 1)
    parts = [
        (number, begin, end)
        for number, work in enumerate(works)
        for begin, end in work.families.parts(size)
    ]
    give_back()  # before there are several processes, each of which would hold it
    parts.sort(key=lambda part: -works[part[0]].families.stored_in(*part[1:]))
    for (number, _, _), done in _spread(_Scan(works, engine, clean), parts, workers):
        pack = works[number].pack
        result.matches += done.matches
        result.objects += done.objects
        result.size += done.size
        result.tally.add(done.tally)
        learn(done.spoken)
        result.left += [_name(pack, row) for row in done.left if works[number].wanted[row]]
        tick(done.objects)
    return result


def _name(pack: Pack, row: int) -> bytes:
    return bytes(pack.names[row]).hex().encode()


def _asked(names: Sequence[bytes]) -> Bytes | None:
    """Return ids as a column; None where they are not all of one length."""
    try:
        raw = np.frombuffer(bytes.fromhex(hexadecimal(names).decode("ascii")), np.uint8)
        return raw.reshape(len(names), -1) if len(names) else None
    except ValueError:
        return None


def open_packs(directory: os.PathLike[str]) -> list[Opened]:
    """Open all packs, to read everything but trees; none where ids are not those of SHA-1."""
    return [
        _opened(pack, wanted)
        for pack in _packs(directory, _SHA1)
        if (wanted := (pack.kinds > 0) & (pack.kinds != TREE)).any()
    ]


def _opened(pack: Pack, wanted: Mask) -> Opened:
    """Order what is wanted of a pack, and hold no more than that."""
    rows = needed(pack, wanted)
    pack, wanted = pack.narrowed(rows), wanted[rows]
    return Opened(pack, wanted, families(pack, wanted))


def _packs(directory: os.PathLike[str], width: int) -> Iterator[Pack]:
    from pathlib import Path  # noqa: PLC0415

    return packs(Path(directory), width)


def _works(
    directory: os.PathLike[str], asked: Bytes, ahead: Sequence[Opened]
) -> tuple[list[Opened], Mask]:
    """Return what is to be read of each pack, and which of the objects are in none."""
    missing = np.ones(len(asked), np.bool_)
    keys = beginnings(asked)
    order = np.argsort(keys, kind="stable")
    keys = keys[order]
    works: list[Opened] = []
    if len(keys) > 1 and (keys[1:] == keys[:-1]).any():
        return [], missing  # ids that begin alike are somebody's work: git tells them apart
    known = {id(one.pack): one for one in ahead} if asked.shape[1] == _SHA1 else {}
    there = [one.pack for one in known.values()] or _packs(directory, asked.shape[1])
    for pack in there:
        at = order[np.minimum(np.searchsorted(keys, beginnings(pack.names)), len(keys) - 1)]
        wanted = (asked[at] == pack.names).all(axis=1) & missing[at] & (pack.kinds > 0)
        missing[at[wanted]] = False
        opened = known.get(id(pack))
        if opened is not None and np.array_equal(opened.wanted, wanted):
            works.append(opened)
        elif wanted.any():
            works.append(_opened(pack, wanted))
    return works, missing


Part = tuple[int, int, int]
"""Number of a pack, and the stretch of its order."""


class _Scan(msgspec.Struct, frozen=True):
    works: Sequence[Opened]
    engine: Engine
    clean: Callable[[bytes], bool] | None = None
    looked: Looked = msgspec.field(default_factory=dict)

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
            self.looked,
        )
        order = work.families.order[begin:end]
        done.matches += heritage.matches(reading.versions(order, work.families.heirs[begin:end]))
        done.spoken = learned(one.candidate for one in done.matches if one.candidate)
        give_back()
        return done


def _spread(scan: _Scan, parts: Sequence[Part], workers: int) -> Iterator[tuple[Part, _Done]]:
    """Scan parts on several cores; those of a worker that dies are scanned here."""
    if workers <= 1 or len(parts) <= 1:
        for part in parts:
            yield part, scan.part(part)
        return
    if sys.platform != "linux":
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (slow to import)

        with ThreadPoolExecutor(workers) as pool:
            yield from zip(parts, pool.map(scan.part, parts), strict=True)
        return
    for number, done in each(len(parts), lambda number: scan.part(parts[number]), workers):
        yield parts[number], done
