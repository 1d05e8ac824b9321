"""What a source gives: matches and where they stand; how texts of each kind are searched."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence

import msgspec

from scanner.batch import Batch, window_batch
from scanner.engine import Engine
from scanner.match import Match
from scanner.options import Progress, ScanOptions
from scanner.receipt import Receipt
from scanner.searcher import Searcher
from scanner.sources.files import Packed
from scanner.tally import Tally
from scanner.windows import windows
from vocabulary.finding import Place


class Texts(msgspec.Struct):
    """What a source gives.

    Attributes:
        located: name of a text → where it stands.
        salt: gives the key for fingerprints, asked for only when there are findings.
    """

    matches: list[Match]
    source: str
    located: dict[str, Sequence[Place]] = msgspec.field(default_factory=dict)
    salt: Callable[[], bytes] = lambda: b""


def stdin_texts(
    read: Callable[[int], bytes],
    options: ScanOptions,
    engine: Engine,
    receipt: Receipt,
    progress: Progress,
) -> Texts:
    """Scan what comes in on stdin."""
    searcher, found = engine.searcher(), []
    name = options.stdin_name.encode()
    for window in windows(read):
        found += searcher.search(window_batch(window, name))
        receipt.files[1] = window.offset + len(window.data)
    receipt.files[0] = 1
    progress(1, 1)
    tallied(receipt, searcher.tally)
    return Texts(found, "stdin")


def cores() -> int:
    """Return how many processes are of use."""
    try:
        return min(8, len(os.sched_getaffinity(0)))
    except AttributeError:
        return min(8, os.cpu_count() or 1)


def tallied(receipt: Receipt, tally: Tally) -> None:
    """Take over what the engine counted; an archive that broke was not scanned whole."""
    receipt.ignored += tally.ignored
    receipt.unfolded += tally.unfolded
    for kind, count in tally.opened.items():
        receipt.opened[kind] = receipt.opened.get(kind, 0) + count
    for reason, (count, first) in tally.left_out.items():
        also = f" and {count - 1} more" if count > 1 else ""
        receipt.incomplete.append(f"{first}{also}: {reason}")


def searched(searcher: Searcher, batch: Batch | Packed) -> Iterable[Match]:
    """Search what a source reads: texts, or a long archive, opened where it lies."""
    return _opened(searcher, batch) if isinstance(batch, Packed) else searcher.search(batch)


def _opened(searcher: Searcher, packed: Packed) -> Iterator[Match]:
    """Scan a long archive: its members, then its bytes, where these may say anything else."""
    before, inside = len(searcher.tally.left_out), set()
    for match in searcher.open(packed.kind, packed.raw, packed.path):
        inside.add(match.secret)
        yield match
    if packed.kind.packs or len(searcher.tally.left_out) > before:
        packed.raw.seek(0)
        for window in windows(packed.raw.read, opened=True):
            found = searcher.search(window_batch(window, packed.path))
            yield from (match for match in found if match.secret not in inside)
