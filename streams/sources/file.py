"""A log file, read once or followed across rotation, truncation and restarts."""

import os
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from streams.checkpoint import Position
from streams.chunk import Chunk
from streams.documents import RecordCutter, cutter
from streams.lines import LineCutter
from streams.logfile import BOM, GZIP, LogFile, open_log
from streams.rotation import HEAD, Segment, current, fingerprint, locate, rotated
from streams.sources.closing import Closing
from vocabulary.errors import TargetError

POLL_S = 0.05
LINGER_S = 1.0
"""Seconds that a rotated file must be quiet before the new one is read: until all its writers
have opened the new one, some still write to the old."""

Begun = Callable[[str, Position], None]
"""Name of a source, and the position from which it is followed for the first time."""

MAX_CHUNK = 8 * 1024 * 1024
"""Bytes of lines in a chunk, about; the memory that hostile lines can take."""


class FileSource(Closing):
    """Lines of a log file; each is given once, whatever happens to the file between restarts.

    Args:
        path: of the log.
        follow: wait for more at the end, as `tail -F` does, instead of being done.
        linger_s: see LINGER_S.
        tell: called with what a person should know, such as lines that were lost.
        begun: called with the name and the position from which a file is followed that was never
            read: kept at once, it is found again though it is rotated before its first lines are
            committed.
        clock: epoch seconds.
        wait: sleeps for some seconds.
    """

    def __init__(
        self,
        path: Path | str,
        *,
        follow: bool,
        linger_s: float = LINGER_S,
        tell: Callable[[str], None] = lambda _: None,
        begun: Begun = lambda *_: None,
        clock: Callable[[], float] = time.time,
        wait: Callable[[float], None] = time.sleep,
    ) -> None:
        self.path = Path(os.path.abspath(path))  # noqa: PTH100  (symbolic links stay what they are)
        self.name = f"file:{self.path}"
        self._follow, self._linger_s = follow, linger_s
        self._tell, self._begun, self._clock, self._wait = tell, begun, clock, wait
        self._known: frozenset[int] = frozenset()
        self._position: Position | None = None
        self._segments: list[Segment] = []
        self._seen: object = None
        self._around: object = None
        self._log: LogFile | None = None
        self._cutter: LineCutter | RecordCutter = LineCutter()
        self._head = b""
        self._changed = self._finished = False
        self._lines: list[bytes] = []
        self._offsets: list[int] = []
        self._error: TargetError | None = None
        self._done = False

    @property
    def done(self) -> bool:
        """Whether the file is read once and for all."""
        return self._done and not self._lines and self._error is None

    def open(self, position: Position | None) -> None:
        """Go on where the position says, even if the file was rotated meanwhile.

        Opened again, it forgets what it gave behind that position.

        Raises:
            TargetError: when the file is missing, unreadable or no log.
        """
        self._position = position
        self._lines, self._offsets, self._error, self._done = [], [], None, False
        if position is None:
            self._check()
            self._known = frozenset(one.inode for one in rotated(self.path))
        self._seen = self._listing()
        self._segments, found = locate(self.path, position, self._known)
        if not found:
            self._tell(f"{self.path}: the file that was read last is gone; lines may be lost")
        if not self._segments and not self._follow:
            self._check()
        self._next()
        if position is None and self._follow and self._log is not None:
            self._begun(self.name, self._beginning(self._log.head(HEAD)))

    def read(self, max_lines: int, timeout_s: float) -> Chunk | None:
        """Return the lines that there are, or None when none came within the time.

        Raises:
            TargetError: when the file cannot be read further; all lines before were given.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            self._gather(max_lines)
            if self._lines:
                return self._taken(max_lines)
            if self._error is not None:
                raise self._error
            left_s = deadline - time.monotonic()
            if self._done or left_s <= 0:
                return None
            self._wait(min(POLL_S, left_s))

    def close(self) -> None:
        """Let go of the file."""
        if self._log is not None:
            self._log.close()
            self._log = None

    # --- reading ---------------------------------------------------------------------------

    def _gather(self, max_lines: int) -> None:
        """Collect lines of one file until there are enough, or no more for now."""
        size = sum(map(len, self._lines))
        while len(self._lines) < max_lines and size < MAX_CHUNK and not self._done:
            try:
                block = self._block()
            except TargetError as error:
                if self._lines or not self._passed_over(error):
                    return
                continue
            if block:
                size += len(block)
                self._keep(self._cutter.feed(block))
            elif self._lines or not self._moved_on():
                return

    def _block(self) -> bytes:
        """Read on; nothing when the file has no more, or is no longer what it was."""
        if self._log is None or self._finished:
            return b""
        block, broken = b"", None
        try:
            block = self._log.read()
        except TargetError as error:
            broken = error
        if self._follow and self._is_another(block):
            self._changed = True
            return b""
        if broken is not None:
            raise broken
        return self._first(block)

    def _is_another(self, block: bytes) -> bool:
        """Whether the file is not the one that was opened, or not the next one to read."""
        assert self._log is not None
        if self._log.head(len(self._head)) != self._head:
            return True
        if not block or self._head:
            return False
        # Before the first line of a file: an older one may have come beside it, unread. And what
        # was empty may turn out to be packed.
        packed = not self._log.compressed and block.startswith(GZIP)
        return packed or self._listing() != self._seen

    def _passed_over(self, error: TargetError) -> bool:
        """Keep the error, unless newer files wait behind the broken one."""
        if not self._segments:
            self._error, self._done = error, True
            return False
        self._tell(str(error))
        self._next()
        return True

    def _first(self, block: bytes) -> bytes:
        if len(self._head) < HEAD:
            self._head = (self._head + block)[:HEAD]
        return block

    def _keep(self, cut: tuple[list[bytes], list[int]]) -> None:
        lines, offsets = cut
        if lines and offsets[0] == 0:
            lines[0] = lines[0].removeprefix(BOM)
        self._lines += lines
        self._offsets += offsets

    def _taken(self, max_lines: int) -> Chunk:
        lines, self._lines = self._lines[:max_lines], self._lines[max_lines:]
        offsets, self._offsets = self._offsets[:max_lines], self._offsets[max_lines:]
        assert self._log is not None
        offset = self._offsets[0] if self._lines else self._cutter.offset
        self._position = self._position_at(offset, self._head[:offset])
        origin = {"file": str(self._log.path)}
        left = self._log.status().st_size - int(self._position["offset"])
        behind = None if self._log.compressed else max(0, left)
        return Chunk(self.name, lines, offsets, self._position, origin, behind=behind)

    def _position_at(self, offset: int, head: bytes) -> Position:
        assert self._log is not None
        status = self._log.status()
        return {
            "inode": status.st_ino,
            "offset": offset,
            "head": len(head),
            "fingerprint": fingerprint(head),
            "mtime_ns": status.st_mtime_ns,
        }

    def _beginning(self, head: bytes) -> Position:
        """Return the position before the first line; an empty file is told by what is older."""
        position, old = self._position_at(0, head), rotated(self.path)
        newest = max([position["mtime_ns"], *(one.mtime_ns for one in old)])
        return {**position, "mtime_ns": newest, "known": [one.inode for one in old]}

    # --- moving on -------------------------------------------------------------------------

    def _moved_on(self) -> bool:
        """At the end of a file with all its lines given: whether there is more to read now."""
        if self._changed:
            return self._go_on()
        if self._log is None:
            return current(self.path) is not None and self._go_on(tell=False)
        if not self._follow:
            return self._ended()
        self._look_behind(self._log.status().st_ino)
        if self._segments:
            return self._waiting() and self._ended()
        return self._log.shrunk(self._cutter.offset) and self._go_on()

    def _look_behind(self, inode: int) -> None:
        """Find the files that are newer than the open one, if it was moved away."""
        now, listing = current(self.path), self._listing()
        if (now is not None and now.inode == inode) or (now, listing) == self._around:
            return
        segments, found = locate(self.path, self._position, self._known)
        inodes = [segment.inode for segment in segments]
        copied = found and self._position is not None and len(segments) > 1
        mine = inodes.index(inode) + 1 if inode in inodes else int(copied)
        self._segments, self._seen, self._around = segments[mine:], listing, (now, listing)

    def _waiting(self) -> bool:
        """Whether newer lines wait, and the open file will get no more.

        An empty new log is no reason to leave the old one, which may still be written to.
        """
        if self._segments[0].path == self.path:
            now = current(self.path)
            if now is None or now.size == 0:
                return False
        return self._quiet()

    def _ended(self) -> bool:
        """Give the last line, even without a line feed; then go to the next file."""
        log, self._finished = self._log, True
        assert log is not None
        try:
            log.check_end()
        except TargetError as error:
            return self._passed_over(error)
        self._keep(self._cutter.finish())
        if self._lines:
            return False
        self._next()
        self._done = self._log is None and not self._follow
        return self._log is not None

    def _go_on(self, *, tell: bool = True) -> bool:
        """Look again where the reading stands, as after a restart."""
        self._seen = self._listing()
        self._segments, found = locate(self.path, self._position, self._known)
        if tell and not found:
            self._tell(f"{self.path}: truncated; lines that were not read yet may be lost")
        self._next()
        return self._log is not None

    def _listing(self) -> Sequence[tuple[str, int]]:
        return [(str(one.path), one.inode) for one in rotated(self.path)]

    def _next(self) -> None:
        """Open the next file; one that was rotated on since it was seen is looked for again."""
        self.close()
        self._head, self._changed, self._finished = b"", False, False
        while self._log is None and self._segments:
            segment = self._segments.pop(0)
            self._log = _opened(segment)
            if self._log is None:
                self._segments, _ = locate(self.path, self._position, self._known)
                continue
            self._log.seek(segment.offset)
            self._head = self._log.head(min(segment.offset, HEAD))
            self._cutter = cutter(self._log, segment.offset)

    def _quiet(self) -> bool:
        assert self._log is not None
        age_s = self._clock() - self._log.status().st_mtime
        # A time far in the future is a wrong clock's, and would make us wait for ever.
        return abs(age_s) >= self._linger_s

    def _check(self) -> None:
        """Refuse what cannot be read."""
        open_log(self.path).close()


def _opened(segment: Segment) -> LogFile | None:
    """Open the file, unless something else stands at its path by now."""
    try:
        log = open_log(segment.path)
    except TargetError:
        if current(segment.path) is not None:
            raise
        return None
    if log.status().st_ino == segment.inode:
        return log
    log.close()
    return None
