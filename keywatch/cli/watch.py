"""`keywatch watch`: the pipeline, live."""

import click

from keywatch.cli.common import engine, printable, settings


@click.command()
@click.option(
    "--access-log",
    metavar="FILE",
    help="Watch this log instead of the configured sources; - for stdin.",
)
@click.option(
    "--format",
    "log_format",
    metavar="NAME",
    default="nginx-json",
    show_default=True,
    help="Format of --access-log.",
)
@click.option("--once", is_flag=True, help="Read what there is, do what is to be done, and end.")
@click.pass_context
def command(ctx: click.Context, access_log: str | None, log_format: str, once: bool) -> None:
    """Watch access logs and repositories, and act.

    Actions are carried out only when `[actions] enabled` lists them; otherwise they are shown.
    """
    import signal
    from threading import Event

    import msgspec

    from keywatch.config_streams import SourceSettings
    from keywatch.voice import Voice
    from keywatch.watch import Watch
    from vocabulary.alert import alert_json

    config = settings(ctx)
    if access_log:
        kind = "stdin" if access_log == "-" else "file"
        one = SourceSettings(type=kind, path=access_log, format=log_format)
        gateway = msgspec.structs.replace(config.gateway, events="")
        like = [given for given in config.sources if given.format == log_format and given.shape]
        if like:
            shaped = {
                name: getattr(like[0], name) for name in ("layout", "fields", "pattern", "time")
            }
            one = msgspec.structs.replace(one, **shaped)
        config = msgspec.structs.replace(config, sources=(one,), gateway=gateway)
    stop = Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stop.set())
    voice = Voice(
        tell=lambda said: click.echo(f"keywatch: {printable(said)}", err=True),
        alert=lambda alert: click.echo(alert_json(alert).decode()),
    )
    watch = Watch(config, engine(ctx), once=once, stop=stop, voice=voice)
    click.echo("keywatch: watching", err=True)
    watch.run()
