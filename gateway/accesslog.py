"""The gateway's own access log: lines of the format nginx-json, appended to a file.

The file may be renamed or removed at any time; the next lines go to a new one of its name. The same
writer keeps the events for the pipeline: `AccessEvent`s as they are, with nothing left to parse.

Whoever answers requests makes the lines, some at a time; a thread only hands their bytes to the
kernel, which may take long over it. Were the lines made by the thread, it would take the
interpreter from requests for as long, and every turn of that costs them more than the line does.
"""

import logging
import os
from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from threading import Event, Lock, Thread

import msgspec

from gateway.access import Access, Form, as_line
from gateway.cleaned import Cleaned, replaced
from gateway.locked import locked
from vocabulary.credential import Cleaner
from vocabulary.errors import TargetError
from vocabulary.exposed import told

_log = logging.getLogger(__name__)
_encoder = msgspec.json.Encoder()

_KEPT = 8
_AT_ONCE = 64
"""Lines that are made in one go: enough for the cleaner, and too few to keep anybody waiting."""
_PATIENCE_S = 10.0
_MAX_PENDING_BYTES = 16 * 1024 * 1024


class AccessLog:
    """A sink that appends to a file, a few times each tenth of a second; any thread may call it.

    A process that is killed loses what came in the last `every_s`, and while the file cannot be
    written what waits in memory: 16 MiB at most, beyond which lines are dropped and counted.

    Args:
        path: the file; made when missing.
        clean: replaces secrets in lines; None leaves them as they are.
        every_s: seconds between two writes.
        form: what is written of an access.
        most_bytes: a longer file is renamed to `.1`, that one to `.2`, and so on up to `.8`; 0
            for never.

    Raises:
        TargetError: when the file cannot be opened.
    """

    def __init__(
        self,
        path: Path,
        clean: Cleaner | None = None,
        every_s: float = 0.05,
        *,
        form: Form = as_line,
        most_bytes: int = 0,
    ) -> None:
        self._path, self._every_s = path, every_s
        self._cleaned = Cleaned(clean) if clean is not None else None
        self._form, self._most_bytes = form, most_bytes
        self._waiting: deque[Access] = deque()
        self._made: list[bytes] = []
        self._made_bytes = 0
        self._making = Lock()
        self._pending = b""
        self._lost = 0
        self._failing = False
        self._closed = Event()
        try:
            self._file = self._open()
            self._inode = _inode(os.fstat(self._file))
        except OSError as error:
            raise TargetError(
                f"the access log cannot be written: {error.strerror}", where=str(path)
            ) from None
        self._thread = Thread(target=self._run, name="access log", daemon=True)
        self._thread.start()

    def __call__(self, access: Access) -> None:
        """Take one access; it is in the file a moment later."""
        self._waiting.append(access)
        # Never waits: if somebody else is making lines, the next request makes these.
        if len(self._waiting) >= _AT_ONCE and self._making.acquire(blocking=False):
            try:
                self._make()
            finally:
                self._making.release()

    def close(self) -> None:
        """Write what is left and end; a file that takes nothing any more is given up in the end."""
        self._closed.set()
        self._thread.join(_PATIENCE_S)
        if self._thread.is_alive():
            _log.error("access log %s takes nothing: its last lines are lost", self._path)
            return
        os.close(self._file)

    def _run(self) -> None:
        while not self._closed.wait(self._every_s):
            self._flush()
        self._flush()

    def _make(self) -> None:
        """Turn what waits into lines; who calls this holds the lock."""
        waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
        if self._made_bytes + len(self._pending) > _MAX_PENDING_BYTES:
            self._lost += len(waiting)
            return
        try:
            lines = self._lines(waiting)
        except Exception as error:  # noqa: BLE001  (the request is answered, whatever its log is)
            self._lost += len(waiting)
            _log.error("access log: %s", type(error).__name__)
            return
        self._made.append(lines)
        self._made_bytes += len(lines)

    def _lines(self, accesses: Sequence[Access]) -> bytes:
        form, changed = self._form, None
        if self._cleaned is not None:
            changed = self._cleaned.changed_in(accesses)
        if not changed:
            return _encoder.encode_lines([form(one) for one in accesses])
        written = (replaced(one, changed) for one in accesses)
        lines = [told(_encoder.encode(form(one)), exposed) for one, exposed in written]
        return b"\n".join([*lines, b""])

    def _flush(self) -> None:
        with self._making:
            if self._waiting:
                self._make()
            self._pending += b"".join(self._made)
            self._made, self._made_bytes = [], 0
        if not self._pending:
            return
        try:
            self._follow_rotation()
            self._write()
        except OSError as error:
            self._failed(error)

    def _write(self) -> None:
        """Write what is pending; a half-written line is completed by the next write."""
        while self._pending:
            written = os.write(self._file, self._pending)
            self._pending = self._pending[written:]
        if self._failing or self._lost:
            with self._making:  # whoever makes lines may count more meanwhile
                lost, self._lost = self._lost, 0
            _log.warning("access log: written again; %d lines were lost", lost)
            self._failing = False

    def _failed(self, error: OSError) -> None:
        if not self._failing:
            _log.error("access log %s: %s; lines are kept in memory", self._path, error.strerror)
            self._failing = True

    def _follow_rotation(self) -> None:
        size = self._size()
        if self._most_bytes and size is not None and size > self._most_bytes:
            with locked(self._file):
                # Another gateway that writes to the same file may have been quicker.
                if self._size() is not None:
                    self._rotate()
            size = None
        if size is not None:
            return
        fresh = self._open()
        os.close(self._file)
        self._file, self._inode = fresh, _inode(os.fstat(fresh))

    def _size(self) -> int | None:
        """Return the size of the log's file; None when another one or none has its name."""
        with suppress(FileNotFoundError):
            named = os.stat(self._path)  # noqa: PTH116  (called twenty times a second)
            return named.st_size if _inode(named) == self._inode else None
        return None

    def _rotate(self) -> None:
        """Make room: `.1` is the newest of those that are kept for who reads them late."""
        for number in range(_KEPT - 1, -1, -1):
            older = Path(f"{self._path}.{number}" if number else self._path)
            with suppress(FileNotFoundError):
                older.replace(f"{self._path}.{number + 1}")

    def _open(self) -> int:
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
        return os.open(self._path, flags, 0o640)  # not inherited: PEP 446


def _inode(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
