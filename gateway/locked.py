"""One process at a time, of those that have the same file open."""

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def locked(file: int) -> Iterator[None]:
    """Keep others out that lock the same file, by flock(2); where there is none, nobody.

    Args:
        file: descriptor of it.

    Raises:
        OSError: when the file system cannot lock.
    """
    try:
        import fcntl  # noqa: PLC0415  (not on Windows)
    except ImportError:
        yield
        return
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        yield
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)
