"""keywatch report: an incident for its post-mortem, a leak with its remedy, who still tries."""

import time
from typing import TYPE_CHECKING

import click

from keywatch.cli.common import Group, engine, json_option, print_json, print_table
from keywatch.cli.outputs import opened

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from actions.telling.document import Block

_format = click.option(
    "--format",
    "form",
    type=click.Choice(["markdown", "html"]),
    default="markdown",
    show_default=True,
)
_output = click.option("--output", metavar="FILE", default="-", help="Default: stdout.")


@click.group("report", cls=Group)
def command() -> None:
    """Write reports: of an incident, of a leak, of revoked keys that are still tried."""


@command.command("incident")
@click.argument("incident")
@_format
@_output
@click.pass_context
def incident_command(ctx: click.Context, incident: str, form: str, output: str) -> None:
    """Write up an INCIDENT: timeline, evidence, decisions, actions, remedy and seals.

    The HTML loads nothing and prints well.
    """
    from functools import partial

    from actions.report import incident_report
    from database.transaction import reading
    from keywatch import portrait

    opened = engine(ctx, create=False)
    with reading(opened) as connection:
        called = partial(portrait.called, opened)
        blocks = incident_report(connection, incident, time.time(), called)
    _write(blocks, form, output)


@command.command("leak")
@click.argument("leak")
@_format
@_output
@click.pass_context
def leak_command(ctx: click.Context, leak: str, form: str, output: str) -> None:
    """Say what to do about a LEAK: a key id, or the fingerprint of a finding.

    Where it stands, how to replace it, and how to purge it with git filter-repo; never the secret.
    """
    from actions.report import leak_report
    from database.transaction import reading

    with reading(engine(ctx, create=False)) as connection:
        blocks = leak_report(connection, leak)
    _write(blocks, form, output)


@command.command("revoked")
@click.option("--since", default="7d", show_default=True, metavar="TIME", help="30m, 2h, 7d, ….")
@json_option
@click.pass_context
def revoked_command(ctx: click.Context, since: str, as_json: bool) -> None:
    """List revoked keys that somebody still tries, and from where."""
    from actions.report import tries_report
    from database.transaction import reading
    from vocabulary.moments import seconds_of

    start = time.time() - seconds_of(since)
    with reading(engine(ctx, create=False)) as connection:
        rows = tries_report(connection, start)
    if as_json:
        print_json(rows)
        return
    columns = ("KEY", "OWNER", "ENDED", "TRIES", "LAST", "FROM")
    cells = (
        [*(row[name] for name in ("key", "owner", "ended_at", "requests", "last_at")), _from(row)]
        for row in rows
    )
    print_table(columns, cells)


def _from(row: "Mapping[str, Any]") -> str:
    return ", ".join(f"{network or 'unknown'} ({n})" for network, n in row["networks"].items())


def _write(blocks: "Sequence[Block]", form: str, output: str) -> None:
    from actions.telling import document

    text = document.markdown(blocks) if form == "markdown" else document.html(blocks)
    with opened(output) as file:
        file.write(text)
