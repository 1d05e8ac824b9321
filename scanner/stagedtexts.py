"""What is staged: the blobs of the index that HEAD has not, for the commit that is about to be."""

from collections.abc import Sequence

from scanner.batch import batch_of
from scanner.engine import Engine
from scanner.match import Match
from scanner.options import Progress, ScanOptions
from scanner.receipt import Receipt
from scanner.sources import gitrun, loose, revisions
from scanner.sources.gitrun import Repository
from scanner.texts import Texts, tallied
from vocabulary.finding import Place

_FEW = 200  # blobs that are read without git, one by one


def staged_texts(
    repository: Repository,
    changes: Sequence[revisions.Change],
    options: ScanOptions,
    engine: Engine,
    receipt: Receipt,
    progress: Progress,
) -> Texts:
    """Scan what the index adds to HEAD; a secret that the old version holds is not new.

    Args:
        repository: that git need not have looked at before.
        changes: of the index.
        options: how to scan.
        engine: scans.
        receipt: is filled in.
        progress: is told.
    """
    if repository.worktree is None and not (repository.git_dir / "index").exists():
        receipt.incomplete.append("a bare repository has no index, in which something is staged")
    new: dict[str, list[revisions.Change]] = {}
    for change in changes:
        new.setdefault(change.new, []).append(change)
    matches = _read(repository, list(new), engine, receipt, progress)
    receipt.listed["blob"] = list(receipt.read)
    old = {change.old for match in matches for change in new[match.item]} - {""}
    if old:
        known: dict[str, set[bytes]] = {}
        for match in _read(repository, list(old), engine, Receipt(), progress):
            known.setdefault(match.item, set()).add(match.secret)
        matches = [m for m in matches if _is_new(m, new[m.item], known)]
    located = {
        name: tuple(Place(path=change.path, blob=name) for change in alike)
        for name, alike in new.items()
    }

    def salt() -> bytes:
        return revisions.salt(gitrun.checked(repository), cached=options.cache)

    return Texts(matches, "staged", dict(located), salt)


def _is_new(
    match: Match, changes: Sequence[revisions.Change], known: dict[str, set[bytes]]
) -> bool:
    return any(match.secret not in known.get(change.old, ()) for change in changes)


def _read(
    repository: Repository,
    names: Sequence[str],
    engine: Engine,
    receipt: Receipt,
    progress: Progress,
) -> list[Match]:
    """Read blobs: those that were just added lie loose, and no git is needed for them."""
    searcher = engine.searcher()
    found: list[Match] = []
    left: list[bytes] = []
    for name in names:
        text = loose.read(repository, name) if len(names) <= _FEW else None
        if text is None:
            left.append(name.encode())
            continue
        found += searcher.search(batch_of(text, name.encode()))
        receipt.read[0] += 1
        receipt.read[1] += len(text)
    tallied(receipt, searcher.tally)
    if left:
        from scanner.objecttexts import read_objects  # noqa: PLC0415  (seldom needed)

        found += read_objects(repository, left, engine, receipt, progress)
    return found
