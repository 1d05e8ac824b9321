"""What is fuzzed: parsers that read what a hostile repository holds.

A target takes any bytes. It may refuse them with an error of ours; it may not raise another, hang,
or take memory without bound.
"""

import io
import tempfile
from contextlib import suppress
from functools import cache
from pathlib import Path

from scanner import baseline, diff, foreign, foreignrules, ignorefile
from scanner.archives.kinds import kind_of
from scanner.archives.unfold import Budget, unfold
from scanner.batch import batch_of
from scanner.engine import Engine, engine_of
from scanner.rule import parse_file
from scanner.rules import load_rules
from scanner.sources import delta, image, packfile, versions
from vocabulary.errors import KeywatchError

_MOST = 64 << 20  # bytes that an input of a few kilobytes may unfold to here


def archives(data: bytes) -> None:
    """Open whatever says that it is an archive."""
    kind = kind_of(data)
    if kind is None:
        return
    budget = Budget(len(data))
    for piece in unfold(kind, io.BytesIO(data), budget):
        assert len(piece.names) == len(piece.starts) == len(piece.ends)
        spans = zip(piece.starts, piece.ends, strict=True)
        assert all(0 <= start <= end <= len(piece.data) for start, end in spans)
        if budget.used > _MOST:
            return


@cache
def _engine() -> Engine:
    return engine_of(load_rules())


def text(data: bytes) -> None:
    """Scan a text: encodings, archives within, every rule."""
    for match in _engine().searcher().search(batch_of(data, b"a.py")):
        assert match.secret
        assert match.line >= 1


def packs(data: bytes) -> None:
    """Read a pack and its index: two bytes say how long the index is."""
    cut = 2 + int.from_bytes(data[:2])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "pack-0.idx").write_bytes(data[2:cut])
        (Path(folder) / "pack-0.pack").write_bytes(data[cut:])
        for pack in packfile.packs(Path(folder), 20):
            found = versions.families(pack, pack.kinds == packfile.BLOB)
            reading = versions.Reading(pack, 256)
            for version in reading.versions(found.order, found.heirs):
                for target, _source, length in version.copies:
                    assert target >= 0
                    assert length >= 256


def deltas(data: bytes) -> None:
    """Apply a difference to a text, and say what it leaves alone."""
    cut = 1 + data[0] if data else 0
    base, steps = data[1:cut], data[cut:]
    delta.long_copies(base, base, steps, 256)
    try:
        made = delta.applied(base, steps)
    except ValueError:
        return  # of a broken one anything may be said
    assert len(made) == delta.target_size(steps)
    copies = delta.long_copies(base, made, steps, 256)
    assert all(made[at : at + size] == base[start : start + size] for at, start, size in copies)


def diffs(data: bytes) -> None:
    """Take what is added out of a diff."""
    lines = io.BytesIO(data).readlines()
    diff.begins(data)
    for section in diff.sections(iter(lines), diff.Counts()):
        assert len(section.lines) == len(section.numbers) == len(section.added)


def images(data: bytes) -> None:
    """Read a container image."""
    store = image.store_of(io.BytesIO(data))
    if store is not None:
        for one in image.images(store):
            image.fate_of(store, one.layers, {"a", "etc/passwd"})


def settings(data: bytes) -> None:
    """Read rules of ours and of others, baselines and ignores."""
    with suppress(KeywatchError, UnicodeDecodeError):
        parse_file(data.decode(), "a.toml")
    with tempfile.TemporaryDirectory() as folder:
        for name in ("a.toml", "a.yml"):
            file = Path(folder) / name
            file.write_bytes(data)
            with suppress(KeywatchError):
                foreignrules.read([file])
        for read in (baseline.read, foreign.read, ignorefile.read):
            with suppress(KeywatchError):
                read(file)


TARGETS = {one.__name__: one for one in (archives, text, packs, deltas, diffs, images, settings)}
