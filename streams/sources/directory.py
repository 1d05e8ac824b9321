"""A directory, to which something delivers, as a folder of objects."""

import os
from collections.abc import Iterator
from pathlib import Path

from vocabulary.errors import TargetError


class Directory:
    """The files below a directory; what does not end in `suffix` is left alone."""

    def __init__(self, path: Path, suffix: str = "") -> None:
        self.name, self._path, self._suffix = f"objects:{path.absolute()}", path, suffix

    def keys(self, prefix: str = "", after: str = "") -> Iterator[str]:
        """Yield the paths of all files in their order, without hidden and unfinished ones.

        Raises:
            TargetError: when there is no such directory, or one cannot be listed.
        """
        if not self._path.is_dir():
            raise TargetError("no such directory", where=str(self._path), remedy="check the path")
        for key in self._below("", prefix, after):
            name = key.rpartition("/")[2]
            unfinished = name.startswith(".") or name.endswith((".tmp", ".part"))
            if not unfinished and key.endswith(self._suffix):
                yield key

    def read(self, key: str, longest: int) -> bytes:
        """Return a file."""
        try:
            with (self._path / key).open("rb") as file:
                return file.read(longest + 1)
        except OSError as error:
            raise _refused(self._path / key, error) from error

    def _below(self, inside: str, prefix: str, after: str) -> Iterator[str]:
        for key, is_folder in self._entries(inside):
            if not (key.startswith(prefix) or (is_folder and prefix.startswith(key))):
                continue
            if is_folder:
                if key > after or after.startswith(key):
                    yield from self._below(key, prefix, after)
            elif key > after:
                yield key

    def _entries(self, inside: str) -> list[tuple[str, bool]]:
        """Return what lies in a folder; the names of folders end in a slash, and are sorted so."""
        found = []
        try:
            with os.scandir(self._path / inside) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        found.append((f"{inside}{entry.name}/", True))
                    elif entry.is_file():
                        found.append((f"{inside}{entry.name}", False))
        except FileNotFoundError:
            if not inside:
                raise TargetError(
                    "no such directory", where=str(self._path), remedy="check the path"
                ) from None
        except OSError as error:
            raise _refused(self._path / inside, error) from error
        return sorted(found)


def _refused(path: Path, error: OSError) -> TargetError:
    what = (error.strerror or "unreadable").lower()
    return TargetError(what, where=str(path), remedy="check its rights")
