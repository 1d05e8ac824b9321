"""Where a log that was rotated or truncated goes on."""

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path

from streams.checkpoint import Position
from streams.logfile import open_log
from vocabulary.errors import TargetError

HEAD = 1024
"""Bytes at the start of a file by which it is known again."""

# What logrotate, newsyslog and the loggers of Python and Java append: numbers and dates.
_ROTATED = re.compile(r"[._-](?:[0-9][0-9TZ._:-]*|old)")
_NUMBER = re.compile(r"[._-]([0-9]{1,5})")


@dataclass(frozen=True, slots=True)
class Segment:
    """A file, and the offset from which its lines are still to be read.

    Its inode tells whether the path still leads to it when its turn comes.
    """

    path: Path
    inode: int
    offset: int


@dataclass(frozen=True, slots=True)
class Generation:
    """A file that holds, or held, lines of the log."""

    path: Path
    suffix: str
    inode: int
    size: int
    mtime_ns: int

    @property
    def packed(self) -> bool:
        """Whether it was packed when it was rotated."""
        return self.path.suffix == ".gz"

    def head(self, length: int, *, beyond: int = 0) -> bytes:
        """Return its first bytes; none when it cannot be read, or surely ends before `beyond`."""
        try:
            log = open_log(self.path)
        except TargetError:
            return b""
        try:
            return b"" if self.size < beyond and not log.compressed else log.head(length)
        finally:
            log.close()


def fingerprint(head: bytes) -> str:
    """Return what a file's first bytes are remembered by."""
    return sha256(head).hexdigest()[:32]


def current(path: Path) -> Generation | None:
    """Return the file that stands at the path itself, if there is one."""
    return _generation(path, "")


def rotated(path: Path) -> list[Generation]:
    """Return the rotated generations of the log beside it, the oldest first."""
    real = Path(os.path.realpath(path))
    try:
        names = [file.name for file in real.parent.iterdir()]
    except OSError:
        return []
    suffixes = {name: _suffix(name, real) for name in names}
    found = (_generation(real.parent / name, suffix) for name, suffix in suffixes.items() if suffix)
    return _ordered([each for each in found if each is not None])


def locate(
    path: Path, position: Position | None, known: frozenset[int] = frozenset()
) -> tuple[list[Segment], bool]:
    """Return what is still to be read, in order, and whether the position was found again.

    The file that the position speaks of is known by its inode and its first bytes, or by these
    alone when it was copied (copytruncate) or packed. Behind it come the generations that are
    newer, then the log itself. A file that was empty has no bytes to be known by: every generation
    holds its lines that was not there then.

    Args:
        path: of the log.
        position: where reading stopped; None when nothing was read yet.
        known: inodes of generations that are of no interest when there is no position.
    """
    now, old = current(path), rotated(path)
    here = [now] if now else []
    if position is None:
        fresh = [one for one in old if one.inode not in known]
        return _unread([*_no_copies(fresh, now), *here]), True
    if not position["head"]:
        fresh = [one for one in old if _is_younger(one, position)]
        return _unread([*_no_copies(fresh, now), *here]), True
    for candidate in _candidates(here, old, position["inode"]):
        if _holds(candidate, position):
            rest = old[old.index(candidate) + 1 :] if candidate in old else []
            later = [*_no_copies(rest, now), *here] if candidate in old else []
            return [_segment(candidate, position["offset"]), *_unread(later)], True
    newer = [one for one in old if one.mtime_ns > position["mtime_ns"]]
    return _unread([*_no_copies(newer, now), *here]), False


def _unread(generations: Sequence[Generation]) -> list[Segment]:
    return [_segment(one, 0) for one in generations]


def _segment(one: Generation, offset: int) -> Segment:
    return Segment(one.path, one.inode, offset)


def _is_younger(one: Generation, begun: Position) -> bool:
    """Whether it has come since an empty log was begun with; one that was packed keeps its time."""
    if one.inode in begun.get("known", ()):
        return False
    return bool(one.inode == begun["inode"] or one.mtime_ns > begun["mtime_ns"])


def _candidates(here: list[Generation], old: list[Generation], inode: object) -> list[Generation]:
    def same(one: Generation) -> bool:
        return one.inode == inode

    newest_first = old[::-1]
    return [
        *filter(same, here),
        *filter(same, newest_first),
        *here,
        *newest_first,
    ]


def _holds(one: Generation, position: Position) -> bool:
    head = one.head(position["head"], beyond=position["offset"])
    return bool(len(head) == position["head"] and fingerprint(head) == position["fingerprint"])


def _no_copies(old: list[Generation], now: Generation | None) -> list[Generation]:
    """Leave out what is being copied from the log itself, which is not truncated yet.

    A copy begins as the log does, and is no longer: so the log is read behind it.
    """
    heads = [one.head(HEAD) for one in old]
    mine = now.head(HEAD) if now and old else b""
    pairs = zip(old, heads, strict=True)
    return [one for one, head in pairs if not (head and mine.startswith(head))]


def _suffix(name: str, log: Path) -> str:
    """Return what rotation put into the name; "" when it is not one of the log's generations."""
    for one in (name, name.removesuffix(".gz")):
        for suffix in (
            one.removeprefix(log.name) if one.startswith(log.name) else "",
            one[len(log.stem) : -len(log.suffix)] if _framed(one, log) else "",
        ):
            if _ROTATED.fullmatch(suffix):
                return suffix
    return ""


def _framed(name: str, log: Path) -> bool:
    """Whether the name is of the kind `access-20251103.log`."""
    return bool(log.suffix) and name.startswith(log.stem) and name.endswith(log.suffix)


def _ordered(found: list[Generation]) -> list[Generation]:
    # gzip keeps the plain file until it is done with the packed one.
    plain = {one.path for one in found if not one.packed}
    once = [one for one in found if not (one.packed and one.path.with_suffix("") in plain)]
    return sorted(once, key=_age_of(once))


def _age_of(found: list[Generation]) -> Callable[[Generation], tuple[float, str]]:
    """Order by name where all names say it in the same way, else by time of the last write."""
    numbers = [_NUMBER.fullmatch(one.suffix) for one in found]
    if all(numbers):
        way = 1.0 if _counts_up(found) else -1.0
        return lambda one: (way * float(one.suffix[1:]), "")
    if not any(numbers) and all(one.suffix[1:] != "old" for one in found):
        return lambda one: (0.0, one.suffix)
    return lambda one: (one.mtime_ns, one.suffix)


def _counts_up(found: list[Generation]) -> bool:
    """Whether the highest number is the newest, as Log4j 2 has it, and not the oldest."""
    times = [one.mtime_ns for one in sorted(found, key=lambda one: float(one.suffix[1:]))]
    return len(times) > 1 and all(before < after for before, after in pairwise(times))


def _generation(path: Path, suffix: str) -> Generation | None:
    try:
        status = path.stat()
    except OSError:
        return None
    return Generation(path, suffix, status.st_ino, status.st_size, status.st_mtime_ns)
