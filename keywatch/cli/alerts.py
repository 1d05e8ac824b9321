"""keywatch alerts: what was noticed, and what people say of it."""

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


@click.group("alerts", cls=Group)
def command() -> None:
    """See what was noticed, and say whether it was right."""


@command.command("list")
@click.option("--key", default="", metavar="KEY", help="Only alerts about this key.")
@click.option("--severity", type=_SEVERITIES, help="Only alerts of this severity.")
@click.option("--new", is_flag=True, help="Only alerts of which nobody has said anything.")
@click.option("--limit", type=click.IntRange(min=1), default=50, show_default=True)
@json_option
@click.pass_context
def list_command(
    ctx: click.Context, key: str, severity: str | None, new: bool, limit: int, as_json: bool
) -> None:
    """List alerts, the newest first."""
    from actions.ledger import list_alerts
    from database.transaction import reading

    with reading(engine(ctx, create=False)) as connection:
        rows = list_alerts(
            connection,
            key=key,
            severity=severity or "",
            feedback="" if new else None,
            limit=limit,
        )
    if as_json:
        print_json(rows)
        return
    columns = ("ALERT", "TIME", "ABOUT", "KIND", "SEVERITY", "ACTION", "FEEDBACK", "SUMMARY")
    print_table(columns, (_cells(row) for row in rows))


@command.command("show")
@click.argument("alert")
@json_option
@click.pass_context
def show_command(ctx: click.Context, alert: str, as_json: bool) -> None:
    """Show one ALERT with its evidence, what was decided and what was done."""
    from actions.ledger import show_alert
    from database.transaction import reading

    with reading(engine(ctx, create=False)) as connection:
        row = show_alert(connection, alert)
    if as_json:
        print_json(row)
        return
    print_table(("", ""), _facts(row))
    click.echo()
    print_table(
        ("DETECTOR", "OBSERVED", "EXPECTED", "P"),
        ((e["detector"], e["observed"], e["expected"], f"{e['p']:.2g}") for e in row["evidence"]),
    )
    if row["actions"]:
        click.echo()
        shown = ("id", "effect", "lane", "state", "attempts", "error")
        print_table(
            ("ACTION", "EFFECT", "LANE", "STATE", "ATTEMPTS", "NOTE"),
            ([action[name] for name in shown] for action in row["actions"]),
        )


@command.command("ack")
@click.argument("alerts", nargs=-1, required=True)
@click.pass_context
@telling
def ack_command(ctx: click.Context, alerts: tuple[str, ...]) -> Did:
    """Say that the ALERTS are explained: what their keys did then is no longer news."""
    return _judge(ctx, alerts, "acknowledged")


@command.command("false")
@click.argument("alerts", nargs=-1, required=True)
@click.pass_context
@telling
def false_command(ctx: click.Context, alerts: tuple[str, ...]) -> Did:
    """Say that the ALERTS are false alarms: what their keys did is usual.

    It takes more to alert about these keys again. It undoes nothing: see `keywatch actions undo`.
    """
    return _judge(ctx, alerts, "false")


@command.command("confirm")
@click.argument("alerts", nargs=-1, required=True)
@click.pass_context
@telling
def confirm_command(ctx: click.Context, alerts: tuple[str, ...]) -> Did:
    """Say that the ALERTS are right: what happened then never becomes usual for their keys."""
    return _judge(ctx, alerts, "confirmed")


def _judge(ctx: click.Context, alerts: tuple[str, ...], verdict: str) -> Did:
    from actions.judgement import judge
    from database.transaction import transaction

    with transaction(engine(ctx, create=False)) as connection:
        judged = [
            judge(connection, alert, verdict, actor=person(), now=time.time()) for alert in alerts
        ]
    rows = [{"id": found, "feedback": verdict} for found in judged]
    return Did(rows, "\n".join(f"{found} {verdict}" for found in judged))


def _cells(row: dict[str, Any]) -> tuple[object, ...]:
    action = f"{row['action']} (dry run)" if _shown_only(row) else row["action"]
    about = row.get("key") or row.get("ip")
    names = ("kind", "severity")
    return (
        row["id"],
        row["ts"],
        about,
        *(row[name] for name in names),
        action,
        row["feedback"],
        row["summary"],
    )


def _facts(row: dict[str, Any]) -> list[tuple[str, object]]:
    first, last, count = row["events"]
    decision, incident = row["decision"], row["incident"] or {}
    return [
        ("alert", row["id"]),
        ("what", row["summary"]),
        ("about", row.get("key") or row.get("ip")),
        *([("address", row["ip"])] if row.get("key") and row.get("ip") else []),
        ("severity", f"{row['severity']} ({row['kind']}, {row['family']})"),
        ("since", f"{first} … {last}, {count} events"),
        ("action", f"{row['action']} (dry run)" if _shown_only(row) else row["action"]),
        ("decided by", decision.get("line", "")),
        ("guard", decision.get("guard", "")),
        *(("exposure", one["sentence"]) for one in row["exposures"]),
        ("incident", f"{incident.get('id', '')} {incident.get('state', '')}"),
        ("feedback", row["feedback"]),
    ]


def _shown_only(row: dict[str, Any]) -> bool:
    return bool(row["dry_run"]) and row["action"] != "none"
