"""`keywatch replay`: what would have been."""

from pathlib import Path

import click

from keywatch.cli.common import json_option, print_json, printable, settings


@click.command()
@click.argument(
    "logs", nargs=-1, required=True, metavar="LOG...", type=click.Path(exists=True, dir_okay=False)
)
@click.option("--format", "log_format", required=True, metavar="NAME", help="Format of the logs.")
@click.option(
    "--alerts", "alerts_file", metavar="FILE", help="Write alerts as JSON lines; - for stdout."
)
@click.option(
    "--keys",
    "keys_file",
    metavar="FILE",
    help="JSON lines: key, class, owner, environment, created_at, tz, rotated_from.",
)
@click.option(
    "--geoip-city",
    multiple=True,
    metavar="FILE[@TIME]",
    help="From that RFC 3339 time of the log on.",
)
@click.option("--geoip-asn", multiple=True, metavar="FILE[@TIME]")
@click.option("--model", metavar="FILE", help="Model of sessions; see `keywatch model train`.")
@json_option
@click.pass_context
def command(  # noqa: PLR0917  (as many as flags)
    ctx: click.Context,
    logs: tuple[str, ...],
    log_format: str,
    alerts_file: str | None,
    keys_file: str | None,
    geoip_city: tuple[str, ...],
    geoip_asn: tuple[str, ...],
    model: str | None,
    as_json: bool,
) -> int:
    """Run LOGs through the live pipeline, in their own time, and say what would have been done.

    Nothing is changed: the state is thrown away and every action is a dry run.
    """
    from contextlib import ExitStack

    from detectors.geoip import GeoReader
    from keywatch import wiring
    from keywatch.cli.progress import progress, size_of
    from keywatch.replay import KeyList, Replay, read_keys
    from vocabulary.alert import alert_json
    from vocabulary.errors import ExitCode

    config = settings(ctx)
    files = [Path(log) for log in logs]
    with ExitStack() as stack:
        out = stack.enter_context(click.open_file(alerts_file, "w")) if alerts_file else None
        advance = stack.enter_context(progress("replaying", sum(size_of(file) for file in files)))
        cities = geoip_city or ((config.geoip.city,) if config.geoip.city else ())
        replay = Replay(
            format=wiring.log_format(config, log_format),
            clean=wiring.cleaner(config.scan, wiring.peppers(config)),
            geo=GeoReader(cities, geoip_asn or ((config.geoip.asn,) if config.geoip.asn else ())),
            policy=wiring.policy(config),
            keys=KeyList(read_keys(Path(keys_file)) if keys_file else (), config.watch.sensitivity),
            forest=wiring.forest(model or config.watch.model, [log_format]),
            alert=lambda alert: print(alert_json(alert).decode(), file=out) if out else None,
            advance=advance,
            tell=_tell,
        )
        if replay.geo.missing:
            _tell(replay.geo.missing)
        tally = replay.run(files)
    for error in tally.broken:
        _tell(str(error))
    if as_json:
        print_json(tally.public())
    else:
        click.echo(tally.sentence(), err=alerts_file == "-")
    return ExitCode.INCOMPLETE if tally.broken else ExitCode.OK


def _tell(said: str) -> None:
    click.echo(f"keywatch: {printable(said)}", err=True)
