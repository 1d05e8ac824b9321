"""Each kind of target, read to its end: matches, where they stand, and the receipt filled in."""

import os
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from itertools import chain, islice
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

import msgspec

from scanner.engine import Engine, Searcher, Tally, window_batch
from scanner.match import Match
from scanner.options import Progress, ScanOptions
from scanner.receipt import Receipt
from scanner.sources import files, objects, revisions, worktree
from scanner.sources.gitrun import Repository
from scanner.windows import windows
from vocabulary.finding import Place

if TYPE_CHECKING:
    from scanner.attribute import Commit, History

_FEW = 200  # objects below which packs are not opened, though most of what they hold is known
_PART = 2000  # objects below which a second git is not worth its start
_NAMED = 100  # missing blobs that are named one by one


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
        return Texts(_files(path, paths, read, engine, receipt, progress), "directory")
    name = os.fsencode(path.name)
    matches = _files(path.parent, [name], read, engine, receipt, progress)
    return Texts(matches, "file", {path.name: (Place(path=str(path)),)})


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
    matches = _files(repository.worktree, paths, read, engine, receipt, progress)
    return Texts(matches, "tree", salt=_salt(repository, options))


def staged_texts(
    repository: Repository,
    options: ScanOptions,
    engine: Engine,
    receipt: Receipt,
    progress: Progress,
) -> Texts:
    """Scan what the index adds to HEAD; a secret that the old version holds is not new."""
    changes = revisions.staged(repository)
    new = {change.new: change for change in changes}
    matches = _objects(repository, [name.encode() for name in new], engine, receipt, progress)
    receipt.listed["blob"] = list(receipt.read)
    hit = {match.item for match in matches}
    old = {new[name].old for name in hit} - {""}
    if old:
        known: dict[str, set[bytes]] = {}
        aside = Receipt()
        for match in _objects(repository, [n.encode() for n in old], engine, aside, progress):
            known.setdefault(match.item, set()).add(match.secret)
        matches = [m for m in matches if m.secret not in known.get(new[m.item].old, ())]
    located = {name: (Place(path=change.path, blob=name),) for name, change in new.items()}
    return Texts(
        matches,
        "staged",
        dict(located),
        salt=_salt(repository, options),
    )


def git_texts(
    repository: Repository,
    options: ScanOptions,
    engine: Engine,
    receipt: Receipt,
    progress: Progress,
) -> Texts:
    """Scan every object of a repository and the uncommitted work in its worktree."""
    from scanner.attribute import Walk  # noqa: PLC0415  (not for what is staged)
    from scanner.rescan import counted, rescan  # noqa: PLC0415

    narrow = bool(options.since or options.branch or options.objects is not None)
    if options.objects is not None:
        plan = objects.plan_of(repository, options.objects)
    elif narrow:
        plan = objects.plan_of(repository, revisions.reachable(repository, options))
    else:
        plan = objects.plan_all(repository)
    receipt.listed = {kind: [plan.counts[kind], plan.sizes[kind]] for kind in objects.KINDS}
    receipt.incomplete += [
        f"git cannot tell of {line.decode(errors='replace')}" for line in plan.broken
    ]
    todo = rescan(repository, plan, engine, cached=options.cache and not narrow)
    walk = Walk(repository, todo.commits) if todo.commits else None
    tally = Tally()
    matches = todo.restore(repository, engine.ruleset.rules)
    matches += _objects(
        repository,
        todo.names,
        engine,
        receipt,
        progress,
        workers=options.workers,
        tally=tally,
        clean=todo.clean,
    )
    hit = {match.item.encode() for match in matches}
    history = todo.history(walk, hit)
    if narrow:
        history.missing = ()
    elif receipt.read[0] == len(todo.names):
        todo.keep(hit, tally.doubtful, history, matches)
    counted(todo, receipt)
    _covered(repository, options, history, receipt)
    located = _located(repository, plan, hit, history)
    if repository.worktree and not options.branch and options.objects is None:
        read = files.ReadFiles()
        paths = worktree.uncommitted(repository, ignored=options.ignored)
        if not narrow:
            paths += worktree.settings(repository)
        matches += _files(repository.worktree, paths, read, engine, receipt, progress)
    return Texts(matches, "git", located, salt=_salt(repository, options))


def _salt(repository: Repository, options: ScanOptions) -> Callable[[], bytes]:
    return lambda: revisions.salt(repository, cached=options.cache)


