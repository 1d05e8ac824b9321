"""Hearing that an SQLite file was written to, whichever process did it: Linux tells, by inotify(7).

Like the other bells (`keystore.bells`) it only wakes, and may miss: what changed is read from the
feed. Whoever hears it need not look at the file fifty times a second, which takes the interpreter
from other threads some times each.
"""

import ctypes
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

_MODIFY, _ATTRIB, _DELETE_SELF, _MOVE_SELF = 0x2, 0x4, 0x400, 0x800
_ANOTHER = _ATTRIB | _DELETE_SELF | _MOVE_SELF
_NONBLOCK, _CLOEXEC = os.O_NONBLOCK, getattr(os, "O_CLOEXEC", 0)
_AGAIN_MS, _SOON_MS = 1000, 50
_PAUSES_MS = (4, 20)
"""A commit is seen when the disk has it, a moment after its first byte was written. Then there is a
rest: who writes all the time wakes nobody more often than fifty times a second."""


@contextmanager
def hearing_file(path: Path | None, wake: Callable[[], None]) -> Iterator[bool]:
    """Call `wake`, from a thread, soon after a database was written to.

    Args:
        path: of the database; None where it is no file.
        wake: must be quick and may be called too often.

    Yields:
        Whether it will be told: not on other systems, nor where too much is watched already.
    """
    listener = _opened(path) if path is not None else None
    if listener is None:
        yield False
        return
    thread = Thread(target=listener.listen, args=(wake,), name="file bell", daemon=True)
    thread.start()
    try:
        yield True
    finally:
        listener.end()
        thread.join()
        listener.close()


def _opened(path: Path) -> "_Listener | None":
    if sys.platform != "linux":
        return None
    with suppress(OSError, AttributeError):
        listener = _Listener(path)
        if listener.watch(path):
            return listener
        listener.close()
    return None


class _Listener:
    """What waits for the kernel's word about one database."""

    def __init__(self, path: Path) -> None:
        libc = ctypes.CDLL(None, use_errno=True)
        self._add = libc.inotify_add_watch
        # Commits are written to the log; what is moved from there to the file is none.
        self._events = {path: _ANOTHER, Path(f"{path}-wal"): _ANOTHER | _MODIFY}
        self._told: int = libc.inotify_init1(_NONBLOCK | _CLOEXEC)
        if self._told < 0:
            raise OSError(ctypes.get_errno(), "inotify")
        self._ended = os.eventfd(0)

    def watch(self, path: Path) -> bool:
        """Have a file watched; one that is watched already, or is another by now, costs nothing."""
        found: int = self._add(self._told, os.fsencode(path), self._events[path])
        return found >= 0

    def listen(self, wake: Callable[[], None]) -> None:
        """Wake whenever something was written, until the end."""
        from select import POLLIN, poll  # noqa: PLC0415  (not everywhere)

        either, end = poll(), poll()
        either.register(self._told, POLLIN)
        either.register(self._ended, POLLIN)
        end.register(self._ended, POLLIN)
        while not end.poll(0):
            missing = [path for path in self._events if not self.watch(path)]
            if not either.poll(_SOON_MS if missing else _AGAIN_MS):
                continue
            with suppress(BlockingIOError):
                os.read(self._told, 1 << 16)
            for pause_ms in _PAUSES_MS:
                if end.poll(pause_ms):
                    return
                wake()

    def end(self) -> None:
        """Have `listen` return."""
        os.eventfd_write(self._ended, 1)

    def close(self) -> None:
        """Give the kernel back what it lent."""
        os.close(self._told)
        os.close(self._ended)
