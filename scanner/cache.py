"""The user's cache directory, trusted only while nobody else can write to it."""

import os
import stat
import sys
from contextlib import suppress
from pathlib import Path


def cache_dir(*, made: bool = True) -> Path | None:
    """Return the cache directory, made when it is missing; None when it cannot be trusted.

    The directory is `keywatch` under XDG_CACHE_HOME, `~/Library/Caches` or LOCALAPPDATA. What lies
    there is loaded by native code, so a directory of another owner, or one that others can
    write to, is not used.
    """
    place = cache_base() / "keywatch"
    try:
        if made:
            place.mkdir(mode=0o700, parents=True, exist_ok=True)
        return place if _private(place.lstat(), stat.S_ISDIR) else None
    except (OSError, RuntimeError):
        return None


def cache_base() -> Path:
    """Return where the system wants caches of the user: of Windows, macOS or XDG."""
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local")
    if stated := os.environ.get("XDG_CACHE_HOME"):
        return Path(stated)
    return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache")


def _private(status: os.stat_result, kind: object) -> bool:
    """Tell whether a file is of the right kind, ours, and writable by nobody else."""
    assert callable(kind)
    if not kind(status.st_mode):
        return False
    if sys.platform == "win32":
        return True  # the profile's own access list keeps others out
    return status.st_uid == os.getuid() and not status.st_mode & 0o077


def private_file(status: os.stat_result) -> bool:
    """Tell whether this is a regular file of ours that nobody else can write to or read."""
    return _private(status, stat.S_ISREG)


def private_folder(status: os.stat_result) -> bool:
    """Tell whether this is a directory of ours, and no link, that nobody else can look into."""
    return _private(status, stat.S_ISDIR)


def read(name: str) -> bytes | None:
    """Return what was kept under `name`, or None."""
    if (place := cache_dir(made=False)) is None:
        return None
    try:
        flags = os.O_RDONLY | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0)
        file = os.open(place / name, flags)
    except OSError:
        return None
    with os.fdopen(file, "rb") as stream:
        return stream.read() if _private(os.fstat(file), stat.S_ISREG) else None


def write(name: str, content: bytes) -> None:
    """Keep `content` under `name`, whole or not at all; a full disk is no error."""
    if (place := cache_dir()) is None:
        return
    import tempfile  # noqa: PLC0415  (slow to import, and most scans leave nothing new)

    with suppress(OSError):
        handle, temporary = tempfile.mkstemp(dir=place, prefix=".new-")  # mode 0600
        try:
            with os.fdopen(handle, "wb") as stream:
                stream.write(content)
            Path(temporary).replace(place / name)
        except OSError:
            Path(temporary).unlink(missing_ok=True)


def forget(prefix: str, keep: str) -> None:
    """Remove what was kept under other names with this prefix, oldest rule sets first to go."""
    if (place := cache_dir()) is None:
        return
    with suppress(OSError):
        kept = sorted(place.glob(f"{prefix}*"), key=lambda file: file.stat().st_mtime)
        for file in kept[:-4]:
            if file.name != keep:
                file.unlink(missing_ok=True)
