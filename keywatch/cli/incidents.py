"""keywatch incidents: what belongs together, how it went, and who is on it."""

import time
from typing import Any

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

_SEVERITIES = click.Choice(["low", "medium", "high", "critical"])
_STATES = click.Choice(["open", "acknowledged", "contained", "resolved", "false"])
_note_option = click.option("--note", default="", metavar="TEXT", help="Why; it is kept.")


@click.group("incidents", cls=Group)
def command() -> None:
    """See what happened to keys as a whole, and say how it stands."""


@command.command("list")
@click.option("--key", default="", metavar="KEY", help="Only incidents of this key.")
@click.option("--state", type=_STATES, help="Only incidents in this state.")
@click.option("--severity", type=_SEVERITIES, help="Only incidents of this severity.")
@click.option("--going-on", is_flag=True, help="Only incidents that nobody has closed.")
@click.option("--before", default="", metavar="INCIDENT", help="Only what follows in this list.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
@click.pass_context
def list_command(ctx: click.Context, /, as_json: bool, **wanted: Any) -> None:  # noqa: ANN401
    """List incidents, the one that changed last first."""
    from actions.casebook import list_incidents
    from database.transaction import reading

    wanted = {name: value for name, value in wanted.items() if value}
    with reading(engine(ctx, create=False)) as connection:
        rows = list_incidents(connection, **wanted)
    if as_json:
        print_json(rows)
        return
    names = ("id", "updated_at", "subject", "owner", "state", "severity", "alerts_count")
    columns = ("INCIDENT", "CHANGED", "ABOUT", "OWNER", "STATE", "SEVERITY", "ALERTS", "ACTION")
    cells = ([*(row[name] for name in names), _action(row), row["summary"]] for row in rows)
    print_table((*columns, "SUMMARY"), cells)


@command.command("show")
@click.argument("incident")
@json_option
@click.pass_context
def show_command(ctx: click.Context, incident: str, as_json: bool) -> None:
    """Show one INCIDENT: its decision, its actions and its timeline."""
    from actions.casebook import show_incident
    from database.transaction import reading

    with reading(engine(ctx, create=False)) as connection:
        row = show_incident(connection, incident)
    if as_json:
        print_json(row)
        return
    print_table(("", ""), _facts(row))
    click.echo()
    entries = ([entry[name] for name in ("at", "kind", "who", "what")] for entry in row["timeline"])
    print_table(("TIME", "KIND", "WHO", "WHAT"), entries)


@command.command("ack")
@click.argument("incidents", nargs=-1, required=True)
@_note_option
@click.pass_context
@telling
def ack_command(ctx: click.Context, incidents: tuple[str, ...], note: str) -> Did:
    """Say that you are on the INCIDENTS: what waits for that is not done."""
    return _move(ctx, incidents, "acknowledged", note)


@command.command("resolve")
@click.argument("incidents", nargs=-1, required=True)
@click.option("--confirmed", is_flag=True, help="It was a theft or a leak: its alerts were right.")
@_note_option
@click.pass_context
@telling
def resolve_command(
    ctx: click.Context, incidents: tuple[str, ...], confirmed: bool, note: str
) -> Did:
    """Say that the INCIDENTS are over."""
    return _move(ctx, incidents, "resolved", note, "confirmed" if confirmed else "")


@command.command("false")
@click.argument("incidents", nargs=-1, required=True)
@_note_option
@click.pass_context
@telling
def false_command(ctx: click.Context, incidents: tuple[str, ...], note: str) -> Did:
    """Say that the INCIDENTS are false alarms: what their keys did is usual.

    It undoes nothing: see `keywatch actions undo`.
    """
    return _move(ctx, incidents, "false", note, "false")


@command.command("note")
@click.argument("incident")
@click.argument("text", nargs=-1, required=True)
@click.pass_context
@telling
def note_command(ctx: click.Context, incident: str, text: tuple[str, ...]) -> Did:
    """Write TEXT into the timeline of an INCIDENT."""
    from actions.closing import write_note
    from database.transaction import transaction

    with transaction(engine(ctx, create=False)) as connection:
        said = write_note(connection, incident, " ".join(text), actor=person(), now=time.time())
    return Did({"id": said, "noted": " ".join(text)}, f"{said} noted")


def _move(
    ctx: click.Context, incidents: tuple[str, ...], state: str, note: str, verdict: str = ""
) -> Did:
    from actions.closing import move
    from actions.judgement import judge_all
    from database.transaction import transaction

    actor, now, moved = person(), time.time(), []
    with transaction(engine(ctx, create=False)) as connection:
        for incident in incidents:
            found = move(connection, incident, state, actor=actor, now=now, note=note)
            if verdict:
                judge_all(connection, found, verdict, actor=actor, now=now)
            moved.append(found)
    rows = [{"id": found, "state": state} for found in moved]
    return Did(rows, "\n".join(f"{found} {state}" for found in moved))


def _action(row: dict[str, Any]) -> str:
    if row["action"] == "none":
        return "none"
    how = " (dry run)" if row["dry_run"] else " (held)" if row["held"] else ""
    return f"{row['action']}{how}"


def _facts(row: dict[str, Any]) -> list[tuple[str, object]]:
    key, decision = row["key"] or {}, row["decision"]
    return [
        ("incident", row["id"]),
        ("what", row["summary"]),
        ("about", row["subject"]),
        ("owner", row["owner"]),
        ("environment", row["environment"]),
        ("key is", key.get("state", "not in the store")),
        ("state", row["state"]),
        ("severity", row["severity"]),
        ("since", f"{row['opened_at']} … {row['updated_at']}, {row['alerts_count']} alerts"),
        *(("exposure", one["sentence"]) for one in row["exposures"]),
        ("action", _action(row)),
        ("decided by", f"{decision.get('line', '')} of policy {decision.get('policy', '')}"),
        ("guard", decision.get("guard") or "none had anything to say"),
    ]
