"""`keywatch deadletters`: lines that are no events, and what becomes of them."""

from typing import TYPE_CHECKING, Any

import click

from keywatch.cli.common import (
    Did,
    Group,
    console,
    engine,
    json_option,
    print_json,
    print_table,
    printable,
    telling,
)

if TYPE_CHECKING:
    from streams.deadletter import DeadLetter

_ids = click.argument("ids", metavar="ID...", nargs=-1, type=int)
_source = click.option("--source", metavar="NAME", help="Of one source, as `status` names it.")
_LEAST_SHOWN, _MOST_SHOWN = 16, 60
_OTHERS = 84
"""Characters of the other columns, at most widths."""


@click.group(cls=Group)
def command() -> None:
    """Show lines that were no events, and have them read again."""


@command.command("list")
@_source
@click.option("--limit", type=click.IntRange(1), default=100, show_default=True)
@json_option
@click.pass_context
def list_(ctx: click.Context, source: str | None, limit: int, as_json: bool) -> None:
    """List dead letters, the newest first."""
    from database.transaction import reading
    from streams import deadletter

    with reading(engine(ctx, create=False)) as connection:
        letters = deadletter.newest(connection, limit, source)
    if as_json:
        print_json([_told(letter) for letter in letters])
        return
    shown = max(_LEAST_SHOWN, min(_MOST_SHOWN, console().width - _OTHERS))
    rows = [
        (
            one.id,
            one.when.removesuffix("+00:00"),
            one.source,
            one.reason,
            printable(_text(one)[:shown]),
        )
        for one in letters
    ]
    columns = ("id", "at (UTC)", "source", "reason", "line")
    print_table(columns, rows, whole=("at (UTC)",))


@command.command()
@click.argument("letter", metavar="ID", type=int)
@json_option
@click.pass_context
def show(ctx: click.Context, letter: int, as_json: bool) -> None:
    """Show one dead letter whole; secrets in it were replaced when it came."""
    from database.transaction import reading
    from streams import deadletter
    from vocabulary.errors import TargetError

    with reading(engine(ctx, create=False)) as connection:
        found = deadletter.named(connection, letter)
    if found is None:
        raise TargetError("no such dead letter", where=str(letter), remedy="see deadletters list")
    told = _told(found)
    if as_json:
        print_json(told)
        return
    print_table(("field", "value"), list(told.items()))


@command.command()
@_ids
@_source
@click.option("--all", "everything", is_flag=True, help="All of them.")
@click.pass_context
@telling
def replay(ctx: click.Context, ids: tuple[int, ...], source: str | None, everything: bool) -> Did:
    """Have the pipeline read letters again, by the formats as they are configured now.

    A running `watch` does it within seconds, the next one when it starts; a letter of a Spark job
    is read by that job, `spark submit` or `spark backfill` of the same --name. What is an event
    now is committed, once; what still is none stays.
    """
    from database.transaction import transaction
    from streams import deadletter

    if not (ids or source or everything):
        raise click.UsageError("Which ones? Name an ID, --source or --all.")
    with transaction(engine(ctx, create=False)) as connection:
        number = deadletter.ask_again(connection, ids or None, source)
        of_jobs = deadletter.waiting_for_jobs(connection)
    said = f"{number} letters are read again by `keywatch watch`"
    if of_jobs:
        said = f"{number} letters are read again; {of_jobs} wait for their job, `keywatch spark`"
    return Did({"letters": number}, said)


@command.command()
@click.argument("ids", metavar="ID...", nargs=-1, type=int, required=True)
@click.pass_context
@telling
def discard(ctx: click.Context, ids: tuple[int, ...]) -> Did:
    """Drop letters for good."""
    from database.transaction import transaction
    from streams import deadletter

    with transaction(engine(ctx, create=False)) as connection:
        number = deadletter.discard(connection, ids)
    return Did({"letters": number}, f"{number} letters dropped")


def _text(letter: "DeadLetter") -> str:
    return letter.raw.decode("utf-8", "backslashreplace")


def _told(letter: "DeadLetter") -> dict[str, Any]:
    return {
        "id": letter.id,
        "at": letter.when,
        "source": letter.source,
        "position": dict(letter.position),
        "reason": letter.reason,
        "state": letter.state,
        "raw": _text(letter),
    }
