"""Memory that is free goes back to the system, so that a process holds what it uses."""

import ctypes
import gc
from collections.abc import Callable
from contextlib import suppress


def _trim() -> Callable[[int], int] | None:
    # Of glibc; other allocators give back by themselves, or cannot be asked.
    with suppress(OSError, AttributeError, TypeError):
        found: Callable[[int], int] = ctypes.CDLL(None).malloc_trim
        return found
    return None


_TRIM = _trim()


def give_back(*, thoroughly: bool = False) -> None:
    """Free what only cycles hold, and return the pages that the allocator keeps for later.

    Python looks for cycles after many objects alone (see `__main__.GARBAGE`), which a quiet
    process makes in minutes; what has lived through such a look is looked at again after hours.
    Columns of a batch leave holes of a few MB each. What lies free at the moment depends on how
    batches were cut, so that a process would seem to grow where nothing does; to ask once in
    seconds costs less than to have every large column mapped anew.

    Args:
        thoroughly: look through what is old as well, which takes 60 ms of processor time; else
            only what is young.

    https://man7.org/linux/man-pages/man3/malloc_trim.3.html
    """
    gc.collect(2 if thoroughly else 1)
    if _TRIM is not None:
        _TRIM(0)
