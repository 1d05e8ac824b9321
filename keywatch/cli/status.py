"""`keywatch status`: events, alerts, outbox and lag."""

from typing import Any

import click

from keywatch.cli.common import engine, json_option, print_json, print_table, printable


@click.command()
@json_option
@click.pass_context
def command(ctx: click.Context, as_json: bool) -> None:
    """Show what the pipeline has done and how far behind it is."""
    from keywatch.status import status

    figures = status(engine(ctx, create=False))
    if as_json:
        print_json(figures)
        return
    rows = [
        (f"{group}.{name}" if isinstance(value, dict) else group, value[name] if name else value)
        for group, value in figures.items()
        for name in (value if isinstance(value, dict) else [""])
        if group != "sources"
    ]
    print_table(("figure", "value"), rows)
    for name, state in figures["sources"].items():
        click.echo(f"{printable(name)}\n  {_said(state)}")
        if state["failed"]:
            click.echo(f"  cannot be read: {printable(state['failed'])}")


def _long(seconds: float) -> str:
    """Say a span of time to a person, in the unit that fits."""
    for size, unit in ((86_400, "days"), (3600, "h"), (60, "min")):
        if seconds >= 2 * size:
            return f"{seconds / size:,.0f} {unit}"
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"  # noqa: PLR2004


def _said(source: dict[str, Any]) -> str:
    said = (
        "nothing committed"
        if source["age_s"] is None
        else f"committed {_long(source['age_s'])} ago"
    )
    if source["newest"]:
        said += f", up to {source['newest']}"
    if source["lag_s"] is not None:
        said += f", {_long(source['lag_s'])} late"
    if source["events_per_s"]:
        said += f", {source['events_per_s']} events/s"
    if source["behind"]:
        said += f", {source['behind']} behind"
    if source["late"]:
        said += f", {source['late']} too late"
    return said + (f", {source['dead']} dead letters" if source["dead"] else "")
