"""The command line: one file a command, found by being in this folder.

A file `name.py` here holds `command`, a click command or group. It imports click alone at the
top, and what it needs when it runs, so that help and small scans start fast.
"""

import sys
from importlib import import_module
from pathlib import Path

import click

from vocabulary.errors import ExitCode, KeywatchError

_HERE = Path(__file__).parent
_NO_COMMANDS = {"__init__", "common", "progress"}


class Commands(click.Group):
    """A group whose commands are the files of this folder."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the files, without importing them."""
        del ctx
        return sorted(file.stem for file in _HERE.glob("*.py") if file.stem not in _NO_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the one file that is asked for."""
        if cmd_name not in self.list_commands(ctx):
            return None
        command = import_module(f"keywatch.cli.{cmd_name}").command
        assert isinstance(command, click.Command)
        return command


@click.command(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="keywatch", message="%(version)s")
@click.option("--config", "config_file", metavar="FILE", help="Default: keywatch.toml, if there.")
@click.option("--database", metavar="URL", help="Overrides the configuration's.")
@click.pass_context
def keywatch(ctx: click.Context, config_file: str | None, database: str | None) -> None:
    """Find leaked API keys, notice stolen ones, and lock them out."""
    ctx.obj = {"config_file": config_file, "flags": {"database": database} if database else {}}


def run(arguments: list[str] | None = None) -> int:
    """Run the command line and return its exit code; errors become one line on stderr."""
    try:
        result = keywatch.main(arguments, prog_name="keywatch", standalone_mode=False)
    except click.exceptions.Abort:
        return ExitCode.INTERRUPTED
    except click.ClickException as error:
        error.show()
        return ExitCode.USAGE
    except KeywatchError as error:
        sys.stderr.write(f"keywatch: {error}\n")
        return error.exit_code
    except BrokenPipeError:
        sys.stderr.close()
        return ExitCode.OK
    except KeyboardInterrupt:
        return ExitCode.INTERRUPTED
    return int(result) if isinstance(result, int) else ExitCode.OK