def _covered(
    repository: Repository, options: ScanOptions, history: "History", receipt: Receipt
) -> None:
    """Say in the receipt what the repository itself lacks."""
    if repository.shallow:
        if options.allow_shallow:
            receipt.warnings.append("the clone is shallow: older history was not there to scan")
        else:
            receipt.incomplete.append(
                "older history: the clone is shallow (fetch it with `git fetch --unshallow`, "
                "or accept it with --allow-shallow)"
            )
    if history.problem:
        receipt.incomplete.append(f"who introduced what is not fully known: {history.problem}")
    receipt.incomplete += [
        f"blob {name} is named by a commit and missing" for name in history.missing[:_NAMED]
    ]
    if len(history.missing) > _NAMED:
        receipt.incomplete.append(f"{len(history.missing) - _NAMED} more blobs are missing")


def _objects(  # noqa: PLR0913  (what is scanned, with what, and who is told)
    repository: Repository,
    names: Sequence[bytes],
    engine: Engine,
    receipt: Receipt,
    progress: Progress,
    *,
    workers: int = 0,
    tally: Tally | None = None,
    clean: Callable[[bytes], bool] | None = None,
) -> list[Match]:
    """Read objects: those in packs by ourselves, the others with a few gits at once."""
    workers, tally = workers or _cores(), tally or Tally()
    packed: list[Match] = []
    if len(names) >= (_FEW if clean is not None else _PART):
        from scanner.packscan import scan_packs  # noqa: PLC0415  (imports what small scans do without)

        whole, so_far = len(names), 0

        def packed_tick(more: int) -> None:
            nonlocal so_far
            so_far += more
            progress(so_far, whole)

        scanned = scan_packs(repository.packs, names, engine, workers, packed_tick, clean)
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
            found += searcher.search(batch)
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


def _cores() -> int:
    try:
        return min(8, len(os.sched_getaffinity(0)))
    except AttributeError:
        return min(8, os.cpu_count() or 1)


def _files(
    root: Path,
    paths: Iterable[bytes],
    read: files.ReadFiles,
    engine: Engine,
    receipt: Receipt,
    progress: Progress,
    workers: int = 0,
) -> list[Match]:
    here = os.getpid()

    def tick(own: files.ReadFiles) -> None:
        if os.getpid() == here:  # what other processes do is guessed to be as much
            progress(min(own.files * share, total or own.files), total)

    def work(part: Iterable[bytes]) -> tuple[list[Match], tuple[int, int, int, list[str]], Tally]:
        own, searcher, found = files.ReadFiles(), engine.searcher(), list[Match]()
        own.tick = lambda _: tick(own)
        for batch in files.batches(root, part, own):
            if isinstance(batch, files.Packed):
                found += _opened(searcher, batch)
            else:
                found += searcher.search(batch)
        return found, own.counts, searcher.tally

    found, tally = list[Match](), Tally()
    total, share = len(paths) if isinstance(paths, Sized) else 0, 1
    if isinstance(paths, Sequence) and len(paths) >= _MANY and (share := workers or _cores()) > 1:
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


def _opened(searcher: Searcher, packed: files.Packed) -> Iterator[Match]:
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


def tallied(receipt: Receipt, tally: Tally) -> None:
    """Take over what the engine counted; an archive that broke was not scanned whole."""
    receipt.ignored += tally.ignored
    receipt.unfolded += tally.unfolded
    for kind, count in tally.opened.items():
        receipt.opened[kind] = receipt.opened.get(kind, 0) + count
    for reason, (count, first) in tally.left_out.items():
        also = f" and {count - 1} more" if count > 1 else ""
        receipt.incomplete.append(f"{first}{also}: {reason}")


def _located(
    repository: Repository, plan: objects.Plan, hit: set[bytes], history: "History"
) -> dict[str, Sequence[Place]]:
    """Say where each object that hit stands."""
    kinds = plan.kinds(hit)
    staged: dict[str, str] | None = None
    located: dict[str, Sequence[Place]] = {}
    for raw, kind in kinds.items():
        name = raw.decode()
        if kind == "commit":
            located[name] = (_place("(commit message)", history.commits.get(name), name),)
        elif kind == "tag":
            located[name] = (revisions.tag_place(repository, name),)
        elif name in history.blobs:
            located[name] = tuple(
                _place(found.path, found.commit, found.commit.oid, name)
                for found in history.blobs[name]
            )
        else:
            if staged is None:
                staged = worktree.staged_paths(repository) if repository.worktree else {}
            located[name] = (Place(path=staged.get(name, "(unreachable blob)"), blob=name),)
    return located


def _place(path: str, commit: "Commit | None", oid: str, blob: str = "") -> Place:
    author, date = (commit.author, commit.date) if commit else ("", "")
    return Place(path=path, commit=oid, blob=blob, author=author, date=date)
