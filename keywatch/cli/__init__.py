"""The command line: one file a command, found by being in this folder.

A file `name.py` here holds `command`, a click command or group. It imports click alone at the
top, and what it needs when it runs, so that help and small scans start fast.
"""

import errno
import os
import re
import sys
from importlib import import_module
from pathlib import Path

import click

from keywatch.cli.common import WHOLE, printable
from keywatch.extras import lacking
from vocabulary.errors import ExitCode, KeywatchError, fault_of

_HERE = Path(__file__).parent
_NO_COMMANDS = {
    "__init__",
    "common",
    "granting",
    "importing",
    "living",
    "outputs",
    "overlays",
    "progress",
}


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

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Name the nearest command for one that there is not."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError:
            from difflib import get_close_matches

            near = get_close_matches(args[0], self.list_commands(ctx), 1)
            if not near:
                raise
            said = f"no such command {args[0]!r}. Did you mean {near[0]!r}?"
            raise click.UsageError(said, ctx) from None

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """Write what each command is for, by what people come for, without importing them all."""
        names = self.list_commands(ctx)
        placed = {name for chosen in _SECTIONS.values() for name in chosen.split()}
        more = {"More": " ".join(name for name in names if name not in placed)}
        first = max(map(len, names)) + 2
        for title, chosen in (_SECTIONS | more).items():
            rows = [(name, self._summary(ctx, name)) for name in chosen.split()]
            if rows:
                with formatter.section(title):
                    formatter.write_dl([(name.ljust(first - 2), said) for name, said in rows])

    def _summary(self, ctx: click.Context, name: str) -> str:
        found = _DOCUMENTED.search((_HERE / f"{name}.py").read_text(encoding="utf-8"))
        command = click.Command(name, help=found[1]) if found else self.get_command(ctx, name)
        return command.get_short_help_str(WHOLE) if command else ""


_SECTIONS = {
    "To begin": "demo doctor config completion",
    "Secrets that leaked": "scan hook ignore redact rules",
    "Use of keys": "watch replay status deadletters tune model spark",
    "What follows": "alerts incidents actions policy report",
    "The key store": "keys accounts plans identities stores audit db",
    "Gateway, console and people": "serve users tokens mcp",
}
_DOCUMENTED = re.compile(
    r'^def command\((?:(?!^def ).)*?\) -> [^:\n]+:[^\n]*\n    r?"""(.+?)"""',
    re.DOTALL | re.MULTILINE,
)


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
    except (click.exceptions.Abort, KeyboardInterrupt):
        return ExitCode.INTERRUPTED
    except click.exceptions.NoArgsIsHelpError as error:
        error.show()
        return ExitCode.USAGE
    except click.ClickException as error:
        sys.stderr.write(f"keywatch: {printable(_wrong_words(error))}\n")
        return ExitCode.USAGE
    except BrokenPipeError:
        # Who reads our output went away; nothing more can be told it, not even at exit.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return ExitCode.OK
    except Exception as error:
        if sys.flags.dev_mode and not isinstance(error, KeywatchError):
            raise
        sys.stderr.write(f"keywatch: {printable(_line(error))}\n")
        return _code(error)
    return int(result) if isinstance(result, int) else ExitCode.OK


def _code(error: Exception) -> int:
    if isinstance(error, ModuleNotFoundError) and lacking(error):
        return ExitCode.USAGE
    return error.exit_code if isinstance(error, KeywatchError) else ExitCode.INCOMPLETE


def _wrong_words(error: click.ClickException) -> str:
    said = " ".join(error.format_message().split())
    context = error.ctx if isinstance(error, click.UsageError) else None
    advice = f" (see `{context.command_path} --help`)" if context else ""
    return said[:1].lower() + said[1:].rstrip(".") + advice


def _line(error: Exception) -> str:
    """Say in a line what went wrong; of a fault of our own the place, without the words."""
    if isinstance(error, KeywatchError):
        return str(error)
    if isinstance(error, OSError):
        place = f"{error.filename}: " if error.filename else ""
        advice = " (free some space)" if error.errno in (errno.ENOSPC, errno.EDQUOT) else ""
        return f"{place}{(error.strerror or str(error)).lower()}{advice}"
    if isinstance(error, ModuleNotFoundError) and (said := lacking(error)):
        return said
    return f"{fault_of(error)} (please report it; python -X dev shows more)"
