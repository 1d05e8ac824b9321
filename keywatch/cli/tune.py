"""`keywatch tune`: from your own history, how sensitive to be."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from keywatch.cli.common import json_option, print_json, printable, settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from detectors.facts import KeyFacts
    from keywatch.config import Settings

_SHOWN = 10


@click.command()
@click.argument(
    "logs", nargs=-1, required=True, metavar="LOG...", type=click.Path(exists=True, dir_okay=False)
)
@click.option("--format", "log_format", required=True, metavar="NAME", help="Format of the logs.")
@click.option(
    "--target-alerts-per-day",
    "per_day",
    required=True,
    type=click.FloatRange(min=0),
    metavar="N",
    help="How many alerts of medium or more a day are wanted.",
)
@click.option("--keys", "keys_file", metavar="FILE", help="What is known of keys, JSON lines.")
@json_option
@click.pass_context
def command(
    ctx: click.Context,
    logs: tuple[str, ...],
    log_format: str,
    per_day: float,
    keys_file: str | None,
    as_json: bool,
) -> None:
    """Read LOGs twice: choose a sensitivity, and show what it would have told and left out.

    Nothing is changed. The first 14 days are not counted where there are as many again.
    """
    from functools import partial

    from keywatch import wiring
    from keywatch.cli.progress import progress, size_of
    from keywatch.history import batches, reading
    from keywatch.replay import KeyList, read_keys
    from keywatch.tuning import judged, tune

    config = settings(ctx)
    files = [Path(log) for log in logs]
    listed = read_keys(Path(keys_file)) if keys_file else ()
    table = dict(config.watch.sensitivity)

    def facts(keys: "Sequence[str]", now: dict[str, float]) -> "Mapping[str, KeyFacts]":
        return how.facts(keys, KeyList(listed, now), now)

    with (
        reading(config, log_format) as how,
        progress("reading", 2 * sum(size_of(file) for file in files)) as advance,
    ):
        history = partial(
            batches,
            files,
            how,
            lambda said: click.echo(f"keywatch: {printable(said)}", err=True),
            advance,
            None if listed else how.known,
        )
        tuned = tune(
            history,
            lambda keys, shift: facts(keys, shifted(table, shift)),
            wiring.geo(config.geoip),
            per_day,
            how.format.lateness_s,
        )
    told = tuned.public() | {
        "sensitivity": shifted(table, tuned.shift),
        "judged": judged(tuned, _judged(config)),
    }
    if as_json:
        print_json(told)
    else:
        _print(told)


def shifted(table: dict[str, float], shift: float) -> dict[str, float]:
    """Return the configured sensitivities, all moved by as much."""
    return {name: round(value + shift, 2) for name, value in {"*": 0.0, **table}.items()}


def _judged(config: "Settings") -> list[dict[str, Any]]:
    """Return the alerts of the configured database, if there is one."""
    from keywatch import places

    if not places.has_database(config.database):
        return []
    from actions.ledger import list_alerts
    from database.transaction import open_database, reading

    engine = open_database(config.database, create=False)
    try:
        with reading(engine) as connection:
            return list_alerts(connection, limit=100_000)
    finally:
        engine.dispose()


def _print(told: dict[str, Any]) -> None:
    click.echo(
        f"{told['days']} days: {told['before_per_day']:g} alerts of medium or more a day as it is, "
        f"{told['after_per_day']:g} with a sensitivity of {told['shift']:+g}"
    )
    for verdict, n in sorted(told["judged"].items()):
        click.echo(f"{verdict}: {n['before']} of {n['of']} told as it is, {n['after']} then")
    for name, title in (("lost", "no longer told"), ("gained", "told then")):
        rows = told[name]
        if rows:
            click.echo(f"\n{title}: {len(rows)}")
        for row in rows[:_SHOWN]:
            click.echo(
                printable(f"  {row['ts']}  {row['key']}  {row['severity']}: {row['summary']}")
            )
        if len(rows) > _SHOWN:
            click.echo(f"  and {len(rows) - _SHOWN} more (--json has all)")
    entries = ", ".join(f'"{name}" = {value:g}' for name, value in told["sensitivity"].items())
    click.echo(f"\n[watch]\nsensitivity = {{ {entries} }}")
