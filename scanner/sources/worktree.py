# ruff: noqa: PTH118  (paths are bytes here, which pathlib does not take)
"""What a worktree holds beyond its repository: changed, untracked and, if asked, ignored files."""

import os
import stat
from collections.abc import Iterable, Iterator
from pathlib import Path

import msgspec

from scanner.lazy import lazy
from scanner.sources.gitrun import Repository, output

_ENTRY = lazy(
    rb"(\d{6}) ([0-9a-f]+) (\d)\t([^\0]+)\0  ctime: [^\n]*\n  mtime: (\d+):(\d+)\n"
    rb"  dev: [^\n]*\n  uid: [^\n]*\n  size: (\d+)\tflags: [^\n]*\n"
)
_REGULAR = (b"100644", b"100755")
_EMPTY = frozenset(
    (
        b"e69de29bb2d1d6434b8b29ae775ad8c2e48c5391",
        b"473a0f4c3be8a93681a267e3b1e9a7dcda1185436fe141f7749120a303721813",
    )
)
"""Blobs that git knows without holding them."""


class Uncommitted(msgspec.Struct, frozen=True):
    """What a worktree holds beyond its repository.

    Attributes:
        paths: of files.
        lost: ids of blobs that the index names, and that neither the repository holds nor a file.
    """

    paths: list[bytes]
    lost: list[str]


def staged_paths(repository: Repository) -> dict[str, str]:
    """Return the path in the index of every blob that the index names."""
    listed = output(repository, "ls-files", "-z", "--stage")
    entries = (entry.partition(b"\t") for entry in listed.split(b"\0") if entry)
    return {left.split(b" ")[1].decode(): os.fsdecode(path) for left, _, path in entries}


def uncommitted(
    repository: Repository, *, ignored: bool, held: Iterable[bytes] | None
) -> Uncommitted:
    """Return the files of the worktree whose content the repository may lack.

    A tracked file counts as unchanged when size and time are those of the index (git's own
    rule), or when its content has the blob's id, and the repository holds that blob. Nothing is
    asked of git that would run a filter.

    Args:
        repository: has a worktree.
        ignored: whether ignored files are wanted.
        held: ids of all blobs that the repository holds; None where nobody listed them.
    """
    assert repository.worktree is not None
    lost: list[str] = []
    paths = list(_changed(repository, repository.worktree, held, lost))
    paths += _listed(repository, "--others", "--exclude-standard")
    if ignored:
        paths += _listed(repository, "--others", "--ignored", "--exclude-standard")
    return Uncommitted(paths, lost)


_SETTINGS = ("config", "config.worktree", "FETCH_HEAD", "info/attributes", "info/exclude")


def settings(repository: Repository) -> list[bytes]:
    """Return git's own files in which an address with a password, or a script, may stand.

    They are no objects and no files of the worktree: nothing else would look at them.
    """
    assert repository.worktree is not None
    folder = repository.git_dir
    if folder != repository.worktree / ".git":
        return []
    hooks = (hook for hook in _entries(folder / "hooks") if not hook.endswith(".sample"))
    names = [*(n for n in _SETTINGS if (folder / n).is_file()), *(f"hooks/{h}" for h in hooks)]
    return [os.fsencode(f".git/{name}") for name in names]


def _entries(folder: Path) -> list[str]:
    try:
        return sorted(entry.name for entry in os.scandir(folder) if entry.is_file())
    except OSError:
        return []


def tracked_and_untracked(repository: Repository, *, ignored: bool) -> list[bytes]:
    """Return all files of the worktree that git would not ignore."""
    paths = _listed(repository, "--cached", "--others", "--exclude-standard")
    if ignored:
        paths += _listed(repository, "--others", "--ignored", "--exclude-standard")
    return list(dict.fromkeys(paths))


def _listed(repository: Repository, *arguments: str) -> list[bytes]:
    listed = output(repository, "ls-files", "-z", *arguments)
    return [path for path in listed.split(b"\0") if path and not path.endswith(b"/")]


def _changed(
    repository: Repository, root: Path, held: Iterable[bytes] | None, lost: list[str]
) -> Iterator[bytes]:
    listed = output(repository, "ls-files", "-z", "--stage", "--debug")
    written = _index_time(repository)
    base = os.fsencode(root)
    entries = [
        (blob, *told)
        for mode, blob, stage, *told in _ENTRY.findall(listed)
        if mode in _REGULAR and stage in (b"0", b"2")
    ]
    lacking: set[bytes] = set()
    if held is not None:
        lacking = {blob for blob, *_ in entries}.difference(_EMPTY, held)
    for blob, path, seconds, nanoseconds, size in entries:
        try:
            status = os.lstat(os.path.join(base, path))
        except OSError:  # deleted: what was in it is in the repository
            lost += [blob.decode()] if blob in lacking else []
            continue
        mtime = int(seconds) * 10**9 + int(nanoseconds)
        same = status.st_size == int(size) and status.st_mtime_ns == mtime and mtime < written
        kept = blob not in lacking and (same or _is_blob(base, path, blob, status))
        if stat.S_ISREG(status.st_mode) and not kept:
            yield path


def _index_time(repository: Repository) -> int:
    try:
        return (repository.git_dir / "index").stat().st_mtime_ns
    except OSError:
        return 0


_HASHED = 64 << 20


def _is_blob(base: bytes, path: bytes, blob: bytes, status: os.stat_result) -> bool:
    """Say whether a file's content is that of a blob, which is scanned with the repository."""
    if status.st_size > _HASHED:
        return False
    try:
        with open(os.path.join(base, path), "rb") as stream:  # noqa: PTH123  (a path of bytes)
            content = stream.read()
    except OSError:
        return False
    import hashlib  # noqa: PLC0415  (slow to import)

    kind = hashlib.sha1 if len(blob) == 40 else hashlib.sha256  # noqa: PLR2004
    head = b"blob %d\0" % len(content)
    return kind(head + content, usedforsecurity=False).hexdigest().encode() == blob
