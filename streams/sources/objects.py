"""Folders whose objects are written once: a bucket, or a directory that something delivers to.

So AWS delivers the logs of CloudTrail, load balancers and CloudFront:
https://docs.aws.amazon.com/awscloudtrail/latest/userguide/cloudtrail-log-file-examples.html
"""

import time
import zlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import Protocol

import numpy as np

from streams.checkpoint import Position
from streams.chunk import Chunk
from streams.listing import Folder, Listing
from streams.objectmemory import Digests, Names, digests
from streams.retries import Retries
from streams.sources.closing import Closing
from vocabulary.errors import TargetError

MAX_OBJECT = 256 << 20
"""Bytes of an object, unpacked; a larger one is told of and left out."""

MOST_ROWS = 1000
"""Objects that are read have a row each up to so many; then their names are kept alone."""

MOST_NAMES = 1_000_000
"""Of more names than these, those are forgotten that no object has any more."""

_LONGEST_S = 600.0
_ANY_GZIP_WINDOW = 31
_GZIP = b"\x1f\x8b"

Unfold = Callable[[bytes], list[bytes]]


class Memory(Protocol):
    """What is committed of a folder; see `streams.objectmemory`."""

    def positions(self) -> Mapping[str, Position]:
        """Return the positions of objects that have one."""
        ...

    def names(self) -> Names:
        """Return the names of those that are read and have none any more."""
        ...

    def archive(self, keys: Sequence[str]) -> None:
        """Keep names in place of positions."""
        ...

    def replace(self, names: Digests) -> None:
        """Keep these names and no others."""
        ...


