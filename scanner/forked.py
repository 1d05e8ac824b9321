"""Files read by two processes and more, where the machine has the cores and the system forks.

What is confirmed is confirmed in Python, one thread at a time, so threads would not help. A child
inherits the compiled rules as they lie in memory and sends back what it found; one that dies
takes its share of the files with it, and that is said.
"""

import os
import pickle
import signal
import sys
import threading
import warnings
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, TypeVar

_SHARE = 32  # paths that are dealt out at a time: neighbours are alike, and so is their cost
_LEAST = 400  # files for which a process is worth its start
_THREADS = 2  # the scan's own, and that of a progress bar


T = TypeVar("T")


def shared(
    paths: Sequence[bytes], work: Callable[[Sequence[bytes]], T], workers: int
) -> tuple[list[T], int]:
    """Deal paths out to processes and do a share here.

    Args:
        paths: of all files.
        work: reads some of them; what it returns is pickled.
        workers: processes at most, this one among them.

    Returns:
        What each process brought, and how many files were lost with those that died.
    """
    count = min(workers, len(paths) // _LEAST) if _can_fork() else 1
    parts = _dealt(paths, max(1, count))
    children = [_begun(part, work) for part in parts[1:]]
    try:
        results = [work(parts[0])]
        gathered = [_ended(child) for child in children]
    except BaseException:
        for pid, _ in children:
            with suppress(OSError):
                os.kill(pid, signal.SIGKILL)
        raise
    finally:
        for pid, _ in children:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)
    results += [result for result in gathered if result is not None]
    lost = sum(
        len(part) for part, result in zip(parts[1:], gathered, strict=True) if result is None
    )
    return results, lost


def _can_fork() -> bool:
    return sys.platform == "linux" and threading.active_count() <= _THREADS


def _dealt(paths: Sequence[bytes], count: int) -> list[list[bytes]]:
    parts: list[list[bytes]] = [[] for _ in range(count)]
    for number, at in enumerate(range(0, len(paths), _SHARE)):
        parts[number % count] += paths[at : at + _SHARE]
    return parts


def _begun(part: Sequence[bytes], work: Callable[[Sequence[bytes]], Any]) -> tuple[int, int]:
    """Start a child; returns its process id and where its result comes from."""
    inlet, outlet = os.pipe()
    with warnings.catch_warnings():
        # a progress bar's thread holds nothing that the child uses
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if pid:
        os.close(outlet)
        return pid, inlet
    status = 1
    try:
        os.close(inlet)
        with open(outlet, "wb") as stream:  # noqa: PTH123  (a descriptor)
            pickle.dump(work(part), stream, pickle.HIGHEST_PROTOCOL)
        status = 0
    finally:
        os._exit(status)  # nothing of the parent's is flushed or cleaned up twice


def _ended(child: tuple[int, int]) -> Any:  # noqa: ANN401
    """Return what a child sent; None where it died before it had sent all of it."""
    with open(child[1], "rb") as stream:  # noqa: PTH123  (a descriptor)
        try:
            return pickle.load(stream)  # noqa: S301  (from our own child)
        except (EOFError, pickle.UnpicklingError):
            return None
