"""Files that commands write: what goes wrong with one names it, a full disk too.

A secret that is shown once is the exception: where nobody gets to see it, it is taken back.
"""

import os
import secrets
import stat
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

import click

from vocabulary.errors import KeyStoreError, KeywatchError

STANDARD = "standard output"
_DESCRIPTORS = 64  # that a shell or a service may have handed on


class Named:
    """A text file that is open, and says which it is where the system does not: at each write."""

    def __init__(self, file: TextIO, name: str) -> None:
        self._file, self._name = file, name

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401
        return getattr(self._file, name)

    def write(self, text: str) -> int:
        """Write as a file does.

        Raises:
            OSError: with the name of the file.
        """
        with _named(self._name):
            return self._file.write(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write each, likewise."""
        for line in lines:
            self.write(line)

    def flush(self) -> None:
        """Hand on what was written, likewise."""
        with _named(self._name):
            self._file.flush()


@contextmanager
def opened(file: str) -> Iterator[TextIO]:
    """Open a file to write, `-` for standard output; close it in the end.

    What a regular file held stays until the new content is whole: a command that fails halfway
    leaves it as it was.
    """
    name = STANDARD if file == "-" else file
    with _named(name):
        draft = _draft(file)
    inner = cast("TextIO", click.open_file(draft or file, "w", encoding="utf-8"))
    finish = inner.flush if file == "-" else inner.close
    try:
        yield cast("TextIO", Named(inner, name))
    except BaseException:
        # what went wrong first is what is told
        with suppress(OSError):
            finish()
        _discard(draft)
        raise
    try:
        with _named(name):
            finish()
            if draft:
                os.replace(draft, os.path.realpath(file))  # noqa: PTH105  (as given)
    except OSError:
        _discard(draft)
        raise


def _draft(file: str) -> str:
    """Begin a new file beside one that is to be replaced; empty where it is written in place.

    In place are written pipes and devices, what this process or its parent holds open (as
    /dev/stdout), what others own or know under a second name, and files of a folder in which
    nothing can be made.
    """
    path = os.path.realpath(file)
    try:
        old = os.stat(path)  # noqa: PTH116  (as given)
    except OSError:
        return ""  # nothing is lost, and what is wrong is told when it is opened
    if file == "-" or not _replaceable(path, old):
        return ""
    draft = os.path.join(os.path.dirname(path), f".keywatch-{secrets.token_hex(8)}")  # noqa: PTH118, PTH120
    try:
        descriptor = os.open(draft, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600)
    except OSError:
        return ""
    try:
        os.chmod(draft, stat.S_IMODE(old.st_mode))  # noqa: PTH101
    finally:
        os.close(descriptor)
    return draft


def _replaceable(path: str, old: os.stat_result) -> bool:
    mine = not hasattr(os, "geteuid") or (old.st_uid, old.st_gid) == (os.geteuid(), os.getegid())
    regular = stat.S_ISREG(old.st_mode) and old.st_nlink == 1
    return mine and regular and os.access(path, os.W_OK) and not _held_open(old)


def _held_open(old: os.stat_result) -> bool:
    """Say whether a descriptor of this process is the file, which a new one would not be."""
    for descriptor in range(_DESCRIPTORS):
        with suppress(OSError):
            if os.path.samestat(os.fstat(descriptor), old):
                return True
    return False


def _discard(draft: str) -> None:
    if draft:
        with suppress(OSError):
            os.unlink(draft)  # noqa: PTH108


def show_once(text: str, take_back: Callable[[], str]) -> None:
    """Print what is never shown again; where that fails, nobody shall have to guess what is left.

    Args:
        text: with the secret.
        take_back: ends what the secret is for, and says what there is now.

    Raises:
        KeyStoreError: nobody saw it.
    """
    try:
        if sys.stdout is None:
            raise OSError("there is no standard output")  # noqa: TRY301  (as one that is full)
        click.echo(text)  # hands it on at once
    except BaseException as error:  # noqa: BLE001  (also who is interrupted here)
        _give_up_stdout()
        try:
            left = take_back()
        except KeywatchError as other:
            left = f"what it is for is still there: {other}"
        why = getattr(error, "strerror", None) or str(error) or type(error).__name__
        told = f"the secret could not be shown, and nobody has it: {why.lower()}"
        raise KeyStoreError(told, where=STANDARD, remedy=left) from None


def _give_up_stdout() -> None:
    """Drop what could not be written: at exit it would be tried again."""
    with suppress(AttributeError, OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not error.filename and not isinstance(error, BrokenPipeError):
            error.filename = name
        raise
