"""`keywatch config`: the effective configuration and a commented file to begin with."""

import click

from keywatch.cli.common import Group, json_option, print_json, print_table


@click.group(cls=Group)
def command() -> None:
    """Show or begin the configuration."""


@command.command()
@json_option
@click.pass_context
def show(ctx: click.Context, as_json: bool) -> None:
    """Print every entry, its value and where the value comes from; secrets are hidden."""
    from keywatch import config_text
    from keywatch.config import load

    root = ctx.find_root().obj
    entries = config_text.effective(load(root["config_file"], flags=root["flags"]))
    if as_json:
        print_json({name: {"value": value, "source": source} for name, value, source in entries})
    else:
        print_table(("entry", "value", "source"), entries)


@command.command()
@click.argument("file", default="keywatch.toml")
def init(file: str) -> None:
    """Write a commented FILE with every entry at its default; refuses to overwrite."""
    from keywatch.config_text import commented
    from vocabulary.errors import UsageError

    try:
        with open(file, "x", encoding="utf-8") as out:  # noqa: PTH123  (x: never overwrites)
            out.write(commented())
    except FileExistsError as error:
        raise UsageError("the file is there already", where=file, remedy="name another") from error
    except OSError as error:
        raise UsageError(str(error.strerror), where=file, remedy="name another") from error
    click.echo(f"wrote {file}")
