"""A repository: all its history and its uncommitted work, with where each finding stands."""

from collections.abc import Sequence
from functools import partial

from scanner.attribute import Commit, History, Walk
from scanner.engine import Engine
from scanner.filetexts import read_files
from scanner.objecttexts import opened, read_objects
from scanner.options import Progress, ScanOptions
from scanner.receipt import Receipt
from scanner.rescan import counted, earlier, rescan
from scanner.sources import files, revisions, worktree
from scanner.sources.borrowed import borrowed
from scanner.sources.gitrun import Repository
from scanner.sources.ids import KINDS
from scanner.sources.plan import Listing, Plan, plan_of
from scanner.tally import Tally
from scanner.texts import Texts
from vocabulary.errors import RepositoryError
from vocabulary.finding import Place
from vocabulary.memory import give_back

_NAMED = 100  # missing blobs that are named one by one


def git_texts(
    repository: Repository,
    options: ScanOptions,
    engine: Engine,
    receipt: Receipt,
    progress: Progress,
    listing: Listing | None = None,
) -> Texts:
    """Scan every object of a repository and the uncommitted work in its worktree.

    Where git has begun to list the objects, that is read.
    """
    narrow = bool(options.since or options.branch or options.objects is not None)
    seen = earlier(repository, engine) if options.cache and not narrow else None
    whole = not narrow and (seen is None or not seen.places)
    ahead = opened(repository) if whole else ()
    if options.objects is not None:
        plan = plan_of(repository, options.objects)
    elif narrow:
        names, missing = revisions.reachable(repository, options)
        receipt.incomplete += _first(
            [f"object {name} is named by a commit and missing" for name in missing], "objects"
        )
        plan = plan_of(repository, names)
    else:
        plan = _plan(repository, listing or Listing(repository), receipt)
    receipt.listed = {kind: [plan.counts[kind], plan.sizes[kind]] for kind in KINDS}
    receipt.incomplete += _first(
        [f"git cannot tell of {line.decode(errors='replace')}" for line in plan.broken], "objects"
    )
    todo = rescan(plan, seen)
    walk = Walk(repository, todo.commits) if todo.commits else None
    tally = Tally()
    matches = todo.restore(repository, engine.ruleset.rules)
    matches += read_objects(
        repository,
        todo.names,
        engine,
        receipt,
        progress,
        workers=options.workers,
        tally=tally,
        clean=todo.clean,
        ahead=ahead,
    )
    give = give_back if ahead else _nothing
    ahead = ()
    give()  # the columns of the packs, before the history takes as much
    hit = {match.item.encode() for match in matches}
    history = todo.history(walk, hit)
    give()
    if narrow:
        history.missing = ()
    located = _located(repository, plan, hit, history)
    if not narrow and seen is not None and receipt.read[0] == len(todo.names):
        from scanner.weighing import scored  # noqa: PLC0415  (the classifier is slow to import)

        matches = list(scored(matches, located))
        todo.keep(repository, matches, tally.doubtful, history)
    counted(todo, receipt)
    if not narrow:
        receipt.incomplete += _lost(repository, plan)
    _covered(repository, options, history, receipt)
    if repository.worktree and not options.branch and options.objects is None:
        read = files.ReadFiles()
        paths = _uncommitted(repository, options, receipt, plan, history)
        if not narrow:
            if not (paths or plan.names):
                receipt.warnings.append("the repository is empty: it has no object and no file")
            paths += worktree.settings(repository)
        matches += read_files(repository.worktree, paths, read, engine, receipt, progress)
    return Texts(
        matches, "git", located, salt=partial(revisions.salt, repository, cached=options.cache)
    )


def _nothing() -> None:
    """Give nothing back: what is small is not worth the time."""


def _plan(repository: Repository, listing: Listing, receipt: Receipt) -> Plan:
    """List what a repository holds; where git cannot, what of it can be had."""
    try:
        return listing.plan()
    except RepositoryError as error:
        from scanner.sources.salvage import salvaged  # noqa: PLC0415  (rarely needed)

        plan, problems = salvaged(repository)
        receipt.incomplete += [str(error), *problems]
        return plan


def _lost(repository: Repository, plan: Plan) -> list[str]:
    try:
        return revisions.lost(repository, plan)
    except RepositoryError as error:
        return [f"refs cannot be looked at: {error}"]


def _uncommitted(
    repository: Repository,
    options: ScanOptions,
    receipt: Receipt,
    plan: Plan,
    history: History,
) -> list[bytes]:
    """List the uncommitted work; an index that git cannot read costs no more than that."""
    whole = not options.since
    try:
        found = worktree.uncommitted(
            repository, ignored=options.ignored, held=plan.names if whole else None
        )
    except RepositoryError as error:
        receipt.incomplete.append(f"uncommitted work: {error}")
        return []
    lost = [name for name in found.lost if name not in set(history.missing)]
    gone = revisions.absent(repository, [name.encode() for name in lost])
    receipt.incomplete += _first(
        [f"blob {name} is staged and missing" for name in lost if name.encode() in gone]
    )
    return found.paths


def _staged_paths(repository: Repository) -> dict[str, str]:
    """Return the paths of the blobs in the index; none where git cannot read it."""
    try:
        return worktree.staged_paths(repository) if repository.worktree else {}
    except RepositoryError:  # told by `_uncommitted`
        return {}


def _covered(
    repository: Repository, options: ScanOptions, history: History, receipt: Receipt
) -> None:
    """Say in the receipt what the repository itself lacks, and what is not its own."""
    if repository.shallow:
        if options.allow_shallow:
            receipt.warnings.append("the clone is shallow: older history was not there to scan")
        else:
            receipt.incomplete.append(
                "older history: the clone is shallow (fetch it with `git fetch --unshallow`, "
                "or accept it with --allow-shallow)"
            )
    if options.objects is None:  # else it is a view of ours, made of what a hook is to see
        receipt.warnings += borrowed(repository)
    if history.problem:
        receipt.incomplete.append(f"who introduced what is not fully known: {history.problem}")
    receipt.incomplete += _first(
        [f"blob {name} is named by a commit and missing" for name in history.missing]
    )


def _first(missing: list[str], what: str = "blobs") -> list[str]:
    """Return the first sentences, and how many more there would be."""
    more = len(missing) - _NAMED
    return [*missing[:_NAMED], *([f"{more} more {what} are missing"] if more > 0 else [])]


def _located(
    repository: Repository, plan: Plan, hit: set[bytes], history: History
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
                staged = _staged_paths(repository)
            located[name] = (Place(path=staged.get(name, "(unreachable blob)"), blob=name),)
    return located


def _place(path: str, commit: Commit | None, oid: str, blob: str = "") -> Place:
    author, date = (commit.author, commit.date) if commit else ("", "")
    return Place(path=path, commit=oid, blob=blob, author=author, date=date)
