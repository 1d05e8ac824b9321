"""The files of a directory that its .gitignore files do not name, told by git itself.

The directory need be no repository: git is given an empty one of ours, so that nothing but
`.gitignore` files counts.
"""

import os
from collections.abc import Iterator
from pathlib import Path

from scanner import views
from scanner.sources.gitrun import Repository, output


def listed(root: Path) -> list[bytes]:
    """Return paths relative to a directory, without git's own directories.

    Raises:
        RepositoryError: git cannot tell.
    """
    with views.view("", []) as empty:
        return list(_below(empty, root.resolve(), b""))


def _below(empty: Repository, root: Path, folder: bytes) -> Iterator[bytes]:
    place = Path(os.fsdecode(os.path.join(os.fsencode(root), folder)))  # noqa: PTH118  (bytes)
    seen = Repository(empty.git_dir, place)
    told = output(seen, "ls-files", "-z", "--others", "--exclude-per-directory=.gitignore")
    for path in told.split(b"\0"):
        whole = folder + path
        if path.endswith(b"/"):  # a repository within, which git leaves to itself
            yield from _below(empty, root, whole)
        elif path:
            yield whole
