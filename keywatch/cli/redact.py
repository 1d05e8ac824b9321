"""`keywatch redact`: text passed through, secrets replaced."""

import os
import select
import stat
import sys
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import IO, TYPE_CHECKING

import click

from keywatch.cli.common import settings

if TYPE_CHECKING:
    from scanner.passing import Passing


@click.command()
@click.argument("files", nargs=-1, metavar="[FILE]...")
@click.option("--output", metavar="FILE", help="Where to write to, instead of stdout.")
@click.option("--summary", is_flag=True, help="Say on stderr how many secrets were replaced.")
@click.pass_context
def command(ctx: click.Context, files: tuple[str, ...], output: str | None, summary: bool) -> None:
    r"""Pass FILEs, or stdin, through with every secret replaced, such as sk_live_[REDACTED].

    Knows the secrets of all rules with a format of their own, JSON Web Tokens, and what stands
    where only secrets do: credentials of Authorization headers, passwords in addresses, values
    that are named api_key, access_token, client_secret, password and the like. Lines go out as
    soon as they are whole while somebody waits for them; the last lines wait a moment in a bulk
    of text.

    \b
    app 2>&1 | keywatch redact >> app.log
    keywatch redact access.log.1 > access.redacted.log
    """
    from keywatch import wiring
    from scanner.passing import Passing
    from scanner.redact import formats_engine

    if output:
        _refuse_itself(files or ("-",), output)
    engine = formats_engine(wiring.rules(settings(ctx).scan))
    replaced = 0
    with ExitStack() as stack:
        out = stack.enter_context(_opened(output, "wb")) if output else sys.stdout.buffer
        for name in files or ("-",):
            source = sys.stdin.buffer if name == "-" else stack.enter_context(_opened(name, "rb"))
            passing = Passing(engine)
            _pass(source.fileno(), out.fileno(), passing)
            replaced += passing.replaced
    if summary:
        click.echo(f"keywatch: replaced {replaced} secrets", err=True)


def _refuse_itself(files: tuple[str, ...], output: str) -> None:
    """Refuse to write into what is read: it would be emptied first.

    Raises:
        UsageError: when both are one file, by whatever names.
    """
    from vocabulary.errors import UsageError

    for name in files:
        with suppress(OSError):  # what is not there yet, or cannot be read, is said later
            read = os.fstat(sys.stdin.fileno()) if name == "-" else Path(name).stat()
            if stat.S_ISREG(read.st_mode) and os.path.samestat(read, Path(output).stat()):
                raise UsageError(
                    "a file cannot be redacted into itself",
                    where=output,
                    remedy="write to another file, and rename it",
                )


def _pass(source: int, out: int, passing: "Passing") -> None:
    """Move all that comes; what was not searched yet never goes out, however this ends."""
    from scanner.passing import BULK

    while block := os.read(source, BULK):
        _write(out, passing.feed(block, hurried=not _more(source)))
    _write(out, passing.finish())


def _more(source: int) -> bool:
    """Say whether more is there already; of a file it always is, up to its end."""
    return bool(select.select([source], [], [], 0)[0])


def _write(out: int, text: bytes) -> None:
    view = memoryview(text)
    while view:
        view = view[os.write(out, view) :]


def _opened(name: str, mode: str) -> IO[bytes]:
    from vocabulary.errors import TargetError

    try:
        return Path(name).open(mode, buffering=0)
    except OSError as error:
        what = (error.strerror or "unreadable").lower()
        raise TargetError(what, where=name, remedy="check the path") from error