class ObjectSource(Closing):
    """The lines of objects, each object once, in the order of their names as far as known.

    Args:
        folder: where they are.
        memory: which of them are read.
        unfold: from an object's text to lines, where one line holds many records.
        once: be done when all that is listed is read.
        tell: called with what a person should know.
        clock: seconds.
    """

    def __init__(
        self,
        folder: Folder,
        memory: Memory,
        *,
        unfold: Unfold | None = None,
        once: bool = False,
        tell: Callable[[str], None] = lambda _: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.name = folder.name
        self._folder, self._memory, self._unfold = folder, memory, unfold
        self._once, self._tell, self._clock = once, tell, clock
        self._begin()

    def _begin(self) -> None:
        self._listing = Listing(self._folder, self._clock)
        self._retries = Retries(self._tell, self._clock, longest_s=_LONGEST_S)
        self._names = Names(digests(()))
        self._begun: dict[str, int] = {}
        self._finished: set[str] = set()
        self._given_up: set[str] = set()
        self._waiting: deque[str] = deque()
        self._listed: list[Digests] | None = None
        self._lines: list[bytes] = []
        self._key: str | None = None
        self._at = 0
        self._failed: TargetError | None = None

    @property
    def failed(self) -> Mapping[str, str]:
        """The folder, where it cannot be listed or some of its objects cannot be read, and why."""
        failed = list(self._retries.failed.values())
        if not failed:
            return {}
        more = f", and {len(failed) - 1} more" if len(failed) > 1 else ""
        return {self.name: f"{failed[0]}{more}"}

    @property
    def done(self) -> bool:
        """Whether all that was listed is read."""
        read = self._listing.whole and not self._waiting and self._key is None
        return self._once and read and not self._failed

    def open(self, position: Position | None = None) -> None:
        """Go on from what is committed.

        Raises:
            TargetError: when the folder cannot be listed.
            DatabaseError: when it cannot be told what is committed.
        """
        del position
        self._begin()
        for key, one in self._memory.positions().items():
            if one.get("done"):
                self._finished.add(key)
            else:
                self._begun[key] = int(one.get("line", 0))
        self._names = self._memory.names()
        self._tidy()
        self._look()

    def read(self, max_lines: int, timeout_s: float) -> Chunk | None:
        """Return lines of the object whose turn it is.

        Raises:
            TargetError: with `once`, when an object could not be read; all others were.
            DatabaseError: when what is read could not be remembered in short; open it again.
        """
        del timeout_s
        while self._key is None:
            if not self._waiting and not self._looked_again():
                self._raise_failed()
                return None
            self._load(self._waiting.popleft())
        lines = self._lines[self._at : self._at + max_lines]
        offsets = list(range(self._at + 1, self._at + len(lines) + 1))
        self._at += len(lines)
        key, last = self._key, self._at >= len(self._lines)
        if last:
            self._key, self._lines = None, []
            self._finished.add(key)
            self._begun.pop(key, None)
        position = {"line": self._at, "done": last, "folder": self.name}
        return Chunk(f"{self.name}/{key}", lines, offsets, position, {"object": key})

    def close(self) -> None:
        """There is nothing to let go of."""

    def _raise_failed(self) -> None:
        error = self._failed
        if error is not None and self._listing.whole:
            self._failed = None
            raise error

    def _looked_again(self) -> bool:
        if self._once and self._listing.whole:
            return False
        if not self._listing.is_due() or not self._retries.is_due(self.name):
            return False
        # Nothing waits: all that was handed out is committed.
        self._tidy()
        try:
            self._look()
        except TargetError as error:
            if self._once:
                raise
            self._retries.fail(self.name, str(error))
        else:
            self._retries.succeed(self.name)
        return bool(self._waiting)

    def _tidy(self) -> None:
        """Keep names in place of rows, where there are many; all of them must be committed."""
        if len(self._finished) < MOST_ROWS:
            return
        finished = sorted(self._finished)
        self._memory.archive(finished)
        self._names.add(finished)
        self._finished.clear()

    def _look(self) -> None:
        if self._listing.begins:
            self._listed = [] if len(self._names) > MOST_NAMES else None
        names = self._listing.look()
        if self._listed is not None:
            self._listed.append(digests(names))
            if self._listing.whole:
                self._forget(self._listed)
        again = [key for key in self._retries.failed if key != self.name and self._is_there(key)]
        fresh = self._names.without([*again, *names])
        read = self._finished | self._given_up
        self._waiting.extend(
            key for key in dict.fromkeys(fresh) if key not in read and self._retries.is_due(key)
        )

    def _is_there(self, key: str) -> bool:
        """Say whether an object that could not be read may be tried again; forget one that went."""
        if not self._retries.is_due(key):
            return False
        there = next(iter(self._folder.keys(prefix=key)), None) == key
        if not there:
            self._retries.forget(key)
        return there

    def _forget(self, listed: Sequence[Digests]) -> None:
        """Forget the names that no object has any more, now that all are listed.

        Where nothing is listed, something else is wrong: a folder that is not mounted.
        """
        self._listed = None
        kept = self._names.among(np.concatenate(listed))
        if len(kept):
            self._memory.replace(kept)
            self._names = Names(kept)

    def _load(self, key: str) -> None:
        """Read an object; one that cannot be read is told of, and looked at again later."""
        try:
            text = self._text(key)
        except TargetError as error:
            if self._once:
                self._failed = error
                self._tell(str(error))
                self._given_up.add(key)
            else:
                self._retries.fail(key, str(error))
            return
        self._retries.succeed(key)
        pieces = self._unfold(text) if self._unfold else [text]
        self._lines = text.split(b"\n") if pieces == [text] else pieces
        while self._lines and not self._lines[-1].strip():
            self._lines.pop()
        self._key = key
        self._at = self._begun.get(key, 0)

    def _text(self, key: str) -> bytes:
        where = f"{self.name}/{key}"
        if not where.isascii() and where != where.encode("utf-8", "replace").decode():
            where = where.encode("utf-8", "backslashreplace").decode()
            raise TargetError("its name is not UTF-8", where=where, remedy="rename it")
        raw = self._folder.read(key, MAX_OBJECT)
        try:
            text = _unpacked(raw) if raw.startswith(_GZIP) else raw
        except (zlib.error, EOFError) as error:
            raise TargetError("gzip data is damaged", where=where, remedy="get it again") from error
        if len(text) > MAX_OBJECT:
            raise TargetError(
                f"larger than {MAX_OBJECT >> 20} MiB", where=where, remedy="cut it up"
            )
        return text


def _unpacked(raw: bytes) -> bytes:
    """Unpack one or more gzip members, up to a byte beyond the limit."""
    parts, room = [], MAX_OBJECT + 1
    while raw and room > 0:
        member = zlib.decompressobj(_ANY_GZIP_WINDOW)
        part = member.decompress(raw, room)
        if not member.eof and not member.unconsumed_tail:
            raise EOFError
        parts.append(part)
        room -= len(part)
        raw = member.unused_data.lstrip(b"\0")
    return b"".join(parts)
