"""keywatch model: train the model of sessions on your own history, and look at it."""

from pathlib import Path

import click

from keywatch.cli.common import Group, json_option, print_json, print_table, printable, settings

_log = click.Path(exists=True, dir_okay=False)


@click.group(cls=Group)
def command() -> None:
    """Train the model of sessions on your own history, and look at it."""


@command.command()
@click.argument("logs", nargs=-1, required=True, metavar="LOG...", type=_log)
@click.option("--format", "log_format", required=True, metavar="NAME", help="Format of the logs.")
@click.option(
    "--output", default="sessions.model", show_default=True, metavar="FILE", help="Where to."
)
@click.option("--keys", "keys_file", metavar="FILE", help="What is known of keys, JSON lines.")
@json_option
@click.pass_context
def train(
    ctx: click.Context,
    logs: tuple[str, ...],
    log_format: str,
    output: str,
    keys_file: str | None,
    as_json: bool,
) -> None:
    """Train on LOGs, in the order given: some weeks of ordinary use.

    The model is data, with its hash and date inside; nothing in it is ever executed. Name it in
    the configuration as watch.model.
    """
    from keywatch import wiring
    from keywatch.cli.progress import progress, size_of
    from keywatch.history import reading
    from keywatch.replay import KeyList, read_keys
    from keywatch.training import described, train

    config = settings(ctx)
    files = [Path(log) for log in logs]
    with (
        reading(config, log_format) as how,
        progress("training", sum(size_of(file) for file in files)) as advance,
    ):
        forest = train(
            files,
            how,
            wiring.geo(config.geoip),
            KeyList(read_keys(Path(keys_file)) if keys_file else ()),
            Path(output),
            advance=advance,
            tell=lambda said: click.echo(f"keywatch: {printable(said)}", err=True),
        )
    _print(described(forest) | {"file": output}, as_json)


@command.command()
@click.argument("file", type=_log)
@json_option
def show(file: str, as_json: bool) -> None:
    """Say what the model in FILE was trained on, and check that it is whole."""
    from detectors.forest import loaded
    from detectors.sessions import FEATURES
    from keywatch.training import described

    _print(described(loaded(Path(file), FEATURES)) | {"file": file}, as_json)


def _print(facts: dict[str, object], as_json: bool) -> None:
    if as_json:
        print_json(facts)
        return
    shown = {k: ", ".join(v) if isinstance(v, list) else v for k, v in facts.items()}
    print_table(("", ""), shown.items())
