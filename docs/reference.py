"""Write the reference from the code: commands, configuration, formats, rules, JSON, API, metrics.

python docs/reference.py           write docs/reference/*, and the help that needs no click
python docs/reference.py --check   fail when they are no longer true
"""

import sys
from collections.abc import Iterator
from pathlib import Path

import click
import contracts

_WIDTH = 88
ROOT = Path(__file__).parent.parent


def command_line() -> Iterator[str]:
    """Yield the help of every command."""
    from keywatch.cli import keywatch

    yield "# Command line\n"
    yield "Exit codes: 0 done, 1 findings, 2 wrong usage or configuration, 3 something that was"
    yield "asked for was not done (it is named), 130 interrupted. Every table has `--json`.\n"
    yield from _command(keywatch, _context(keywatch, _WIDTH))


def first_help() -> Iterator[str]:
    """Yield what `keywatch --help` says where there are 80 columns or more."""
    from keywatch.cli import keywatch
    from keywatch.quick import COLUMNS

    yield keywatch.get_help(_context(keywatch, COLUMNS - 2))  # click leaves two


def _context(command: click.Command, width: int) -> click.Context:
    asked = {**command.context_settings, "terminal_width": width}
    return click.Context(command, info_name="keywatch", **asked)


def _command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f"## {context.command_path}\n"
    yield "```text"
    yield command.get_help(context)
    yield "```\n"
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _command(inner, _inner(inner, name, context))


def _inner(command: click.Command, name: str, parent: click.Context) -> click.Context:
    return click.Context(command, info_name=name, parent=parent, terminal_width=_WIDTH)


def configuration() -> Iterator[str]:
    """Yield every entry of the configuration."""
    from keywatch.config import leaves, tables

    yield "# Configuration\n"
    yield "`keywatch.toml`, then the environment, then flags: the last one wins."
    yield "`keywatch config init` writes a commented file, `config show` tells what is in force.\n"
    yield "| entry | default | environment | what it is |"
    yield "|---|---|---|---|"
    for leaf in leaves():
        struct = tables(leaf.type)
        name = ".".join(leaf.address)
        if struct is None:
            yield f"| `{name}` | `{leaf.default!r}` | `{leaf.variable}` | {leaf.description} |"
            continue
        for inner in leaves(struct):
            entry = f"[[{name}]] {inner.address[-1]}"
            yield f"| `{entry}` | `{inner.default!r}` | | {inner.description} |"


def log_formats() -> Iterator[str]:
    """Yield every log format, and how to have it log the key."""
    from streams import formats

    yield "# Log formats\n"
    for name in formats.names():
        found = formats.find(name)
        yield f"## {name}\n\n{found.about}\n\n```text\n{found.log_the_key.strip()}\n```\n"


def manual() -> Iterator[str]:
    """Yield the man page, in the macros of man(7)."""
    from keywatch.cli import keywatch

    yield '.TH KEYWATCH 1 "" "keywatch" "User Commands"\n.ad l\n.nh'
    yield ".SH NAME\nkeywatch \\- find leaked API keys, notice stolen ones, and lock them out"
    yield ".SH SYNOPSIS\n.B keywatch\n[\\fIoptions\\fR] \\fIcommand\\fR [\\fIarguments\\fR]"
    yield ".SH OPTIONS"
    context = _context(keywatch, _WIDTH)
    yield from _roff_options(keywatch, context)
    yield ".SH COMMANDS"
    for name in keywatch.list_commands(context):
        inner = keywatch.get_command(context, name)
        assert inner is not None
        yield from _roff_command(inner, _inner(inner, name, context))
    yield ".SH EXIT STATUS\n0 done; 1 findings; 2 wrong usage or configuration; 3 something that"
    yield "was asked for was not done (it is named); 130 interrupted."
    yield ".SH FILES\n.TP\n.I keywatch.toml\nthe configuration, of the current directory unless"
    yield "\\-\\-config names another"
    yield ".SH ENVIRONMENT\nEvery entry of the configuration can be set by KEYWATCH_ and its name;"
    yield "NO_COLOR is heeded."


def _roff_command(command: click.Command, context: click.Context) -> Iterator[str]:
    yield f".SS {_roff(context.command_path.removeprefix('keywatch '))}"
    for paragraph in (command.help or "").split("\n\n"):
        yield _roff(" ".join(paragraph.replace("\f", "").split())) + "\n.PP"
    yield from _roff_options(command, context)
    if isinstance(command, click.Group):
        for name in command.list_commands(context):
            inner = command.get_command(context, name)
            assert inner is not None
            yield from _roff_command(inner, _inner(inner, name, context))


def _roff_options(command: click.Command, context: click.Context) -> Iterator[str]:
    for param in command.get_params(context):
        record = param.get_help_record(context)
        if record is not None:
            yield f".TP\n.B {_roff(record[0])}\n{_roff(' '.join(record[1].split()))}"


def _roff(text: str) -> str:
    """Return text in which nothing is a request or an escape of roff."""
    clean = text.replace("\\", "\\e").replace("-", "\\-").replace("|", "|\\:")  # may break there
    return f"\\&{clean}" if clean[:1] in (".", "'") else clean


PAGES = {
    "docs/reference/keywatch.1": manual,
    "docs/reference/cli.md": command_line,
    "docs/reference/configuration.md": configuration,
    "docs/reference/formats.md": log_formats,
    "keywatch/help.txt": first_help,
    **contracts.PAGES,
}


def main() -> int:
    """Write the pages, or with --check compare them with those that are there."""
    sys.path.insert(0, str(ROOT))
    stale = []
    for name, page in PAGES.items():
        text = "\n".join(line.rstrip() for line in "\n".join(page()).split("\n")) + "\n"
        file = ROOT / name
        if "--check" not in sys.argv:
            file.write_text(text)
        elif not file.exists() or file.read_text() != text:
            stale.append(name)
    if stale:
        print(f"{', '.join(stale)}: run `make docs`", file=sys.stderr)
    return bool(stale)


if __name__ == "__main__":
    sys.exit(main())
