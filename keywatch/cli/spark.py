"""`keywatch spark`: the pipeline on Apache Spark."""

from typing import TYPE_CHECKING

import click

from keywatch.cli.common import Group, engine, printable, settings

if TYPE_CHECKING:
    from collections.abc import Callable

_NAME = "[a-z0-9][a-z0-9-]{0,63}"
_POLL_S = 1.0
"""How often effects are looked for that no batch has told of: a batch takes longer."""


def _shared(act: bool) -> "Callable[[Callable[..., None]], Callable[..., None]]":
    """Add the options of both commands."""

    def add(command: "Callable[..., None]") -> "Callable[..., None]":
        options = [
            click.option("--name", default="main" if act else "backfill", show_default=True,
                         callback=_checked, help="Of the job; its work goes on under it."),
            click.option("--master", default="", metavar="URL",
                         help="local[2], spark://…, yarn; default: what Spark is configured to."),
            click.option("--shards", type=click.IntRange(1, 4096), default=32, show_default=True,
                         help="Parts that keys are dealt out to; a job keeps its number."),
            click.option("--conf", multiple=True, metavar="NAME=VALUE", help="A setting of Spark."),
            click.option("--jars", default="", metavar="FILES", help="Further jars, by commas."),
        ]  # fmt: skip
        for option in reversed(options):
            command = option(command)
        return command

    return add


def _checked(_ctx: click.Context, _option: click.Parameter, name: str) -> str:
    import re

    if not re.fullmatch(_NAME, name):
        raise click.BadParameter("lower-case letters, digits and dashes, 64 at most")
    return name


@click.group("spark", cls=Group)
def command() -> None:
    """Run the pipeline on Apache Spark, where one machine is too small."""


@command.command("submit")
@_shared(act=True)
@click.option("--checkpoint", default="", metavar="DIR",
              help="What Spark has read; a folder that all machines reach.")  # fmt: skip
@click.option("--per-batch", type=click.IntRange(min=1), default=1_000_000, show_default=True,
              help="Records that are committed together, at most.")  # fmt: skip
@click.option("--once", is_flag=True, help="Read what there is, and end.")
@click.pass_context
def submit_command(  # noqa: PLR0917  (as many as flags)
    ctx: click.Context,
    name: str,
    master: str,
    shards: int,
    conf: tuple[str, ...],
    jars: str,
    checkpoint: str,
    per_batch: int,
    once: bool,
) -> None:
    """Follow the configured Kafka topic of access events, and act.

    The same detectors as `keywatch watch`, into the same PostgreSQL. Spark needs the jars of its
    Kafka connector (--jars, or --conf spark.jars.packages=…).
    """
    from actions.background import running
    from keywatch import spark, wiring

    config, opened = settings(ctx), engine(ctx)
    source = spark.stream_source(config)
    job = spark.job_of(config, source, name, shards, act=True)
    executor = wiring.executor(config, opened)
    session = spark.started(master, _options(conf, jars))
    with running(executor, _tell, _POLL_S) as background:

        def told(said: str) -> None:
            background.wake()
            _tell(said)

        spark.submit(
            session, opened, job, source, spark.checkpoint_of(name, checkpoint),
            once=once, per_batch=per_batch, tell=told,
        )  # fmt: skip
    session.stop()


@command.command("backfill")
@click.argument("logs", nargs=-1, required=True)
@click.option("--format", "log_format", default="nginx-json", show_default=True, metavar="NAME")
@_shared(act=False)
@click.pass_context
def backfill_command(  # noqa: PLR0917  (as many as flags)
    ctx: click.Context,
    logs: tuple[str, ...],
    log_format: str,
    name: str,
    master: str,
    shards: int,
    conf: tuple[str, ...],
    jars: str,
) -> None:
    """Learn from months of LOGS at once, in the order given: paths, patterns, s3a://….

    Profiles and alerts are what `watch` would have made of them, one log after the other; nothing
    is done to a key. `keywatch watch` goes on from there.
    """
    import msgspec

    from keywatch import spark
    from keywatch.config_streams import SourceSettings

    config, opened = settings(ctx), engine(ctx)
    like = [one for one in config.sources if one.format == log_format and one.shape]
    source = like[0] if like else SourceSettings(format=log_format)
    source = msgspec.structs.replace(source, type="file", options={}, tokens=())
    job = spark.job_of(config, source, name, shards, act=False)
    session = spark.started(master, _options(conf, jars))
    spark.backfill(session, opened, job, logs, _tell)
    session.stop()


def _options(conf: tuple[str, ...], jars: str) -> dict[str, str]:
    for one in conf:
        if "=" not in one:
            raise click.BadParameter(f"{one!r} is no NAME=VALUE", param_hint="--conf")
    given = dict(one.split("=", 1) for one in conf)
    return {"spark.jars": jars, **given} if jars else given


def _tell(said: str) -> None:
    click.echo(f"keywatch: {printable(said)}", err=True)
