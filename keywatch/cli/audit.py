"""`keywatch audit`: prove and export the log of what was done to keys."""

import re
import sys
from pathlib import Path

import click

from keywatch.cli.common import Group, engine, json_option, print_json
from vocabulary.errors import ExitCode, TargetError, UsageError

_NOTED = re.compile(r"(\d{1,15}):([0-9a-f]{64})")


@click.group(cls=Group)
def command() -> None:
    """Prove and export the audit log."""


@command.command()
@click.option(
    "--expect",
    "noted",
    multiple=True,
    metavar="ROW:HASH",
    help="A head that an earlier run printed; it must still be in the log. May be repeated.",
)
@json_option
@click.pass_context
def verify(ctx: click.Context, noted: tuple[str, ...], as_json: bool) -> int:
    """Prove that no row was changed, moved or taken out.

    A log that was cut off at its end or rewritten as a whole shows only against a head that was
    noted elsewhere: pass it with --expect.
    """
    from database.transaction import reading
    from keystore import audit

    expected = dict(_noted(text) for text in noted)
    with reading(engine(ctx, create=False)) as connection:
        proven = audit.verify(connection, expected)
    if as_json:
        names = ("rows", "head", "broken_at", "why", "erased")
        print_json({name: getattr(proven, name) for name in names})
    elif proven.broken_at:
        click.echo(f"row {proven.broken_at}: {proven.why}; {proven.rows} rows before it are proven")
    else:
        erased = f", the words of {proven.erased} erased" if proven.erased else ""
        click.echo(f"{proven.rows} rows are proven{erased}; head {proven.rows}:{proven.head}")
    return ExitCode.INCOMPLETE if proven.broken_at else ExitCode.OK


@command.command()
@click.option("--output", type=click.Path(path_type=Path), help="Default: standard output.")
@click.option("--since", default=0, type=click.IntRange(0), help="Only rows after this number.")
@click.pass_context
def export(ctx: click.Context, output: Path | None, since: int) -> None:
    """Write the log as JSON lines, the oldest row first."""
    import msgspec

    from database.transaction import reading
    from keystore import audit

    encoder = msgspec.json.Encoder()
    with reading(engine(ctx, create=False)) as connection:
        lines = (encoder.encode(row) + b"\n" for row in audit.rows_since(connection, since))
        if output is None:
            sys.stdout.buffer.writelines(lines)
            return
        part = output.with_name(f"{output.name}.part")
        try:
            with part.open("wb") as out:
                out.writelines(lines)
            part.replace(output)
        except OSError as error:
            part.unlink(missing_ok=True)
            reason = (error.strerror or "cannot be written").lower()
            raise TargetError(reason, where=str(output), remedy="name another file") from error


def _noted(text: str) -> tuple[int, str]:
    found = _NOTED.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no head of the log", remedy="write it like 12:3f…")
    return int(found[1]), found[2]
