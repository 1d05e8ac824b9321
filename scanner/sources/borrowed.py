"""What of a repository's objects lies outside of it: a hostile one may name anybody's.

Linked worktrees and submodules are known by the other side, which names them back; what only the
repository itself says (`alternates`, a `.git` file, links) is read as git reads it, and told of.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from scanner.sources.gitrun import Repository

_LONGEST = 1 << 20
_WORKTREE = "worktree = "


def borrowed(repository: Repository) -> list[str]:
    """Return a sentence for each place outside of the repository that its objects are read from."""
    objects = (repository.common or repository.git_dir) / "objects"
    own = list(_own(repository))
    named = [repository.git_dir, objects, *_links(objects), *_links(objects / "pack")]
    named += _alternates(objects)
    places = dict.fromkeys(place.resolve() for place in named if place.exists())
    outside = [one for one in places if not any(one.is_relative_to(folder) for folder in own)]
    return [f"objects were read that lie outside of the repository: {one}" for one in outside]


def _own(repository: Repository) -> Iterator[Path]:
    """Yield the folders that belong to a repository by what both sides say."""
    git_dir, common = repository.git_dir, repository.common
    root = (repository.worktree or git_dir).resolve()
    yield root
    if not (git_dir.is_relative_to(root) or _names_back(git_dir, root)):
        return
    yield git_dir
    # git keeps what a linked worktree has of its own within what it shares
    if common and git_dir.parent == common / "worktrees":
        yield common


def _names_back(git_dir: Path, root: Path) -> bool:
    """Say whether a git directory names the worktree that names it."""
    linked = _text(git_dir / "gitdir").removesuffix("\n")
    lines = (line.strip() for line in _text(git_dir / "config").splitlines())
    named = [line.removeprefix(_WORKTREE) for line in lines if line.startswith(_WORKTREE)]
    back = [*named, *([os.path.dirname(linked)] if linked else [])]  # noqa: PTH120  (may be empty)
    return any((git_dir / one).resolve() == root for one in back)


def _links(folder: Path) -> list[Path]:
    try:
        with os.scandir(folder) as entries:
            return [Path(entry.path) for entry in entries if entry.is_symlink()]
    except OSError:
        return []


def _alternates(objects: Path) -> list[Path]:
    """Return the folders that objects are borrowed from (gitrepository-layout(5))."""
    lines = _text(objects / "info" / "alternates").splitlines()
    return [objects / line.strip('"') for line in lines if line and not line.startswith("#")]


def _text(file: Path) -> str:
    try:
        with file.open(encoding="utf-8", errors="surrogateescape") as stream:
            return stream.read(_LONGEST)
    except OSError:
        return ""
