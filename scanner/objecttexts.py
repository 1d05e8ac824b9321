"""Objects of a repository: those in packs are read by ourselves, the others by a few gits."""

from collections.abc import Callable, Sequence
from threading import Lock
from typing import TYPE_CHECKING

from scanner.engine import Engine
from scanner.match import Match
from scanner.options import Progress
from scanner.receipt import Receipt
from scanner.sources import objects
from scanner.sources.gitrun import Repository
from scanner.tally import Tally
from scanner.texts import cores, searched, tallied

if TYPE_CHECKING:
    from scanner.packscan import Opened

_FEW = 200  # objects below which packs are not opened, though most of what they hold is known
_LARGE = 4 << 20  # bytes of packs that are opened ahead
_PART = 2000  # objects below which a second git is not worth its start


def opened(repository: Repository) -> "Sequence[Opened]":
    """Open the packs of a repository, all of which will be read, while git lists what they hold."""
    try:
        size = sum(pack.stat().st_size for pack in repository.packs.glob("pack-*.pack"))
    except OSError:
        return ()
    if size < _LARGE:
        return ()
    from scanner.packscan import open_packs  # noqa: PLC0415  (as below)

    return open_packs(repository.packs)


def read_objects(  # noqa: PLR0913  (what is scanned, with what, and who is told)
    repository: Repository,
    names: Sequence[bytes],
    engine: Engine,
    receipt: Receipt,
    progress: Progress,
    *,
    workers: int = 0,
    tally: Tally | None = None,
    clean: Callable[[bytes], bool] | None = None,
    ahead: "Sequence[Opened]" = (),
) -> list[Match]:
    """Read objects: those in packs by ourselves, the others with a few gits at once.

    `clean` says which other objects are known to hold nothing, `ahead` are packs that are open.
    """
    workers, tally = workers or cores(), tally or Tally()
    packed: list[Match] = []
    if len(names) >= (_FEW if clean is not None else _PART):
        from scanner.packscan import scan_packs  # noqa: PLC0415  (imports what small scans do without)

        whole, so_far = len(names), 0

        def packed_tick(more: int) -> None:
            nonlocal so_far
            so_far += more
            progress(so_far, whole)

        scanned = scan_packs(repository.packs, names, engine, workers, packed_tick, clean, ahead)
        packed, names = scanned.matches, scanned.left
        receipt.read[0] += scanned.objects
        receipt.read[1] += scanned.size
        tally.add(scanned.tally)
    packed += _streamed(repository, names, engine, receipt, progress, workers, tally)
    tallied(receipt, tally)
    return packed


def _streamed(
    repository: Repository,
    names: Sequence[bytes],
    engine: Engine,
    receipt: Receipt,
    progress: Progress,
    workers: int,
    tally: Tally,
) -> list[Match]:
    """Let a few gits spell objects out at once, each over a contiguous range of the packs."""
    count = max(1, min(workers, len(names) // _PART or 1))
    size = -(-len(names) // count)
    parts = [names[at : at + size] for at in range(0, len(names), size)] if names else []
    total, done, lock = len(names), 0, Lock()

    def tick(more: int) -> None:
        nonlocal done
        with lock:
            done += more
            progress(done, total)

    def one(part: Sequence[bytes]) -> tuple[list[Match], objects.Read, Tally]:
        searcher, read = engine.searcher(), objects.Read(tick=tick)
        found: list[Match] = []
        for batch in objects.batches(repository, part, read):
            found += searched(searcher, batch)
        return found, read, searcher.tally

    if len(parts) <= 1:
        results = [one(part) for part in parts]
    else:
        from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  (slow to import)

        with ThreadPoolExecutor(len(parts)) as pool:
            results = list(pool.map(one, parts))
    matches: list[Match] = []
    for found, read, counts in results:
        matches += found
        receipt.read[0] += read.objects
        receipt.read[1] += read.size
        receipt.incomplete += read.problems
        tally.add(counts)
    return matches
