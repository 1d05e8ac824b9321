"""Repositories within a repository: submodules, checked out or only kept.

A `.git` file can point anywhere. Only what lies inside the superproject is followed.
"""

import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from scanner.sources import gitrun
from scanner.sources.gitrun import Repository, output
from vocabulary.errors import RepositoryError

_GITLINK = b"160000"


class Submodule(msgspec.Struct, frozen=True):
    """A repository within another.

    Attributes:
        path: where it belongs in the superproject.
        repository: None where there is none to read.
        problem: why there is none; empty where it was just never fetched.
    """

    path: str
    repository: Repository | None
    problem: str = ""


def inside(repository: Repository) -> Iterator[Submodule]:
    """Yield the submodules that the index names, then those that are kept but not checked out."""
    common = common_dir(repository)
    seen = set()
    if repository.worktree:
        for path in _gitlinks(repository):
            found = _at(repository.worktree, path, common)
            if found.repository:
                seen.add(found.repository.git_dir)
            yield found
    for git_dir in _kept(common / "modules"):
        if git_dir not in seen:
            name = git_dir.relative_to(common / "modules")
            yield _kept_one(str(name), git_dir)


def common_dir(repository: Repository) -> Path:
    """Return what all worktrees of a repository share."""
    said = output(repository, "rev-parse", "--git-common-dir").removesuffix(b"\n")
    base = repository.worktree or repository.git_dir
    return (base / os.fsdecode(said)).resolve()


def _gitlinks(repository: Repository) -> list[str]:
    listed = output(repository, "ls-files", "-z", "--stage")
    entries = (entry.partition(b"\t") for entry in listed.split(b"\0"))
    paths = (os.fsdecode(path) for left, _, path in entries if left.startswith(_GITLINK))
    return list(dict.fromkeys(paths))


def _at(root: Path, path: str, common: Path) -> Submodule:
    folder = root / path
    if folder.resolve() != root.resolve() / path:
        return Submodule(path, None, "a link leads to it")
    try:
        found = gitrun.find(folder) if folder.is_dir() else None
    except RepositoryError as error:
        return Submodule(path, None, error.what)
    if found and not (
        found.git_dir.is_relative_to(common) or found.git_dir.is_relative_to(folder.resolve())
    ):
        return Submodule(path, None, "its objects lie outside of this repository")
    return Submodule(path, found)


def _kept_one(name: str, git_dir: Path) -> Submodule:
    try:
        return Submodule(f"(submodule {name})", gitrun.find(git_dir))
    except RepositoryError as error:
        return Submodule(f"(submodule {name})", None, error.what)


def _kept(folder: Path) -> Iterator[Path]:
    """Yield the git directories under `.git/modules`, whose names may have slashes."""
    if (folder / "HEAD").is_file() and (folder / "objects").is_dir():
        yield folder
        return
    try:
        entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
    except OSError:
        return
    for entry in entries:
        if entry.is_dir(follow_symlinks=False):
            yield from _kept(Path(entry.path))
