"""Files: a directory, a file, the working tree of a repository."""

import os
from collections.abc import Iterable, Iterator, Sequence, Sized
from functools import partial
from itertools import chain, islice
from pathlib import Path

from scanner.engine import Engine
from scanner.match import Match
from scanner.options import Progress, ScanOptions
from scanner.receipt import Receipt
from scanner.sources import files, revisions, worktree
from scanner.sources.gitrun import Repository
from scanner.tally import Tally
from scanner.texts import Texts, cores, searched, tallied
from vocabulary.finding import Place


def path_texts(
    path: Path, options: ScanOptions, engine: Engine, receipt: Receipt, progress: Progress
) -> Texts:
    """Scan a file, or every file under a directory."""
    read = files.ReadFiles()
    if path.is_dir():
        paths = _some(files.walk(path, read))
        if options.gitignore:
            from scanner.sources import gitignore  # noqa: PLC0415  (rarely asked for)

            paths = gitignore.listed(path)
        return Texts(read_files(path, paths, read, engine, receipt, progress), "directory")
    name = os.fsencode(path.name)
    matches = read_files(path.parent, [name], read, engine, receipt, progress)
    return Texts(matches, "file", {path.name: (Place(path=path.as_posix()),)})


def tree_texts(
    repository: Repository,
    options: ScanOptions,
    engine: Engine,
    receipt: Receipt,
    progress: Progress,
) -> Texts:
    """Scan the files of a worktree."""
    if repository.worktree is None:
        receipt.incomplete.append("a bare repository has no working tree")
        return Texts([], "tree")
    paths = worktree.tracked_and_untracked(repository, ignored=options.ignored)
    read = files.ReadFiles()
    matches = read_files(repository.worktree, paths, read, engine, receipt, progress)
    return Texts(matches, "tree", salt=partial(revisions.salt, repository, cached=options.cache))


def read_files(
    root: Path,
    paths: Iterable[bytes],
    read: files.ReadFiles,
    engine: Engine,
    receipt: Receipt,
    progress: Progress,
    workers: int = 0,
) -> list[Match]:
    """Read files, with several processes where they are many."""
    here = os.getpid()

    def tick(own: files.ReadFiles) -> None:
        if os.getpid() == here:  # what other processes do is guessed to be as much
            progress(min(own.files * share, total or own.files), total)

    def work(part: Iterable[bytes]) -> tuple[list[Match], tuple[int, int, int, list[str]], Tally]:
        own, searcher, found = files.ReadFiles(), engine.searcher(), list[Match]()
        own.tick = lambda _: tick(own)
        for batch in files.batches(root, part, own):
            found += searched(searcher, batch)
        return found, own.counts, searcher.tally

    found, tally = list[Match](), Tally()
    total, share = len(paths) if isinstance(paths, Sized) else 0, 1
    if isinstance(paths, Sequence) and len(paths) >= _MANY and (share := workers or cores()) > 1:
        from scanner import forked  # noqa: PLC0415  (not for a few files)

        results, lost = forked.shared(paths, work, share)
        receipt.incomplete += [f"{lost} files: a process that read them died"] if lost else []
    else:
        results = [work(paths)]
    for matches, own, counts in results:
        found += matches
        read.add(own)
        tally.add(counts)
    receipt.files[0] += read.files
    receipt.files[1] += read.size
    receipt.incomplete += read.problems
    if read.repositories:
        receipt.left_out["git directories (scan those repositories by themselves)"] = (
            read.repositories
        )
    if read.links:
        receipt.left_out["symbolic links and special files"] = read.links
    tallied(receipt, tally)
    return found


_MANY = 800  # files that are worth a second process


def _some(paths: Iterator[bytes]) -> Iterable[bytes]:
    """Return paths as a list where they are not too many, so that they can be counted and dealt."""
    first = list(islice(paths, _HELD))
    return first if len(first) < _HELD else chain(first, paths)


_HELD = 200_000
