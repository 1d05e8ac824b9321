"""Files that commands write: what goes wrong with one names it, a full disk too."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from typing import Any, TextIO, cast

import click

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


@contextmanager
def _named(name: str) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if not error.filename and not isinstance(error, BrokenPipeError):
            error.filename = name
        raise
