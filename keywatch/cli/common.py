"""What the commands share: settings, the database, tables for people and JSON for programs."""

import json
import os
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import wraps
from typing import TYPE_CHECKING, Any, NamedTuple, TypeVar

import click

if TYPE_CHECKING:
    from rich.table import Table
    from sqlalchemy import Engine

    from keywatch.config import Settings

T = TypeVar("T")

limit_option = click.option(
    "--limit", default=100, type=click.IntRange(0), show_default=True, help="0 for all of them."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON for programs.")


WHOLE = 1000
"""Letters of a summary: it is wrapped, and never cut."""


class Group(click.Group):
    """Commands, each with its first sentence whole."""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command is for."""
        known = ((name, self.get_command(ctx, name)) for name in self.list_commands(ctx))
        rows = [(name, one.get_short_help_str(WHOLE)) for name, one in known if one]
        with formatter.section("Commands"):
            formatter.write_dl(rows)


class Did(NamedTuple):
    """What a command did: for programs, in a sentence for people, and the exit code.

    What tells a secret says in `unseen` what there is where nobody gets to see it.
    """

    value: Any
    sentence: str = ""
    code: int = 0
    unseen: str = ""


def telling(make: Callable[..., Did]) -> Callable[..., int]:
    """Give a command --json: it prints the value of what it returns, otherwise the sentence."""

    @wraps(make)
    def command(*args: Any, as_json: bool, **flags: Any) -> int:  # noqa: ANN401
        did = make(*args, **flags)
        if did.unseen:
            from keywatch.cli.outputs import show_once

            show_once(as_document(did.value) if as_json else did.sentence, lambda: did.unseen)
        elif as_json:
            print_json(did.value)
        elif did.sentence:
            click.echo(did.sentence)
        return did.code

    return json_option(command)


def settings(ctx: click.Context) -> "Settings":
    """Return the effective configuration of this run."""
    root = ctx.find_root().obj
    from keywatch.config import load

    return load(root["config_file"], flags=root["flags"]).settings


def engine(ctx: click.Context, *, create: bool = True) -> "Engine":
    """Open the configured database until the command ends."""
    from database.transaction import open_database

    configured = settings(ctx)
    opened = open_database(configured.database, create=create)
    ctx.call_on_close(opened.dispose)
    if configured.gateway.redis:
        from keystore.bells import ringing_redis

        ctx.with_resource(ringing_redis(opened, configured.gateway.redis))
    return opened


def person(named: str = "") -> str:
    """Return who acts, for the audit log: `named`, or else the user of the operating system."""
    import getpass
    import os

    try:
        return named or getpass.getuser()
    except (ImportError, KeyError, OSError):
        return f"uid {os.getuid()}" if hasattr(os, "getuid") else "somebody"


def one_more(limit: int) -> int | None:
    """Return how many to ask for, so that `page_of` can tell whether there are more."""
    return limit + 1 if limit else None


def page_of(found: Sequence[T], limit: int, which: str = "first") -> Sequence[T]:
    """Return those that --limit lets be shown, and say so where that is not all."""
    if not limit or len(found) <= limit:
        return found
    click.echo(f"keywatch: only the {which} {limit} are shown (--limit 0 for all)", err=True)
    return found[:limit]


def print_json(value: Any) -> None:  # noqa: ANN401
    """Print one JSON document."""
    click.echo(as_document(value))


def as_document(value: Any) -> str:  # noqa: ANN401
    """Return a JSON document as it is printed."""
    return json.dumps(value, indent=2, ensure_ascii=False)


def print_table(
    columns: Sequence[str],
    rows: Iterable[Sequence[object]],
    *,
    whole: Collection[str] = (),
) -> None:
    """Print a table that fits the terminal; cells are text, never markup.

    In a pipe each row is one line, as long as it may be. On a terminal on which the last column
    would be a narrow ribbon, each row is a block of lines.

    Args:
        columns: headings; what stands under the first one is never folded.
        rows: as many cells each.
        whole: further columns that are not folded.
    """
    cells = [[printable(cell) for cell in row] for row in rows]
    screen = console()
    if not screen.is_terminal:
        if "COLUMNS" not in os.environ:
            screen.width = max(screen.width, sum(_widths(columns, cells)))
    elif len(columns) > _PAIR and screen.width - sum(_widths(columns, cells)[:-1]) < _RIBBON:
        for row in cells:
            screen.print(_table(("name", "value"), [*zip(columns, row, strict=True)], headed=False))
            screen.print()
        return
    screen.print(_table(columns, cells, whole))


_PAIR, _RIBBON = 2, 20
_GAP = 2  # between columns, and half of it at either edge


def _widths(columns: Sequence[str], rows: Sequence[Sequence[str]]) -> list[int]:
    """Return how wide each column is with what stands between it and the next."""
    from rich.cells import cell_len

    return [_GAP + max(map(cell_len, column)) for column in zip(columns, *rows, strict=True)]


def _table(
    columns: Sequence[str],
    rows: Sequence[Sequence[str]],
    whole: Collection[str] = (),
    *,
    headed: bool = True,
) -> "Table":
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold", show_header=headed)
    for column in columns:
        # the first one names the row: people copy it, so it stays in one piece
        one_piece = column == columns[0] or column in whole
        table.add_column(column, no_wrap=one_piece, overflow="fold")
    for row in rows:
        table.add_row(*map(Text, row))
    return table


def printable(cell: object) -> str:
    """Return the cell as text without control characters: logs and paths are hostile."""
    from scanner.printable import printable as harmless

    return "" if cell is None else harmless(str(cell))


def console(*, stderr: bool = False) -> Any:  # noqa: ANN401
    """Return the terminal, as rich sees it; with NO_COLOR it is written to without any style."""
    from rich.console import Console

    # rich by itself would leave out colours, and still write in bold
    plain: dict[str, Any] = {"color_system": None} if os.environ.get("NO_COLOR") else {}
    return Console(
        stderr=stderr, highlight=False, emoji=False, markup=False, soft_wrap=False, **plain
    )
