"""Loose objects, read without git: what was added last lies in a file of its own.

Source: gitformat-loose(5) is new; "Git Internals - Git Objects" of the Pro Git book says the same.
"""

import os
import stat
import zlib
from pathlib import Path

from scanner.sources.gitrun import Repository

_SMALL = 1 << 20  # bytes of a file; larger ones are streamed by git
_LARGE = 4 << 20  # bytes that it may unfold to


def read(repository: Repository, name: str) -> bytes | None:
    """Return a blob that lies loose in the repository's own folder.

    None for one that does not, that is large, or that is not as it should be: git is asked for
    it then, and says what is wrong.

    Args:
        repository: where from.
        name: the object's id.
    """
    packed = _content((repository.common or repository.git_dir) / "objects" / name[:2] / name[2:])
    if packed is None:
        return None
    stream = zlib.decompressobj()
    try:
        raw = stream.decompress(packed, _LARGE)
    except zlib.error:
        return None
    head, found, text = raw.partition(b"\0")
    whole = stream.eof and not stream.unused_data and found
    return text if whole and head == b"blob %d" % len(text) else None


def _content(file: Path) -> bytes | None:
    flags = getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    try:
        handle = os.open(file, os.O_RDONLY | flags)
    except OSError:
        return None
    with open(handle, "rb", buffering=0) as stream:  # noqa: PTH123  (a descriptor)
        try:
            status = os.fstat(handle)
            regular = stat.S_ISREG(status.st_mode) and status.st_size <= _SMALL
            return stream.read(_SMALL + 1) if regular else None
        except OSError:
            return None
