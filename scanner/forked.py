"""Work done by two processes and more, where the machine has the cores and the system forks.

What is confirmed is confirmed in Python, one thread at a time, so threads would not help. A child
inherits the compiled rules as they lie in memory and sends back what it found. Of files each has
its share from the beginning, and one that dies takes it along, which is said; parts of packs are
taken one by one, and what a child leaves undone is done here.
"""

import gc
import os
import pickle
import select
import signal
import struct
import sys
import threading
import warnings
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from typing import IO, Any, NoReturn, TypeVar

_SHARE = 32  # paths that are dealt out at a time: neighbours are alike, and so is their cost
_LEAST = 400  # files for which a process is worth its start
_THREADS = 2  # the scan's own, and that of a progress bar
_MOST = 4096  # parts whose numbers a pipe is sure to hold; more are done here
_NUMBER, _LENGTH = struct.Struct("I"), struct.Struct("Q")

T = TypeVar("T")
Send = Callable[[IO[bytes]], None]
"""Writes what a child found."""


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
    children = [_begun(_sending(work, part)) for part in parts[1:]]
    try:
        results = [work(parts[0])]
        gathered = [_ended(child) for child in children]
    except BaseException:
        _stop(children)
        raise
    finally:
        _wait(children)
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


def each(count: int, work: Callable[[int], T], workers: int) -> Iterator[tuple[int, T]]:
    """Yield what came of each part of some work, as it comes.

    Args:
        count: parts, numbered from nought.
        work: does one; what it returns is pickled.
        workers: processes; none of them is this one, which does what they left undone.
    """
    left = set(range(count))
    numbers, into = os.pipe()
    os.write(into, struct.pack(f"{min(count, _MOST)}I", *range(min(count, _MOST))))
    os.close(into)
    children: list[tuple[int, int]] = []
    try:
        children += (_begun(_taking(numbers, work)) for _ in range(min(workers, count)))
        for number, result in _results([inlet for _, inlet in children]):
            left.discard(number)
            yield number, result
        for number in sorted(left):
            yield number, work(number)
    except BaseException:
        _stop(children)
        raise
    finally:
        _wait(children)
        for descriptor in (numbers, *(inlet for _, inlet in children)):
            os.close(descriptor)


def _sending(work: Callable[[Sequence[bytes]], Any], part: Sequence[bytes]) -> Send:
    def send(stream: IO[bytes]) -> None:
        pickle.dump(work(part), stream, pickle.HIGHEST_PROTOCOL)

    return send


def _taking(numbers: int, work: Callable[[int], Any]) -> Send:
    """Take parts from a pipe until none is left; each result is sent behind its length."""

    def send(stream: IO[bytes]) -> None:
        while raw := os.read(numbers, _NUMBER.size):
            (number,) = _NUMBER.unpack(raw)
            said = pickle.dumps((number, work(number)), pickle.HIGHEST_PROTOCOL)
            stream.write(_LENGTH.pack(len(said)))
            stream.write(said)  # not put together with its length: it may be large
            stream.flush()
            del said

    return send


def _results(inlets: Sequence[int]) -> Iterator[Any]:
    """Yield what children send until each has ended, or died."""
    waiting = list(inlets)
    while waiting:
        ready, _, _ = select.select(waiting, (), ())
        for inlet in ready:
            try:
                yield pickle.loads(  # noqa: S301  (from our own child)
                    _read(inlet, _LENGTH.unpack(_read(inlet, _LENGTH.size))[0])
                )
            except EOFError:
                waiting.remove(inlet)


def _read(descriptor: int, size: int) -> bytearray:
    found = bytearray(size)
    with memoryview(found) as view:
        done = 0
        while done < size:
            count = os.readv(descriptor, [view[done:]])
            if not count:
                raise EOFError
            done += count
    return found


def _begun(send: Send) -> tuple[int, int]:
    """Start a child; returns its process id and where its result comes from."""
    inlet, outlet = os.pipe()
    gc.freeze()  # a child that looks for garbage leaves alone what is there, and shares it
    with warnings.catch_warnings():
        # a progress bar's thread holds nothing that the child uses
        warnings.simplefilter("ignore", DeprecationWarning)
        pid = os.fork()
    if not pid:
        _sent(send, inlet, outlet)
    gc.unfreeze()
    os.close(outlet)
    return pid, inlet


def _sent(send: Send, inlet: int, outlet: int) -> NoReturn:
    """Be the child: send, and end."""
    status = 1
    try:
        os.close(inlet)
        with open(outlet, "wb") as stream:
            send(stream)
        status = 0
    finally:
        os._exit(status)  # nothing of the parent's is flushed or cleaned up twice


def _stop(children: Iterable[tuple[int, int]]) -> None:
    for pid, _ in children:
        with suppress(OSError):
            os.kill(pid, signal.SIGKILL)


def _wait(children: Iterable[tuple[int, int]]) -> None:
    for pid, _ in children:
        with suppress(ChildProcessError):
            os.waitpid(pid, 0)


def _ended(child: tuple[int, int]) -> Any:  # noqa: ANN401
    """Return what a child sent; None where it died before it had sent all of it."""
    with open(child[1], "rb") as stream:  # noqa: PTH123  (a descriptor)
        try:
            return pickle.load(stream)  # noqa: S301  (from our own child)
        except (EOFError, pickle.UnpicklingError):
            return None
