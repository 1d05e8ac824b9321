"""keywatch actions: what was done to keys, and taking it back."""

import time
from typing import TYPE_CHECKING

import click

from keywatch.cli.common import (
    Did,
    Group,
    engine,
    json_option,
    person,
    print_json,
    print_table,
    telling,
)
from vocabulary.errors import ExitCode, KeyStoreError, UsageError
from vocabulary.moments import seconds_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from sqlalchemy import Engine

_STATES = [
    "waiting", "leased", "held", "kept", "scheduled", "done", "dead", "dry_run", "undone",
    "rejected", "skipped",
]  # fmt: skip


@click.group("actions", cls=Group)
def command() -> None:
    """See what was done to keys, and take it back."""


@command.command("list")
@click.option("--key", default="", metavar="KEY", help="Only actions on this key.")
@click.option("--state", type=click.Choice(_STATES), help="Only actions in this state.")
@click.option("--all", "everything", is_flag=True, help="Also who was told.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
@click.pass_context
def list_command(
    ctx: click.Context, key: str, state: str | None, everything: bool, limit: int, as_json: bool
) -> None:
    """List actions, the newest first."""
    from actions.ledger import list_actions
    from database.transaction import reading

    with reading(engine(ctx, create=False)) as connection:
        rows = list_actions(
            connection, key=key, state=state or "", notifications=everything, limit=limit
        )
    if as_json:
        print_json(rows)
        return
    names = ("id", "at", "subject", "effect", "state", "attempts", "error", "reason")
    columns = ("ACTION", "TIME", "KEY", "EFFECT", "STATE", "ATTEMPTS", "NOTE", "REASON")
    print_table(columns, ([row[name] for name in names] for row in rows))


@command.command("show")
@click.argument("action", type=int)
@json_option
@click.pass_context
def show_command(ctx: click.Context, action: int, as_json: bool) -> None:
    """Show all that is known of one ACTION."""
    from actions.ledger import show_action
    from database.transaction import reading

    with reading(engine(ctx, create=False)) as connection:
        row = show_action(connection, action)
    if as_json:
        print_json(row)
        return
    print_table(("", ""), list(row.items()))


@command.command("undo")
@click.argument("actions", nargs=-1, type=int)
@click.option("--since", metavar="TIME", help="All of the last 30m, 2h, 1d, …, the newest first.")
@click.option("--force", is_flag=True, help="Even a key whose leak is proven, or changed since.")
@json_option
@click.pass_context
def undo_command(
    ctx: click.Context, actions: tuple[int, ...], since: str | None, force: bool, as_json: bool
) -> int:
    """Put keys back to where they were before the ACTIONS."""
    now = time.time()
    opened = engine(ctx, create=False)
    wanted = sorted(_chosen(opened, actions, since, now), reverse=True)
    rows, code = [], ExitCode.OK
    for number in wanted:
        try:
            rows.append(_undo(opened, number, now, force=force))
        except (KeyStoreError, UsageError) as error:
            code = max(code, error.exit_code)
            click.echo(f"keywatch: action {number}: {error}", err=True)
    if as_json:
        print_json(rows)
    elif rows:
        print_table(("ACTION", "EFFECT", "KEY", "CHANGED"), (list(row.values()) for row in rows))
    elif not wanted:
        click.echo(f"no action was carried out in the last {since}", err=True)
    return code


@command.command("approve")
@click.argument("actions", nargs=-1, type=int)
@click.option("--held", "every", is_flag=True, help="All that are held.")
@click.pass_context
@telling
def approve_command(ctx: click.Context, actions: tuple[int, ...], every: bool) -> Did:
    """Let ACTIONS that a guard holds be carried out."""
    from actions.judgement import approve

    return _judge(ctx, actions, approve, "approved", every=every)


@command.command("reject")
@click.argument("actions", nargs=-1, type=int)
@click.option("--held", "every", is_flag=True, help="All that are held.")
@click.pass_context
@telling
def reject_command(ctx: click.Context, actions: tuple[int, ...], every: bool) -> Did:
    """Call off ACTIONS that a guard holds."""
    from actions.judgement import reject

    return _judge(ctx, actions, reject, "rejected", every=every)


@command.command("retry")
@click.argument("actions", nargs=-1, type=int, required=True)
@click.pass_context
@telling
def retry_command(ctx: click.Context, actions: tuple[int, ...]) -> Did:
    """Try ACTIONS again that were given up."""
    from actions.judgement import retry

    return _judge(ctx, actions, retry, "waiting", every=False)


def _chosen(
    opened: "Engine", actions: tuple[int, ...], since: str | None, now: float
) -> tuple[int, ...]:
    from actions.undo import done_since
    from database.transaction import reading

    if since is None:
        if not actions:
            raise UsageError("name actions, or say --since", remedy="see `keywatch actions list`")
        return actions
    start = now - seconds_of(since)
    with reading(opened) as connection:
        return (*actions, *done_since(connection, start))


def _undo(opened: "Engine", number: int, now: float, *, force: bool) -> dict[str, object]:
    from actions.undo import undo
    from database.transaction import transaction

    with transaction(opened) as connection:
        undone = undo(connection, number, actor=person(), now=now, force=force)
    return {
        "id": undone.id,
        "effect": undone.effect,
        "key": undone.subject,
        "changed": undone.changed,
    }


def _judge(
    ctx: click.Context,
    actions: tuple[int, ...],
    verb: "Callable[..., list[int]]",
    said: str,
    *,
    every: bool,
) -> Did:
    from actions.judgement import held
    from database.transaction import transaction

    with transaction(engine(ctx, create=False)) as connection:
        wanted = held(connection) if every else list(actions)
        if not wanted and not every:
            raise UsageError("name actions, or say --held", remedy="see `keywatch actions list`")
        moved = verb(connection, wanted, actor=person(), now=time.time())
    rows = [{"id": number, "state": said} for number in moved]
    return Did(rows, "\n".join(f"{number} {said}" for number in moved))
