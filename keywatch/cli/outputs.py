"""Files that commands write: what goes wrong with one names it, a full disk too.

A secret that is shown once is the exception: where nobody gets to see it, it is taken back.
"""

import os
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

import click

from vocabulary.errors import KeyStoreError, KeywatchError

STANDARD = "standard output"


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
    """Open a file to write, `-` for standard output; close it in the end."""
    inner = cast("TextIO", click.open_file(file, "w", encoding="utf-8"))
    name = STANDARD if file == "-" else file
    finish = inner.flush if file == "-" else inner.close
    try:
        yield cast("TextIO", Named(inner, name))
    except BaseException:
        # what went wrong first is what is told
        with suppress(OSError):
            finish()
        raise
    with _named(name):
        finish()


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
