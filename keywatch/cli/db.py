"""`keywatch db`: look after the one database."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from keywatch.cli.common import Group, json_option, person, print_json, print_table, settings
from keywatch.cli.granting import acting
from vocabulary.errors import DatabaseError, ExitCode, UsageError

if TYPE_CHECKING:
    from sqlalchemy import Engine

_SHOWN = 3


@click.group(cls=Group)
def command() -> None:
    """Check, upgrade, back up and restore the database."""


@command.command()
@json_option
@click.pass_context
def check(ctx: click.Context, as_json: bool) -> int:
    """Say whether the database is whole and up to date, and prove its audit log."""
    from database.backup import problems
    from database.engine import shown, told
    from database.transaction import HEAD, revision

    url = settings(ctx).database
    engine = _existing(ctx)
    with told(shown(url)):
        found = revision(engine, shown(url))
    wrong = problems(engine)
    if found != HEAD:
        wrong.append(f"the schema is {found or 'missing'}: run `keywatch db upgrade`")
    if not wrong:
        wrong += _broken_audit(engine)
    result = {"database": shown(url), "schema": found, "newest": HEAD, "problems": wrong}
    if as_json:
        print_json(result)
    else:
        rows = [(name, value) for name, value in result.items() if name != "problems"]
        print_table(("what", "is"), [*rows, *(("problem", each) for each in wrong)])
        click.echo("the database is not as it should be" if wrong else "all is well")
    return ExitCode.INCOMPLETE if wrong else ExitCode.OK


@command.command()
@json_option
@click.pass_context
def upgrade(ctx: click.Context, as_json: bool) -> None:
    """Bring the database to the schema of this keywatch."""
    from database.engine import shown, told
    from database.transaction import HEAD, revision
    from database.transaction import upgrade as bring_up

    url = settings(ctx).database
    engine = _existing(ctx)
    with told(shown(url)):
        before = revision(engine, shown(url))
        bring_up(engine, shown(url))
    if as_json:
        print_json({"database": shown(url), "was": before, "schema": HEAD})
        return
    said = "was up to date" if before == HEAD else f"was {before or 'empty'}, is {HEAD}"
    click.echo(f"{shown(url)}: schema {said}")


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@json_option
@click.pass_context
def backup(ctx: click.Context, file: Path, as_json: bool) -> None:
    """Write a copy to a new FILE, while keywatch may be running.

    FILE is an SQLite database, of a server too.
    """
    from database.backup import backup as write

    write(_existing(ctx), file)
    if as_json:
        print_json({"file": str(file), "bytes": file.stat().st_size})
    else:
        click.echo(f"wrote {file}")


@command.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--force", is_flag=True, help="Replace a database that has rows.")
@click.option("--revive", is_flag=True, help="Let what has ended since the backup work again, too.")
@acting
@click.pass_context
def restore(
    ctx: click.Context,
    file: Path,
    force: bool,
    revive: bool,
    actor: str,
    reason: str,
    as_json: bool,
) -> None:
    """Put the backup FILE in the place of the database.

    FILE may come from a database of another kind: that is how one moves to a server. One that is
    there and empty, such as `keywatch db upgrade` makes, is filled; one with rows needs --force.
    What has been revoked, suspended, denied or forgotten since the backup stays so, accounts and
    API tokens may do what they may now, and everybody logs in anew.
    """
    import time

    from database.engine import engine_of, shown
    from keystore.recovery import restore_backup

    url = settings(ctx).database
    engine = engine_of(url)
    ctx.call_on_close(engine.dispose)
    if not force and (lost := _in_the_way(engine, shown(url))):
        raise UsageError(
            f"there is a database already, with {lost}",
            where=shown(url),
            remedy="back it up, then replace it with --force",
        )
    who = person(actor)
    now = time.time()
    kept = restore_backup(engine, file, actor=who, reason=reason, now=now, revive=revive)
    if kept is None:
        click.echo(
            "keywatch: the database that was there could not be asked: what has been revoked since "
            "the backup works again",
            err=True,
        )
    if as_json:
        print_json({"database": shown(url), "restored_from": str(file), "kept_ended": kept})
    else:
        click.echo(
            f"{shown(url)} is as {file} was" + (f", {kept} keys as they are" if kept else "")
        )


def _in_the_way(engine: "Engine", place: str) -> str:
    """Say what would be lost: nothing where there is no database, or one without a row."""
    from database.backup import contents
    from database.engine import sqlite_file, told
    from database.transaction import revision

    file = sqlite_file(engine)
    if file is not None and not (file.exists() and file.stat().st_size):
        return ""
    try:
        with told(place):
            held = contents(engine) if revision(engine, place) else {}
    except DatabaseError as error:
        if file is None:
            raise
        return f"something that is not understood: {error.what}"
    largest = sorted(held.items(), key=lambda one: -one[1])[:_SHOWN]
    shown = ", ".join(f"{table} {rows:,}" for table, rows in largest)
    return shown and f"rows: {shown}"


def _existing(ctx: click.Context) -> "Engine":
    from database.engine import engine_of

    engine = engine_of(settings(ctx).database, create=False)
    ctx.call_on_close(engine.dispose)
    return engine


def _broken_audit(engine: "Engine") -> list[str]:
    from database.schema.keeping import is_kept
    from database.transaction import reading
    from keystore.audit import verify

    with reading(engine) as connection:
        proven, kept = verify(connection), is_kept(connection)
    wrong = [f"audit row {proven.broken_at}: {proven.why}"] if proven.broken_at else []
    return wrong if kept else [*wrong, "the triggers that keep the audit log are gone"]
